import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Workspace, api, unwrap } from "@/shared/api/client";
import { asProblem } from "@/shared/api/problem";
import { Button, Card, Heading, Item, List, Mono, Row, Span, Stack, State, Text } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { useMemberships } from "@/shared/tenants/queries";
import { tenantName } from "@/shared/tenants/words";
import { openAlone } from "@/shared/workspaces/own-tab";
import { type Act, perform } from "@/shared/workspaces/queries";
import { obstacle, phases, standing } from "@/shared/workspaces/words";
import { DeleteDialog } from "./delete-dialog";

const key = ["left-to-me"];
/** How often it is asked where something is there, in milliseconds. */
const SOON = 5_000;

/** Workspaces of people who left, that somebody handed over to this person. Nothing where there is none. */
export function LeftToMe() {
  const query = useQuery({
    queryKey: key,
    queryFn: async () => unwrap(await api.GET("/api/v5/me/left-behind", { params: { query: { limit: 100 } } })).items,
    staleTime: 60_000,
    refetchInterval: ({ state }) => ((state.data ?? []).length > 0 ? SOON : false),
  });
  const all = useMemberships().data ?? [];
  const items = (query.data ?? []).filter(({ workspaces }) => workspaces.length > 0);
  if (items.length === 0) return null;
  return (
    <Card aria-labelledby="left-to-me">
      <Stack gap="3">
        <Heading id="left-to-me">Left to you</Heading>
        <Text quiet small>Workspaces of people who left their organisation. Look whether anything is of use, then delete them.</Text>
        <List>
          {items.flatMap(({ user, tenant, workspaces }) => workspaces.map((one) => (
            <Item key={`${user} ${one.id}`} borderTopWidth="1px" borderColor="border" paddingBlock="3"><Left workspace={one} from={tenantName(all.find((member) => member.tenant === tenant) ?? { tenant })} /></Item>
          )))}
        </List>
      </Stack>
    </Card>
  );
}

function Left({ workspace, from }: { workspace: Workspace; from: string }) {
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const again = () => client.invalidateQueries({ queryKey: key });
  const act = useMutation({ mutationFn: (what: Act) => perform(workspace.id, what), onSuccess: again, onError: (error) => { say(asProblem(error).message, "bad"); } });
  const { name, url } = workspace;
  const phase = phases[workspace.phase];
  const on = workspace.power.wanted === "on";
  const stopped = obstacle(workspace);
  return (
    <>
      <Row justifyContent="space-between" flexWrap="wrap" gap="3" alignItems="flex-start">
        <Stack gap="0.5" minWidth="0" flex="1 1 14rem">
          <Row flexWrap="wrap" rowGap="0"><Span fontWeight="medium" overflowWrap="anywhere">{name}</Span><State tone={phase.tone} icon={phase.icon}>{phase.word}</State></Row>
          <Text small quiet>{from} · <Mono>{workspace.slug}</Mono> · {workspace.storage.gib} Gi volume</Text>
          <Text small quiet>{stopped ? `${stopped.what} ${stopped.now}` : standing(workspace)}</Text>
        </Stack>
        <Row flexWrap="wrap">
          {workspace.phase === "deleting"
            ? workspace.deletes_at && <Button aria-label={`Restore ${name}`} busy={act.isPending} onClick={() => { act.mutate("restore"); }}>Restore</Button>
            : (
              <>
                {on && url && workspace.phase === "ready" && <Button look="main" aria-label={`Open ${name} in a tab of its own`} onClick={() => { openAlone(workspace.id, new URL(url).origin); }}>Open</Button>}
                <Button aria-label={`${on ? "Stop" : "Wake"} ${name}`} busy={act.isPending} onClick={() => { act.mutate(on ? "stop" : "start"); }}>{on ? "Stop" : "Wake"}</Button>
                <Button look="quiet" aria-label={`Delete ${name}`} onClick={() => { setAsking(true); }}>Delete</Button>
              </>
            )}
        </Row>
      </Row>
      {asking && <DeleteDialog workspace={workspace} onClose={() => { setAsking(false); void again(); }} onMark={() => { act.mutate("delete"); }} />}
    </>
  );
}
