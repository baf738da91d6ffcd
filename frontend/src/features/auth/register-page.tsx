import { Navigate, useNavigate } from "react-router";
import { Link } from "@/shared/components/ui";
import { useSession } from "@/shared/session/session";
import { Door } from "./door";
import { ProviderButtons } from "./provider-buttons";
import { RegisterForm } from "./register-form";

export function Page() {
  const navigate = useNavigate();
  const inside = useSession(({ status }) => status === "in");
  if (inside) return <Navigate to="/dashboard" replace />;
  return (
    <Door title="Sign up" below={<>You have an account? <Link to="/login">Sign in</Link></>}>
      <RegisterForm onDone={(how, email) => { void navigate(how === "in" ? "/dashboard" : "/verify", { state: { email } }); }} />
      <ProviderButtons signingUp />
    </Door>
  );
}
