import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Decisions } from "@/shared/components/decisions";
import { planName } from "@/shared/components/plans";
import { ProblemView } from "@/shared/components/problem-view";
import { Box, Button, Card, Copyable, Heading, Item, Link, List, Mono, Row, Span, Stack, State, Subheading, Text, Time } from "@/shared/components/ui";
import { roles } from "@/shared/tenants/words";
import { phases } from "@/shared/workspaces/words";
import { type SeenPerson, look, timeLine } from "./calls";
import { HoldDialog } from "./hold-dialog";
import { Marks } from "./users";

/** A user: what was decided about it; its person only once somebody wants to see it. */
export function OneUser({ id }: { id: string }) {
  const client = useQueryClient();
  const [seen, setSeen] = useState<SeenPerson | null>(null);
  const lines = useInfiniteQuery({ queryKey: ["admin", "time-line", id], queryFn: ({ pageParam }) => timeLine(id, pageParam), initialPageParam: null as string | null, getNextPageParam: (page) => page.next_cursor ?? null });
  const shown = (person: SeenPerson) => { setSeen(person); return client.invalidateQueries({ queryKey: ["admin"] }); };
  // Not a query: none is asked again by itself, and each look is recorded.
  const open = useMutation({ mutationFn: () => look(id), onSuccess: shown });
  return (
    <>
      <Text small><Link to="/admin">All users</Link></Text>
      <Stack gap="0.5"><Heading>User</Heading><Copyable text={id} what="user's id" /></Stack>
      {open.isError && <ProblemView error={open.error} />}
      {seen
        ? <Person seen={seen} onChanged={shown} />
        : (
          <Card aria-labelledby="person">
            <Stack gap="3">
              <Subheading id="person">Who this is</Subheading>
              <Text small>Name, address and workspaces are not shown yet. That you look is recorded: the owners and admins of this person's organisation see it among its decisions.</Text>
              <Row><Button busy={open.isPending} onClick={() => { open.mutate(); }}>Look at this person</Button></Row>
            </Stack>
          </Card>
        )}
      <Stack gap="3">
        <Subheading>Time line</Subheading>
        <Decisions query={lines} none="Nothing was decided by or about this user." name={(user) => (user === id ? "this user" : `user ${user.slice(-6)}`)} />
      </Stack>
    </>
  );
}

function Person({ seen, onChanged }: { seen: SeenPerson; onChanged: (seen: SeenPerson) => unknown }) {
  const [asking, setAsking] = useState(false);
  const held = Boolean(seen.held_at);
  return (
    <Card aria-labelledby="person">
      <Stack gap="4">
        <Row justifyContent="space-between" flexWrap="wrap" alignItems="flex-start" gap="3">
          <Stack gap="0.5" minWidth="0">
            <Subheading id="person" overflowWrap="anywhere">{seen.display_name ?? "The account is gone"}</Subheading>
            {seen.email && <Text small overflowWrap="anywhere">{seen.email}</Text>}
            <Text small quiet>{roles[seen.role].name}{seen.plan && ` · ${planName(seen.plan)} plan`} · cell {seen.cell} · joined <Time at={seen.joined_at} /></Text>
            <Marks one={seen} />
          </Stack>
          <Button look={held ? "main" : "danger"} onClick={() => { setAsking(true); }}>{held ? "Let go…" : "Hold…"}</Button>
        </Row>
        <Box display="grid" gap="1" fontSize="sm">
          <Row flexWrap="wrap"><Span quiet>Organisation</Span><Copyable text={seen.tenant} what="organisation's id" /></Row>
          <Row flexWrap="wrap"><Span quiet>Account</Span><Copyable text={seen.account} what="account's id" /></Row>
        </Box>
        <Stack gap="2">
          <Subheading as="h4">Workspaces</Subheading>
          {seen.workspaces.length === 0 && <Text small quiet>None.</Text>}
          <List display="grid" gap="2">
            {seen.workspaces.map((one) => {
              const phase = phases[one.phase];
              return <Item key={one.workspace}><Row justifyContent="space-between" flexWrap="wrap"><Mono title={one.workspace}>{one.slug}</Mono><Row gap="3" fontSize="sm"><Span quiet>{one.storage_gib} Gi</Span><State tone={phase.tone} icon={phase.icon}>{phase.word}</State></Row></Row></Item>;
            })}
          </List>
        </Stack>
      </Stack>
      {asking && <HoldDialog seen={seen} onClose={() => { setAsking(false); }} onDone={onChanged} />}
    </Card>
  );
}
