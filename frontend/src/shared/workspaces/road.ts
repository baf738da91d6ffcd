import type { Schemas, Workspace } from "@/shared/api/client";

type Phase = Schemas["PhaseName"];
type RoadPhase = "requested" | "committed" | "synced" | "starting" | "ready";
const ROAD: readonly RoadPhase[] = ["requested", "committed", "synced", "starting", "ready"];
/** A change of power makes no commit: these are all its steps. */
const POWER_ROAD: readonly RoadPhase[] = ["requested", "starting", "ready"];

export interface RoadStep {
  phase: RoadPhase;
  state: "done" | "present" | "failed" | "ahead";
  /** When it was reached. */
  at: string | null;
  /** Milliseconds from the beginning of the road until then. */
  after: number | null;
}

const onRoad = (phase: Phase): phase is RoadPhase => (ROAD as readonly Phase[]).includes(phase);

/** Whether the present road is one of power alone: it began after the newest change was in Git. */
function powerOnly({ timeline }: Workspace): boolean {
  if (timeline.steps.some(({ phase }) => phase === "committed" || phase === "synced")) return false;
  return timeline.committed_at != null && Date.parse(timeline.began_at) > Date.parse(timeline.committed_at);
}

/** The steps from request to ready as they stand, or nothing for a workspace that goes nowhere. */
export function road(workspace: Workspace): RoadStep[] | null {
  const { timeline, phase, power } = workspace;
  if (power.wanted === "off" || phase === "deleting" || phase === "suspended" || phase === "suspending") return null;
  const began = Date.parse(timeline.began_at);
  const reached = new Map(timeline.steps.filter((step) => onRoad(step.phase)).map((step) => [step.phase as RoadPhase, step.at]));
  if (!reached.has("requested")) reached.set("requested", timeline.began_at);
  // What is known of the phase counts although its step was not told.
  if (onRoad(phase) && !reached.has(phase)) reached.set(phase, timeline.phase_since ?? timeline.began_at);
  const names = powerOnly(workspace) ? POWER_ROAD : ROAD;
  const last = names.reduce((found, name, at) => (reached.has(name) ? at : found), 0);
  const arrived = names[last] === "ready";
  return names.map((name, at) => {
    const when = reached.get(name) ?? null;
    const after = when === null ? null : Math.max(0, Date.parse(when) - began);
    if (at < last || (at === last && arrived)) return { phase: name, state: "done", at: when, after };
    if (at === last) return { phase: name, state: phase === "failed" ? "failed" : "present", at: when, after };
    return { phase: name, state: "ahead", at: null, after: null };
  });
}

/** How long each step usually takes at most, in milliseconds, and what is said when it takes longer. */
const PATIENCE: Partial<Record<RoadPhase, [number, string]>> = {
  requested: [5_000, "Waiting for its commit. This takes longer than usual; nothing is lost."],
  committed: [30_000, "It is in Git and waits for the cluster to take it up. This takes longer than usual."],
  synced: [30_000, "The cluster has it and has not started it yet. This takes longer than usual."],
  starting: [60_000, "Its program is starting. This takes longer than usual; the first start fetches its image."],
};

/** A plain sentence when it stands still though nothing is known to be wrong. `now` in milliseconds since 1970. */
export function standstill(steps: RoadStep[], now: number): string | null {
  const present = steps.find(({ state }) => state === "present");
  if (!present?.at) return null;
  const patience = PATIENCE[present.phase];
  return patience && now - Date.parse(present.at) > patience[0] ? patience[1] : null;
}

/** How long the whole road took, in milliseconds; nothing while it goes on. */
export function took(steps: RoadStep[]): number | null {
  const last = steps.at(-1);
  return last?.state === "done" ? last.after : null;
}
