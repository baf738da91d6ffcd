import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { attempt } from "@/shared/api/client";
import { Problem, asProblem } from "@/shared/api/problem";
import { type Invitation, type Role, invite, withdraw } from "@/shared/api/tenants";
import { Read } from "@/shared/components/later";
import { ProblemView } from "@/shared/components/problem-view";
import { Box, Button, Choice, Copyable, Field, Form, Heading, Item, List, Notice, Row, Span, Stack, Subheading, Text, Time } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { roles } from "@/shared/tenants/words";
import { invitationsQuery } from "./queries";
import { gives } from "./rules";

/** Who is invited, and inviting. */
export function InvitationsPart({ role }: { role: Role }) {
  const query = useQuery(invitationsQuery);
  return (
    <>
      <Heading>Invitations</Heading>
      <InviteForm role={role} />
      <Read query={query} what="Invitations.">
        {(items) => (
          <Stack gap="3">
            <Subheading>Open</Subheading>
            {items.length === 0 && <Text quiet>Nobody is invited now.</Text>}
            <List aria-label="Open invitations">{items.map((one) => <Item key={one.id} borderTopWidth="1px" borderColor="border" paddingBlock="3"><Open one={one} /></Item>)}</List>
          </Stack>
        )}
      </Read>
    </>
  );
}

/** Where the letter's link leads, for whoever hands it on in its place. */
const linkOf = (code: string) => `${location.origin}/invitation#code=${code}`;

function InviteForm({ role }: { role: Role }) {
  const client = useQueryClient();
  const [email, setEmail] = useState("");
  const [as, setAs] = useState<Role>("member");
  const [key, setKey] = useState(attempt);
  const send = useMutation({
    mutationFn: () => invite(email, as, key),
    onSettled: () => { setKey(attempt()); },
    onSuccess: () => { setEmail(""); return client.invalidateQueries({ queryKey: invitationsQuery.queryKey }); },
  });
  const fields = send.error instanceof Problem ? send.error.fields : {};
  return (
    <Form noValidate onSubmit={(event) => { event.preventDefault(); send.mutate(); }}>
      {send.isError && Object.keys(fields).length === 0 && <ProblemView error={send.error} />}
      {send.isSuccess && <Sent made={send.data} />}
      <Box display="grid" gridTemplateColumns={{ base: "minmax(0, 1fr)", sm: "minmax(0, 1fr) 13rem" }} gap="4" alignItems="start">
        <Field label="E-mail" type="email" autoComplete="off" maxLength={254} value={email} onChange={(event) => { setEmail(event.target.value); }} error={fields["email"]} />
        <Choice label="Role" value={as} onChange={(event) => { setAs(event.target.value as Role); }} options={gives(role).map((one) => [one, roles[one].name] as const)} hint={`${roles[as].name}: ${roles[as].may}.`} error={fields["role"]} />
      </Box>
      <Row><Button type="submit" look="main" busy={send.isPending}>Invite</Button></Row>
      <Text small quiet>Good for seven days, and only for the account of that address. A newer invitation replaces the one before.</Text>
    </Form>
  );
}

function Sent({ made }: { made: Invitation }) {
  if (!made.code) return <Notice tone="good" role="status"><Text>A letter is on its way to {made.email}.</Text></Notice>;
  return (
    <Notice tone="good" role="status">
      <Text>{made.email} is invited. No letters are sent here: hand this link on to them. It is not shown again.</Text>
      <Copyable text={linkOf(made.code)} what="link" />
    </Notice>
  );
}

function Open({ one }: { one: Invitation }) {
  const client = useQueryClient();
  const back = useMutation({
    mutationFn: () => withdraw(one.id),
    onSuccess: () => { say(`The invitation of ${one.email} is taken back.`); return client.invalidateQueries({ queryKey: invitationsQuery.queryKey }); },
    onError: (error) => { say(asProblem(error).message, "bad"); },
  });
  return (
    <Row justifyContent="space-between" gap="3" alignItems="flex-start">
      <Stack gap="0.5" minWidth="0">
        <Span fontWeight="medium" overflowWrap="anywhere">{one.email}</Span>
        <Text small quiet>as {roles[one.role].name.toLowerCase()} · invited <Time at={one.created_at} /> · ends <Time at={one.expires_at} /></Text>
      </Stack>
      <Button aria-label={`Withdraw the invitation of ${one.email}`} busy={back.isPending} onClick={() => { back.mutate(); }}>Withdraw</Button>
    </Row>
  );
}
