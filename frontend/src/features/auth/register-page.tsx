import { Navigate, useNavigate, useSearchParams } from "react-router";
import { Link } from "@/shared/components/ui";
import { useSession } from "@/shared/session/session";
import { destination } from "./actions";
import { Door } from "./door";
import { ProviderButtons } from "./provider-buttons";
import { RegisterForm } from "./register-form";

export function Page() {
  const navigate = useNavigate();
  const wanted = useSearchParams()[0].get("to");
  const to = destination(wanted);
  const inside = useSession(({ status }) => status === "in");
  if (inside) return <Navigate to={to} replace />;
  return (
    <Door title="Sign up" below={<>You have an account? <Link to={wanted === null ? "/login" : `/login?to=${encodeURIComponent(to)}`}>Sign in</Link></>}>
      <RegisterForm onDone={(how, email) => { void navigate(how === "in" ? to : "/verify", { state: { email } }); }} />
      <ProviderButtons signingUp />
    </Door>
  );
}
