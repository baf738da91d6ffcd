import { Box, Copyable, Item, Steps, Text, Unseen, icons, useNow } from "./ui";
import { exact, lasted, short } from "@/shared/lib/format";
import { phases } from "@/shared/workspaces/words";
import { type RoadStep, standstill } from "@/shared/workspaces/road";

const tones = { done: "good", present: "accent", failed: "bad", ahead: "fg.muted" } as const;
const said = { done: "done", present: "now", failed: "stands still", ahead: "to come" } as const;

/** The way from request to ready, each step with its time, and a sentence when it stands still. */
export function RoadView({ steps, commit }: { steps: RoadStep[]; commit: string | null | undefined }) {
  const now = useNow(1_000);
  const still = standstill(steps, now);
  return (
    <Box>
      <Steps display={{ base: "grid", sm: "flex" }} gap={{ base: "1.5", sm: "0" }} aria-label="From request to ready">
        {steps.map((step, at) => (
          <Item key={step.phase} flex={at === steps.length - 1 ? "0 0 auto" : "1 1 0"} minWidth="0" display={{ base: "flex", sm: "block" }} gap="2.5" alignItems="center" aria-current={step.state === "present" ? "step" : undefined}>
            <Box display="flex" alignItems="center" color={tones[step.state]} marginBottom={{ base: 0, sm: "1.5" }}>
              {step.state === "failed" ? icons.failed : step.state === "done" ? icons.ready : step.state === "present" ? icons.moving : icons.ahead}
              {at < steps.length - 1 && <Box display={{ base: "none", sm: "block" }} flex="1" height="2px" bg={step.state === "done" ? "good" : "border"} />}
            </Box>
            <Text small color={step.state === "ahead" ? "fg.muted" : "fg"} fontWeight={step.state === "present" ? "semibold" : "normal"}>
              {phases[step.phase].word}
              <Unseen>, {said[step.state]}</Unseen>
            </Text>
            <Text small quiet fontVariantNumeric="tabular-nums" title={step.at ? exact(step.at) : undefined}>
              {step.after !== null ? lasted(step.after) : " "}
            </Text>
            {step.phase === "committed" && commit && step.state !== "ahead" && <Box marginInlineStart="-1px"><Copyable text={commit} shown={short(commit)} what="commit" /></Box>}
          </Item>
        ))}
      </Steps>
      {still && <Text small marginTop="2" role="status">{still}</Text>}
    </Box>
  );
}
