import { type FormEvent, useState } from "react";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Field, Form, Text } from "@/shared/components/ui";
import { showCode } from "./actions";

/** The form takes another's place, and what had the focus is gone. */
const focus = (input: HTMLInputElement | null) => { input?.focus(); };

/** The second factor of a sign-in whose password was right. */
export function CodeForm({ challenge, onDone, onBack }: { challenge: string; onDone: () => void; onBack: () => void }) {
  const [code, setCode] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    showCode(challenge, code).then(onDone, setError).finally(() => { setBusy(false); });
  };
  return (
    <Form onSubmit={submit} noValidate>
      {error !== null && <ProblemView error={error} />}
      <Text small quiet>Your account has a second factor. Open your authenticator app, or take one of your recovery codes.</Text>
      <Field label="Code" name="code" autoComplete="one-time-code" ref={focus} maxLength={64} required value={code} onChange={(event) => { setCode(event.target.value); }} />
      <Button type="submit" look="main" busy={busy}>{busy ? "Signing in…" : "Sign in"}</Button>
      <Button type="button" look="quiet" onClick={onBack}>Begin again</Button>
    </Form>
  );
}
