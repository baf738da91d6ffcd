import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api, unwrap } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Field, Form, Heading, Row, Text } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";

const none = { current_password: "", new_password: "" };

export function PasswordPart() {
  const [value, setValue] = useState(none);
  const change = useMutation({
    mutationFn: async () => { unwrap(await api.PUT("/api/v5/me/password", { body: value })); },
    onSuccess: () => { setValue(none); say("Your password is changed. Every other login has ended."); },
  });
  const fields = change.error instanceof Problem ? change.error.fields : {};
  return (
    <>
      <Heading>Password</Heading>
      <Text quiet small>Changing it signs you out everywhere else.</Text>
      <Form noValidate onSubmit={(event) => { event.preventDefault(); change.mutate(); }}>
        {change.isError && Object.keys(fields).length === 0 && <ProblemView error={change.error} />}
        <Field label="Present password" type="password" autoComplete="current-password" maxLength={128} value={value.current_password} onChange={(event) => { setValue({ ...value, current_password: event.target.value }); }} error={fields["current_password"]} />
        <Field label="New password" type="password" autoComplete="new-password" maxLength={128} hint="12 characters or more." value={value.new_password} onChange={(event) => { setValue({ ...value, new_password: event.target.value }); }} error={fields["new_password"]} />
        <Row><Button type="submit" look="main" busy={change.isPending}>Change password</Button></Row>
      </Form>
    </>
  );
}
