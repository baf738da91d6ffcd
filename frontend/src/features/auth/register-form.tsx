import { type FormEvent, useState } from "react";
import { attempt } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Check, Field, Form, Link } from "@/shared/components/ui";
import { signUp } from "./actions";

/** Name, e-mail, password, terms. What was typed stays when it fails; the same attempt sent again does nothing twice. */
export function RegisterForm({ onDone }: { onDone: (how: "in" | "mail", email: string) => void }) {
  const [person, setPerson] = useState({ display_name: "", email: "", password: "" });
  const [agreed, setAgreed] = useState(false);
  const [asked, setAsked] = useState(false);
  const [key, setKey] = useState(attempt);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const fields = error instanceof Problem ? error.fields : {};
  const change = (name: keyof typeof person) => (event: { target: { value: string } }) => {
    setPerson({ ...person, [name]: event.target.value });
    setKey(attempt());
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setAsked(true);
    if (!agreed) return;
    setBusy(true);
    setError(null);
    signUp(person, key).then((how) => { onDone(how, person.email); }, setError).finally(() => { setBusy(false); });
  };
  return (
    <Form onSubmit={submit} noValidate>
      {error !== null && Object.keys(fields).length === 0 && <ProblemView error={error} />}
      <Field label="Name" name="display_name" autoComplete="name" maxLength={64} required value={person.display_name} onChange={change("display_name")} error={fields["display_name"]} />
      <Field label="E-mail" name="email" type="email" autoComplete="username" maxLength={254} required value={person.email} onChange={change("email")} error={fields["email"]} />
      <Field label="Password" name="password" type="password" autoComplete="new-password" maxLength={128} required hint="12 characters or more." value={person.password} onChange={change("password")} error={fields["password"]} />
      <Check checked={agreed} onChange={(event) => { setAgreed(event.target.checked); }} error={asked && !agreed ? "Without your agreement no account can be made." : undefined}>
        I agree to the <Link to="/terms" target="_blank">terms</Link> and have read the <Link to="/privacy" target="_blank">privacy notice</Link>.
      </Check>
      <Button type="submit" look="main" busy={busy}>{busy ? "Signing up…" : "Sign up"}</Button>
    </Form>
  );
}
