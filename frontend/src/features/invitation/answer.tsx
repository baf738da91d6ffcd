import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { asProblem } from "@/shared/api/problem";
import { type MyInvitation, accept, decline, switchTo } from "@/shared/api/tenants";
import { Read } from "@/shared/components/later";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, ButtonLink, Card, Field, Heading, Item, Link, List, Notice, Row, Stack, Text, Time } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { signOut } from "@/shared/session/session";
import { myInvitationsQuery } from "@/shared/tenants/queries";
import { roles, tenantName } from "@/shared/tenants/words";
import { useMe } from "@/shared/workspaces/queries";
import { codeIn, forget, invitationOf } from "./code";

/** The open invitations to the person's address; the one of the letter first. */
export function Answer({ code, onCode, cut }: { code: string | null; onCode: (code: string | null) => void; cut: boolean }) {
  const email = useMe().data?.email;
  const query = useQuery({ ...myInvitationsQuery, staleTime: 0 });
  const meant = code === null ? null : invitationOf(code);
  return (
    <>
      {email && <Text quiet small>You are signed in as {email}.</Text>}
      {cut && <Notice tone="warn" role="alert"><Text>The link is not whole. Open it from the letter again, or copy all of it.</Text></Notice>}
      <Read query={query} what="Invitations.">
        {(items) => {
          const sorted = [...items].sort((one, other) => Number(other.id === meant) - Number(one.id === meant));
          const lost = meant !== null && !items.some(({ id }) => id === meant);
          return (
            <>
              {lost && <NotOpen email={email} />}
              {sorted.map((one) => <One key={one.id} one={one} code={one.id === meant ? code : null} onCode={onCode} />)}
              {!lost && items.length === 0 && (
                <Card><Stack gap="4"><Text>There is no open invitation for your address. Whoever wants to invite you needs {email ?? "the address of your account"}.</Text><Row><ButtonLink to="/dashboard" look="main">Your workspaces</ButtonLink></Row></Stack></Card>
              )}
            </>
          );
        }}
      </Read>
    </>
  );
}

/** The API tells nobody which of these it is: whoever has a link would learn whose it was. */
function NotOpen({ email }: { email: string | undefined }) {
  const navigate = useNavigate();
  const other = () => {
    // The code stays in this tab: it may be the other account's.
    signOut().then(() => { void navigate("/login?to=/invitation"); }, (error: unknown) => { say(asProblem(error).message, "bad"); });
  };
  return (
    <Card aria-labelledby="not-open">
      <Stack gap="4">
        <Heading id="not-open">This invitation is not open for you</Heading>
        <List display="grid" gap="2" fontSize="sm">
          <Item><strong>It was sent to another address{email && ` than ${email}`}.</strong> Sign in with that one, or ask for an invitation of this one.</Item>
          <Item><strong>It is older than seven days, was taken back, or a newer one has replaced it.</strong> Look for a newer letter, or ask for one.</Item>
          <Item><strong>You have answered it already.</strong> If you accepted, you find the organisation in the menu above.</Item>
        </List>
        <Row flexWrap="wrap"><Button onClick={other}>Sign in with another account</Button><ButtonLink to="/dashboard">Your workspaces</ButtonLink></Row>
      </Stack>
    </Card>
  );
}

function One({ one, code, onCode }: { one: MyInvitation; code: string | null; onCode: (code: string | null) => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [typed, setTyped] = useState("");
  const proof = code ?? codeIn(typed);
  const lacking = one.needs_code && proof === null;
  const over = () => { forget(); onCode(null); return client.invalidateQueries({ queryKey: myInvitationsQuery.queryKey }); };
  const join = useMutation({
    mutationFn: async () => {
      const { tenant } = await accept(one.id, proof);
      forget();
      await switchTo(tenant);
    },
    onSuccess: async () => { await navigate("/dashboard"); await client.invalidateQueries(); say(`You belong to ${tenantName(one)} now. Your first workspace there is starting.`); },
  });
  const refuse = useMutation({ mutationFn: () => decline(one.id, proof), onSuccess: async () => { say("The invitation is declined."); await over(); } });
  const error = join.error ?? refuse.error;
  return (
    <Card aria-labelledby={`invitation-${one.id}`}>
      <Stack gap="4">
        <Heading id={`invitation-${one.id}`}>Join {tenantName(one)} as {roles[one.role].name.toLowerCase()}</Heading>
        <Text small>You get a workspace there, which starts at once; your own ones stay as they are. {roles[one.role].name}: {roles[one.role].may}. Owners and admins see your name and address.</Text>
        <Text small quiet>Invited <Time at={one.created_at} />, good until <Time at={one.expires_at} />.</Text>
        {error !== null && <ProblemView error={error} />}
        {one.needs_code && code === null && <Field label="Link or code of the letter" hint="Nobody has verified your address yet. Whoever invited you has the link." autoComplete="off" value={typed} onChange={(event) => { setTyped(event.target.value); }} error={typed !== "" && lacking ? "This is no whole link or code." : undefined} />}
        <Row flexWrap="wrap">
          <Button look="main" disabled={lacking} busy={join.isPending} onClick={() => { join.mutate(); }}>Accept</Button>
          <Button disabled={lacking} busy={refuse.isPending} onClick={() => { refuse.mutate(); }}>Decline</Button>
          <Link to="/dashboard" fontSize="sm">Decide later</Link>
        </Row>
      </Stack>
    </Card>
  );
}
