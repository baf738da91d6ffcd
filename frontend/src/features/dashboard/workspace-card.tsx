import { useState } from "react";
import type { Workspace } from "@/shared/api/client";
import { Box, Button, ButtonLink, Card, Copyable, Heading, Menu, type MenuEntry, Notice, Row, Span, Stack, State, Text, Time, icons } from "@/shared/components/ui";
import { RoadView } from "@/shared/components/road-view";
import { lasted, sentence, short } from "@/shared/lib/format";
import { type Act, useAct } from "@/shared/workspaces/queries";
import { openAlone } from "@/shared/workspaces/own-tab";
import { road, took } from "@/shared/workspaces/road";
import { awaited, obstacle, phases, standing, told } from "@/shared/workspaces/words";
import { DeleteDialog } from "./delete-dialog";
import { RenameDialog } from "./rename-dialog";

/** A workspace: where it stands, how it came there, and what can be done next. */
export function WorkspaceCard({ workspace, heading = "h2" }: { workspace: Workspace; heading?: "h1" | "h2" }) {
  const [asking, setAsking] = useState<"rename" | "delete" | null>(null);
  const act = useAct();
  const perform = (what: Act) => () => { act.mutate({ id: workspace.id, act: what }); };
  const phase = phases[workspace.phase];
  const steps = road(workspace);
  const whole = steps && took(steps);
  const stopped = obstacle(workspace);
  const text = standing(workspace);
  const asked = awaited(workspace);
  const { name } = workspace;
  const on = workspace.power.wanted === "on";
  const leaving = workspace.phase === "deleting";
  const entries: MenuEntry[] = [
    { label: "Rename", act: () => { setAsking("rename"); } },
    ...(workspace.url && on ? [{ label: "Open in a tab of its own", act: () => { openAlone(workspace.id, new URL(workspace.url ?? "").origin); } }] : []),
    { label: "Delete", danger: true, act: () => { setAsking("delete"); } },
  ];
  return (
    <Card aria-labelledby={`name-${workspace.id}`}>
      <Stack gap="3.5">
        <Row justifyContent="space-between" columnGap="4" rowGap="1" flexWrap="wrap" alignItems="flex-start">
          <Heading as={heading} id={`name-${workspace.id}`} overflowWrap="anywhere" minWidth="0" flex="1 1 12rem">{name}</Heading>
          <Row gap="1.5" flexShrink={0} role="status" aria-label={`${name}: ${phase.word}`}>
            <State tone={phase.tone} icon={phase.icon}>{phase.word}</State>
            <Span quiet fontSize="sm">· {whole !== null && workspace.phase === "ready" ? lasted(whole) : <Time at={workspace.timeline.phase_since ?? workspace.power.since} />}</Span>
          </Row>
        </Row>
        {stopped && <Notice tone={workspace.phase === "failed" ? "bad" : "warn"} role="alert"><Text>{stopped.what}</Text><Text fontWeight="medium">{stopped.now}</Text></Notice>}
        {asked && <Notice tone={asked.declined ? "warn" : "idle"}><Text>{asked.what}</Text><Text fontWeight="medium">{asked.now}</Text></Notice>}
        {workspace.notices.map((notice) => (
          <Notice key={notice.kind} tone={notice.kind === "idle" || notice.kind === "hours" ? "warn" : "idle"} action={notice.kind === "idle" && <Button onClick={perform("keep")} aria-label={`Keep ${name} awake`}>Keep</Button>}>
            {told(notice)}{notice.detail && <Span quiet> {sentence(notice.detail)}</Span>}
          </Notice>
        ))}
        {steps && !(asked && workspace.approval?.first) && <RoadView steps={steps} commit={workspace.commit} />}
        {text && <Text small>{text}</Text>}
        <Row flexWrap="wrap" gap="1.5" fontSize="sm" color="fg.muted">
          {workspace.commit && !steps?.some((step) => step.phase === "committed") && <><Copyable text={workspace.commit} shown={short(workspace.commit)} what="commit" /><Span aria-hidden="true">·</Span></>}
          <Span>{workspace.storage.gib} Gi volume</Span>
          <Span aria-hidden="true">·</Span>
          <Span>created <Time at={workspace.timeline.created_at} /></Span>
        </Row>
        <Row flexWrap="wrap">
          {leaving
            ? workspace.deletes_at && <Button look="main" aria-label={`Restore ${name}`} onClick={perform("restore")}>Restore</Button>
            : <>
                {on
                  ? <>
                      <ButtonLink to={`/ide/${workspace.id}`} look={workspace.phase === "ready" ? "main" : "plain"} aria-label={`Open ${name}`}>Open</ButtonLink>
                      <Button aria-label={`Stop ${name}`} onClick={perform("stop")}>Stop</Button>
                    </>
                  : <Button look="main" aria-label={`Wake ${name}`} onClick={perform("start")}>Wake</Button>}
                <ButtonLink to={`/workspaces/${workspace.id}/manifests`} aria-label={`Manifests of ${name}`}>Manifests</ButtonLink>
                <Menu label={`More for ${name}`} look="quiet" square entries={entries}>{icons.more}</Menu>
              </>}
        </Row>
      </Stack>
      <Box>
        {asking === "rename" && <RenameDialog workspace={workspace} onClose={() => { setAsking(null); }} />}
        {asking === "delete" && <DeleteDialog workspace={workspace} onClose={() => { setAsking(null); }} onMark={perform("delete")} />}
      </Box>
    </Card>
  );
}
