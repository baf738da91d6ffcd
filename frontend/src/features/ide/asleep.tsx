import type { Workspace } from "@/shared/api/client";
import { Box, Button, Heading, Notice, Row, Stack, State, Text } from "@/shared/components/ui";
import { RoadView } from "@/shared/components/road-view";
import { useAct } from "@/shared/workspaces/queries";
import { road } from "@/shared/workspaces/road";
import { obstacle, phases, standing } from "@/shared/workspaces/words";

/** In the editor's place while there is none. Nothing here wakes but the button. */
export function Asleep({ workspace }: { workspace: Workspace }) {
  const act = useAct();
  const phase = phases[workspace.phase];
  const stopped = obstacle(workspace);
  const steps = road(workspace);
  const off = workspace.power.wanted === "off";
  return (
    <Box position="absolute" inset="0" display="grid" placeItems="center" padding="6">
      <Stack width="min(34rem, 100%)" gap="3">
        <Box role="status"><State tone={phase.tone} icon={phase.icon}>{phase.word}</State></Box>
        <Heading fontSize="xl" overflowWrap="anywhere">{workspace.name}</Heading>
        {stopped && <Notice tone="bad"><Text>{stopped.what}</Text><Text fontWeight="medium">{stopped.now}</Text></Notice>}
        {steps && <RoadView steps={steps} commit={workspace.commit} />}
        {!(stopped && !off) && <Text quiet>{standing(workspace) ?? (off ? "Files are kept." : "It opens here by itself as soon as it answers.")}</Text>}
        {off && workspace.phase !== "deleting" && <Row><Button look="main" onClick={() => { act.mutate({ id: workspace.id, act: "start" }); }}>Wake</Button></Row>}
      </Stack>
    </Box>
  );
}
