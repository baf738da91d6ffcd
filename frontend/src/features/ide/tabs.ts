/** Which workspaces are open beside each other, and which of them have a live frame. */
export interface Tabs {
  /** In the order of the tabs. */
  open: readonly string[];
  /** With a frame; the one looked at last comes last. */
  live: readonly string[];
}

/** More frames than this would be more editors than a browser likes to hold. */
export const MOST_LIVE = 3;

/** Looks at `id`: opens its tab if it has none; the frame that was looked at longest ago makes room. */
export function show(tabs: Tabs, id: string): Tabs {
  return {
    open: tabs.open.includes(id) ? tabs.open : [...tabs.open, id],
    live: [...tabs.live.filter((one) => one !== id), id].slice(-MOST_LIVE),
  };
}

/** Closes a tab; `next` is whom to look at then, if it was the one looked at. */
export function close(tabs: Tabs, id: string): { tabs: Tabs; next: string | null } {
  const open = tabs.open.filter((one) => one !== id);
  const live = tabs.live.filter((one) => one !== id);
  return { tabs: { open, live }, next: live.at(-1) ?? open.at(-1) ?? null };
}

/** Without the tabs of workspaces that are gone. */
export function only(tabs: Tabs, known: readonly string[]): Tabs {
  const there = (id: string) => known.includes(id);
  return { open: tabs.open.filter(there), live: tabs.live.filter(there) };
}
