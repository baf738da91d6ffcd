import { useState } from "react";
import { useNavigate } from "react-router";
import { Button, Dialog, Stack } from "@/shared/components/ui";
import { LoginForm } from "./login-form";
import { RegisterForm } from "./register-form";

/** Sign-up and sign-in over the page that one is on. */
export default function AuthDialog({ onClose }: { onClose: () => void }) {
  const [signingUp, setSigningUp] = useState(true);
  const navigate = useNavigate();
  const go = (to: string, state?: object) => { onClose(); void navigate(to, { state }); };
  return (
    <Dialog title={signingUp ? "Sign up" : "Sign in"} open onClose={onClose}>
      <Stack>
        {signingUp
          ? <RegisterForm onDone={(how, email) => { go(how === "in" ? "/dashboard" : "/verify", { email }); }} />
          : <LoginForm onDone={() => { go("/dashboard"); }} />}
        <Button look="quiet" onClick={() => { setSigningUp(!signingUp); }}>{signingUp ? "I have an account" : "I have no account yet"}</Button>
      </Stack>
    </Dialog>
  );
}
