import { type FormEvent, useState } from "react";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Field, Form, Link } from "@/shared/components/ui";
import { signIn } from "./actions";
import { CodeForm } from "./code-form";

/** E-mail and password, and a code where the account has a second factor. What was typed stays when it fails. */
export function LoginForm({ onDone, email: known = "" }: { onDone: () => void; email?: string }) {
  const [email, setEmail] = useState(known);
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [challenge, setChallenge] = useState<string | null>(null);
  const fields = error instanceof Problem ? error.fields : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    signIn(email, password).then((asked) => { if (asked) setChallenge(asked.challenge); else onDone(); }, setError).finally(() => { setBusy(false); });
  };
  if (challenge !== null) return <CodeForm challenge={challenge} onDone={onDone} onBack={() => { setChallenge(null); setPassword(""); }} />;
  return (
    <Form onSubmit={submit} noValidate>
      {error !== null && Object.keys(fields).length === 0 && <ProblemView error={error} />}
      <Field label="E-mail" name="email" type="email" autoComplete="username" maxLength={254} required value={email} onChange={(event) => { setEmail(event.target.value); }} error={fields["email"]} />
      <Field label="Password" name="password" type="password" autoComplete="current-password" maxLength={128} required value={password} onChange={(event) => { setPassword(event.target.value); }} error={fields["password"]} aside={<Link to="/forgot">Forgotten?</Link>} />
      <Button type="submit" look="main" busy={busy}>{busy ? "Signing in…" : "Sign in"}</Button>
    </Form>
  );
}
