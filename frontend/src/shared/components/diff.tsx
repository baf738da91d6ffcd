import type { Line } from "@/shared/lib/difference";
import { Block, Box } from "./ui";

const look = { same: { sign: " ", color: "fg.muted", bg: "transparent" }, added: { sign: "+", color: "good", bg: "good.subtle" }, removed: { sign: "−", color: "bad", bg: "bad.subtle" } } as const;

/** A difference: by sign first, by colour too. */
export function Diff({ lines }: { lines: Line[] }) {
  return (
    <Block tabIndex={0} role="group" aria-label="Difference" paddingInline="0" maxHeight="24rem">
      {lines.map(({ kind, text }, at) => <Box key={at} paddingInline="3" color={look[kind].color} bg={look[kind].bg}>{look[kind].sign} {text}</Box>)}
    </Block>
  );
}
