import { useState } from "react";
import { useNavigate } from "react-router";
import { Button, Dialog, Stack } from "@/shared/components/ui";
import { LoginForm } from "./login-form";
import { RegisterForm } from "./register-form";

/** Sign-up and sign-in over the page that one is on. */
export default function AuthDialog({ onClose }: { onClose: () => void }) {
  const [signingUp, setSigningUp] = useState(true);
  const navigate = useNavigate();
  return (
    <Dialog title={signingUp ? "Sign up" : "Sign in"} open onClose={onClose}>
      <Stack>
        {signingUp
          ? <RegisterForm onDone={(how, email) => { void navigate(how === "in" ? "/dashboard" : "/verify", { state: { email } }); }} />
          : <LoginForm onDone={() => { void navigate("/dashboard"); }} />}
        <Button look="quiet" onClick={() => { setSigningUp(!signingUp); }}>{signingUp ? "I have an account" : "I have no account yet"}</Button>
      </Stack>
    </Dialog>
  );
}
