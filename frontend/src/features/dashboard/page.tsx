import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button, ButtonLink, Empty, Grid, Input, Main, Notice, Row, Skeleton, Stack, Text, Title, icons } from "@/shared/components/ui";
import { ProblemView } from "@/shared/components/problem-view";
import { UsageCard } from "@/shared/components/usage-card";
import { clock } from "@/shared/lib/format";
import { myInvitationsQuery } from "@/shared/tenants/queries";
import { useLive } from "@/shared/workspaces/live";
import { useMe, useWorkspaces } from "@/shared/workspaces/queries";
import { CreateDialog } from "./create-dialog";
import { LeftToMe } from "./left-to-me";
import { WorkspaceCard } from "./workspace-card";

/** From how many on a search helps. */
const MANY = 6;

export function Page() {
  useLive();
  const query = useWorkspaces();
  const me = useMe().data;
  const invited = useQuery(myInvitationsQuery).data?.length ?? 0;
  const [creating, setCreating] = useState(false);
  const [wanted, setWanted] = useState("");
  const all = query.data ?? [];
  const shown = all.filter(({ name, slug }) => `${name} ${slug}`.toLowerCase().includes(wanted.trim().toLowerCase()));
  const add = <Button look={all.length ? "plain" : "main"} onClick={() => { setCreating(true); }}>{icons.plus}New workspace</Button>;
  return (
    <Main>
      <Row justifyContent="space-between" flexWrap="wrap" gap="3" marginBottom="5">
        <Title>Dashboard</Title>
        <Row flexWrap="wrap" maxWidth="100%">
          {all.length >= MANY && <Input data-search type="search" aria-label="Search workspaces" placeholder="Search  /" width="auto" flex="1 1 11rem" minHeight="9" value={wanted} onChange={(event) => { setWanted(event.target.value); }} />}
          {query.isSuccess && all.length > 0 && add}
        </Row>
      </Row>
      {me?.deletes_at && <Row marginBottom="4"><Notice tone="warn" role="alert" action={<ButtonLink to="/settings/account">Settings</ButtonLink>}>Your account is deleted on {clock(me.deletes_at)} with everything in it. Until then you can restore it.</Notice></Row>}
      {me?.held_at && <Row marginBottom="4"><Notice tone="bad" role="alert">The people who run this installation have held your membership since {clock(me.held_at)}: nothing of it runs until they let it go. Your files are kept, and you can still take your data with you. Ask them why.</Notice></Row>}
      {invited > 0 && <Row marginBottom="4"><Notice tone="accent" action={<ButtonLink to="/invitation">See it</ButtonLink>}>{invited === 1 ? "You are invited to another organisation." : `You are invited to ${invited} other organisations.`}</Notice></Row>}
      <Grid gridTemplateColumns={{ base: "minmax(0, 1fr)", lg: "minmax(0, 1fr) 320px" }} gap="5" alignItems="start">
        <Stack gap="4" aria-busy={query.isPending}>
          {query.isPending && <><Skeleton height="44" /><Skeleton height="44" /></>}
          {query.isError && !query.data && <ProblemView error={query.error} again={() => { void query.refetch(); }} />}
          {query.isSuccess && all.length === 0 && <Empty title="No workspace yet" text="A workspace is an editor with a terminal and a volume of its own. It takes some seconds to start, and every object it is made of stands in Git." action={add} />}
          {all.length > 0 && shown.length === 0 && <Text quiet role="status">No workspace is called like that.</Text>}
          {shown.map((workspace) => <WorkspaceCard key={workspace.id} workspace={workspace} />)}
          <LeftToMe />
        </Stack>
        <UsageCard workspaces={all} />
      </Grid>
      {creating && <CreateDialog onClose={() => { setCreating(false); }} />}
    </Main>
  );
}
