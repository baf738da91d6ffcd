import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Me, api, unwrap } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { Read } from "@/shared/components/later";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Copyable, Field, Form, Heading, Link, Row, Span, Text, Time } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { EmailForm } from "./email-form";
import { meQuery, useMe } from "@/shared/workspaces/queries";

export function Profile() {
  return <><Heading>Profile</Heading><Read query={useMe()} what="Your profile.">{(me) => <><ProfileForm me={me} /><EmailForm me={me} /></>}</Read></>;
}

function ProfileForm({ me }: { me: Me }) {
  const client = useQueryClient();
  const [name, setName] = useState(me.display_name);
  const change = useMutation({
    mutationFn: async () => unwrap(await api.PATCH("/api/v5/me", { body: { display_name: name } })),
    onSuccess: (after) => { client.setQueryData(meQuery.queryKey, after); say("Your name is changed."); },
  });
  const fields = change.error instanceof Problem ? change.error.fields : {};
  return (
    <Form noValidate onSubmit={(event) => { event.preventDefault(); change.mutate(); }}>
      {change.isError && !fields["display_name"] && <ProblemView error={change.error} />}
      <Field label="Name" autoComplete="name" maxLength={64} value={name} onChange={(event) => { setName(event.target.value); }} error={fields["display_name"]} />
      <Row flexWrap="wrap" gap="2" fontSize="sm" color="fg.muted"><Span>Account</Span><Copyable text={me.id} what="account id" /></Row>
      <Text small quiet>
        Here since <Time at={me.created_at} />.{me.terms && <> Agreed to the <Link to="/terms">terms</Link> of version {me.terms.version} <Time at={me.terms.at} />.</>}
      </Text>
      <Row><Button type="submit" look="main" busy={change.isPending}>Save</Button></Row>
    </Form>
  );
}
