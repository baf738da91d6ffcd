import type { Workspace } from "@/shared/api/client";
import { useOnline } from "@/shared/components/offline-bar";
import { Box, Button, Key, Row, Span, State, useNow } from "@/shared/components/ui";
import { minutes, relative } from "@/shared/lib/format";
import { useConnection } from "@/shared/workspaces/live";
import { useAct, useMe } from "@/shared/workspaces/queries";
import type { Entry } from "./entry";

/** Connection, when it sleeps, and the way out. */
export function StatusBar({ workspace, entry }: { workspace: Workspace; entry: Entry | null }) {
  const online = useOnline();
  const connection = useConnection();
  const idle = useMe().data?.tenant?.limits?.idle_minutes;
  const now = useNow(15_000);
  const act = useAct();
  const warning = workspace.notices.find(({ kind }) => kind === "idle" || kind === "hours");
  const well = online && connection.state !== "away";
  const inside = entry?.state === "in";
  return (
    <Row as="footer" borderTopWidth="1px" borderColor="border" paddingInline="3" minHeight="8" fontSize="sm" gap="3" flexWrap="wrap" justifyContent="space-between">
      <Row gap="3" role="status" flexWrap="wrap">
        <State tone={!well ? "warn" : inside ? "good" : "idle"} icon={!well ? "offline" : inside ? "ready" : "ahead"}>{!online ? "offline" : connection.state === "away" ? "server does not answer" : inside ? "connected" : "not in the editor"}</State>
        {connection.heardAt !== null && <Span quiet display={{ base: "none", md: "inline" }}>updated {relative(new Date(connection.heardAt).toISOString(), now)}</Span>}
        {warning?.until
          ? <Row gap="2"><State tone="warn" icon="failed">sleeps {relative(warning.until, now)}</State>{warning.kind === "idle" && <Button minHeight="6" onClick={() => { act.mutate({ id: workspace.id, act: "keep" }); }}>Keep</Button>}</Row>
          : idle !== undefined && workspace.power.wanted === "on" && <Span quiet>stops after {minutes(idle)} idle</Span>}
      </Row>
      <Box color="fg.muted" display={{ base: "none", md: "block" }}><Key>Esc</Key> <Key>Esc</Key> leave the editor</Box>
    </Row>
  );
}
