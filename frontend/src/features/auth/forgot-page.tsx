import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "react-router";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Field, Form, Link, Text } from "@/shared/components/ui";
import { forgotPassword, resetPassword } from "./actions";
import { Door } from "./door";

/** Asks for a mail, and takes the new password where the mail's link leads (its code stands behind `#`). */
export function Page() {
  const code = new URLSearchParams(useLocation().hash.slice(1)).get("code");
  const [value, setValue] = useState("");
  const ask = useMutation({ mutationFn: () => (code ? resetPassword(code, value) : forgotPassword(value)) });
  const fields = ask.error instanceof Problem ? ask.error.fields : {};
  const done = code ? "Your password is changed. Sign in with it." : "If the address has an account, a mail is on its way.";
  return (
    <Door title="New password" below={<Link to="/login">Back to signing in</Link>}>
      <Form noValidate onSubmit={(event) => { event.preventDefault(); ask.mutate(); }}>
        {ask.isError && Object.keys(fields).length === 0 && <ProblemView error={ask.error} />}
        {ask.isSuccess && <Text role="status">{done}</Text>}
        {code
          ? <Field label="New password" type="password" autoComplete="new-password" maxLength={128} hint="12 characters or more." value={value} onChange={(event) => { setValue(event.target.value); }} error={fields["password"]} />
          : <Field label="E-mail" type="email" autoComplete="username" maxLength={254} value={value} onChange={(event) => { setValue(event.target.value); }} error={fields["email"]} />}
        <Button type="submit" look="main" busy={ask.isPending}>{code ? "Set the password" : "Send me a mail"}</Button>
      </Form>
    </Door>
  );
}
