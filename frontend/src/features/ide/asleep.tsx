import type { Workspace } from "@/shared/api/client";
import { Box, Button, Heading, Notice, Row, Skeleton, Stack, State, Text } from "@/shared/components/ui";
import { useAct } from "@/shared/workspaces/queries";
import { obstacle, phases, standing } from "@/shared/workspaces/words";

/** In the editor's place while there is none. Nothing here wakes but the button. */
export function Asleep({ workspace }: { workspace: Workspace }) {
  const act = useAct();
  const phase = phases[workspace.phase];
  const stopped = obstacle(workspace);
  const off = workspace.power.wanted === "off";
  return (
    <Box position="absolute" inset="0" display="grid" placeItems="center" padding="6">
      <Stack width="min(34rem, 100%)" gap="3" role="status">
        <State tone={phase.tone} icon={phase.icon}>{phase.word}</State>
        <Heading fontSize="xl" overflowWrap="anywhere">{workspace.name}</Heading>
        {stopped && <Notice tone="bad"><Text>{stopped.what}</Text><Text fontWeight="medium">{stopped.now}</Text></Notice>}
        <Text quiet>{standing(workspace) ?? (off ? "Files are kept." : "It opens here by itself as soon as it answers.")}</Text>
        {!off && !stopped && <Skeleton height="1.5" minHeight="1.5" />}
        {off && workspace.phase !== "deleting" && <Row><Button look="main" onClick={() => { act.mutate({ id: workspace.id, act: "start" }); }}>Wake</Button></Row>}
      </Stack>
    </Box>
  );
}
