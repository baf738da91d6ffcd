import { Navigate, useNavigate, useSearchParams } from "react-router";
import { Link } from "@/shared/components/ui";
import { useSession } from "@/shared/session/session";
import { destination } from "./actions";
import { Door } from "./door";
import { LoginForm } from "./login-form";
import { ProviderButtons } from "./provider-buttons";

export function Page() {
  const navigate = useNavigate();
  const wanted = useSearchParams()[0].get("to");
  const to = destination(wanted);
  const inside = useSession(({ status }) => status === "in");
  if (inside) return <Navigate to={to} replace />;
  return (
    <Door title="Sign in" below={<>No account yet? <Link to={wanted === null ? "/register" : `/register?to=${encodeURIComponent(to)}`}>Sign up</Link></>}>
      <LoginForm onDone={() => { void navigate(to, { replace: true }); }} />
      <ProviderButtons signingUp={false} />
    </Door>
  );
}
