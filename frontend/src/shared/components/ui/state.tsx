import { chakra } from "@chakra-ui/react";
import type { ReactNode } from "react";
import type { Tone } from "@/shared/theme/tokens";
import { type IconName, icons } from "./icons";

const Badge = chakra("span", { base: { display: "inline-flex", alignItems: "center", gap: "1.5", fontSize: "sm", fontWeight: "medium", whiteSpace: "nowrap", "& svg": { flexShrink: 0 } } });

/** A state: a word, a colour and an icon. */
export function State({ tone, icon, children }: { tone: Tone; icon: IconName; children: ReactNode }) {
  return <Badge color={tone}>{icons[icon]}<span>{children}</span></Badge>;
}

const Line = chakra("div", { base: { display: "flex", gap: "2.5", alignItems: "flex-start", borderRadius: "md", paddingInline: "3", paddingBlock: "2.5", fontSize: "sm", "& > svg": { marginTop: "3px", flexShrink: 0 } } });

/** Something that should be known, with what can be done about it. */
export function Notice({ tone, action, children, role }: { tone: Tone; action?: ReactNode; children: ReactNode; role?: "alert" | "status" }) {
  const icon: IconName = tone === "bad" || tone === "warn" ? "failed" : tone === "good" ? "done" : "info";
  return (
    <Line bg={`${tone}.subtle`} color={tone} role={role}>
      {icons[icon]}
      <chakra.div color="fg" flex="1" minWidth="0" display="flex" flexWrap="wrap" gap="2" alignItems="center" justifyContent="space-between">
        <chakra.div minWidth="0" flex="1 1 16rem">{children}</chakra.div>
        {action}
      </chakra.div>
    </Line>
  );
}

const Track = chakra("div", { base: { height: "2", borderRadius: "full", bg: "bg.muted", overflow: "hidden" } });

/** How much of a limit is used, in words and as a bar. `counts`: of what one has, not of what runs out. */
export function Meter({ label, used, limit, text, counts = false }: { label: string; used: number | null; limit: number; text: string; counts?: boolean }) {
  const share = used === null || limit <= 0 ? 0 : Math.min(1, used / limit);
  const tone: Tone = counts ? "accent" : share >= 1 ? "bad" : share >= 0.8 ? "warn" : "accent";
  return (
    <chakra.div display="grid" gap="1.5">
      <chakra.div display="flex" justifyContent="space-between" gap="3" fontSize="sm">
        <span>{label}</span>
        <chakra.span color="fg.muted" fontVariantNumeric="tabular-nums">{text}</chakra.span>
      </chakra.div>
      {used !== null && (
        <Track role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={limit} aria-valuenow={Math.min(used, limit)} aria-valuetext={text}>
          <chakra.div height="100%" bg={tone} style={{ width: `${Math.round(share * 100)}%` }} />
        </Track>
      )}
    </chakra.div>
  );
}

/** Where something will stand. */
export const Skeleton = chakra("div", { base: { bg: "bg.muted", borderRadius: "md", minHeight: "4" } });
