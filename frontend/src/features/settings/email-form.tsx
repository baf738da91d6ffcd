import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { type Me, api, unwrap } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Field, Form, Row, Subheading, Text } from "@/shared/components/ui";

/** Another address: it counts once the letter that goes there was followed. */
export function EmailForm({ me }: { me: Me }) {
  const [value, setValue] = useState({ email: "", current_password: "" });
  const change = useMutation({
    mutationFn: async () => { unwrap(await api.PUT("/api/v5/me/email", { body: value })); return value.email; },
    onSuccess: () => { setValue({ email: "", current_password: "" }); },
  });
  const fields = change.error instanceof Problem ? change.error.fields : {};
  return (
    <Form noValidate onSubmit={(event) => { event.preventDefault(); change.mutate(); }}>
      <Subheading>E-mail</Subheading>
      <Text>{me.email}</Text>
      {change.isError && Object.keys(fields).length === 0 && <ProblemView error={change.error} />}
      {change.isSuccess && <Text role="status">A letter is on its way to {change.data}. The address is yours here once you follow its link.</Text>}
      <Field label="New e-mail" type="email" autoComplete="email" maxLength={254} value={value.email} onChange={(event) => { setValue({ ...value, email: event.target.value }); }} error={fields["email"]} />
      <Field label="Your password" type="password" autoComplete="current-password" maxLength={128} value={value.current_password} onChange={(event) => { setValue({ ...value, current_password: event.target.value }); }} error={fields["current_password"]} />
      <Row><Button type="submit" busy={change.isPending}>Change e-mail</Button></Row>
    </Form>
  );
}
