export type Command = "dashboard" | "settings" | "billing" | "organisation" | "search" | "help";

const after: Record<string, Command> = { d: "dashboard", s: "settings", b: "billing", o: "organisation" };
const alone: Record<string, Command> = { "/": "search", "?": "help" };
/** How long a `g` waits for its second key, in milliseconds. */
const PATIENCE = 1_000;

/** Understands keys one after the other; gives the command that one completes. Times in milliseconds. */
export function keys(): (key: string, at: number) => Command | null {
  let begun: number | null = null;
  return (key, at) => {
    const second = begun !== null && at - begun <= PATIENCE;
    begun = null;
    if (second && after[key]) return after[key];
    if (key === "g") begun = at;
    return alone[key] ?? null;
  };
}
