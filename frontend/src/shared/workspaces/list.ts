import type { Workspace } from "@/shared/api/client";

/** The list with `one` in its place, or at its end. */
export function withOne(list: readonly Workspace[], one: Workspace): Workspace[] {
  const known = list.some(({ id }) => id === one.id);
  return known ? list.map((item) => (item.id === one.id ? one : item)) : [...list, one];
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
    timeline: { ...workspace.timeline, began_at: at, phase_since: at, steps: wanted === "on" ? [{ phase: "requested", at, took_ms: 0 }] : [] },
  };
}

/** Which ones to follow by a stream of their own, most urgent first: `focus`, then what moves. At most `most`. */
export function followed(list: readonly Workspace[], focus: readonly string[], isMoving: (workspace: Workspace) => boolean, most: number): string[] {
  const rank = (workspace: Workspace) => (focus.includes(workspace.id) ? 0 : isMoving(workspace) ? 1 : workspace.phase === "ready" ? 2 : 3);
  return [...list].sort((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id)).slice(0, most).map(({ id }) => id);
}
