import { type Gap, type Line, inContext } from "@/shared/lib/difference";
import { count } from "@/shared/lib/format";
import { Block, Box } from "./ui";

const look = { same: { sign: " ", color: "fg.muted", bg: "transparent" }, added: { sign: "+", color: "good", bg: "good.subtle" }, removed: { sign: "−", color: "bad", bg: "bad.subtle" } } as const;

/** A difference: by sign first, by colour too. `whole`: with everything that did not change. */
export function Diff({ lines, whole = true, name = "Difference" }: { lines: Line[]; whole?: boolean; name?: string }) {
  const shown: (Line | Gap)[] = whole ? lines : inContext(lines);
  return (
    <Block tabIndex={0} role="group" aria-label={name} paddingInline="0" maxHeight="24rem">
      {/* As wide as its longest line, so that a colour does not end where one scrolls to. */}
      <Box minWidth="max-content">
        {shown.map((one, at) => one.kind === "gap"
          ? <Box key={at} paddingInline="3" color="fg.muted" bg="bg.muted">⋯ {count(one.count, "line")} as before</Box>
          : <Box key={at} paddingInline="3" color={look[one.kind].color} bg={look[one.kind].bg}>{look[one.kind].sign} {one.text}</Box>)}
      </Box>
    </Block>
  );
}
