import type { Workspace } from "@/shared/api/client";

const time = (at: string) => Date.parse(at);

/**
 * As it stands with what was asked for since: what the cluster said last may be older, and a workspace that was just
 * woken is on its way, not suspended.
 */
export function underWay(workspace: Workspace): Workspace {
  const { phase, power, timeline } = workspace;
  if (timeline.phase_since && time(timeline.phase_since) >= time(power.since)) return workspace;
  if (power.wanted === "on") return phase === "suspended" || phase === "suspending" ? { ...workspace, phase: "requested" } : workspace;
  return phase === "suspended" || phase === "deleting" ? workspace : { ...workspace, phase: "suspending" };
}

/** Answers and streams overtake each other: what is told of a workspace may be older than what is known of it. */
function newer(known: Workspace, news: Workspace): Workspace {
  // What was only expected yields to everything.
  if (!known.timeline.phase_since) return news;
  const asked = time(news.power.since) - time(known.power.since);
  if (asked !== 0) return asked > 0 ? news : known;
  return news.timeline.phase_since && time(news.timeline.phase_since) < time(known.timeline.phase_since) ? known : news;
}

/** The list with `one` in its place if it is no older than what is there, or at its end. */
export function withOne(list: readonly Workspace[], one: Workspace): Workspace[] {
  const known = list.some(({ id }) => id === one.id);
  return known ? list.map((item) => (item.id === one.id ? newer(item, underWay(one)) : item)) : [...list, underWay(one)];
}

/** The list with `one` as it is to be shown until the API says more. */
export function withExpected(list: readonly Workspace[], one: Workspace): Workspace[] {
  return list.map((item) => (item.id === one.id ? one : item));
}

export function without(list: readonly Workspace[], id: string): Workspace[] {
  return list.filter((item) => item.id !== id);
}

/** What a click is about to make of it, shown at once and corrected by what the API says. */
export function expected(workspace: Workspace, wanted: "on" | "off", at: string): Workspace {
  const phase = wanted === "on" ? "requested" as const : workspace.phase === "suspended" ? "suspended" as const : "suspending" as const;
  return {
    ...workspace,
    phase,
    reason: null,
    power: { wanted, cause: "person", since: at },
    timeline: { ...workspace.timeline, began_at: at, phase_since: null, steps: wanted === "on" ? [{ phase: "requested", at, took_ms: 0 }] : [] },
  };
}
