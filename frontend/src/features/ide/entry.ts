/**
 * How the frame is entered: its page says `ready`, is handed a one-time code, and says how that went. Pure: what follows
 * from what is said. `docs/adr/0012-the-pods-door.md` has the reasons.
 */
export type Entry =
  /** The frame loads; its page has not spoken. */
  | { state: "loading"; tries: number }
  | { state: "asking" }
  | { state: "handed" }
  /** `renewAt`: when to hand over the next code, milliseconds since 1970. */
  | { state: "in"; renewAt: number }
  | { state: "no-cookie" }
  | { state: "refused"; status: number }
  /** The page never spoke: nothing that knows us answers there. */
  | { state: "silent" }
  /** The API hands out no codes. */
  | { state: "unavailable" }
  | { state: "failed"; error: unknown };

export type Said =
  | { type: "ready" }
  | { type: "entered"; expiresIn: number; now: number }
  | { type: "refused"; status: number }
  | { type: "no-cookie" }
  | { type: "quiet" }
  | { type: "handed" }
  | { type: "unavailable" }
  | { type: "failed"; error: unknown }
  | { type: "again" };

/** How often the frame is loaded before it counts as silent. */
export const MOST_TRIES = 4;
/** How long its page may take to speak, in milliseconds. */
export const PATIENCE = 8_000;
/** How long before the end a new code is handed over, and the least time between two, in milliseconds. */
const BEFORE_END = 60_000;
const LEAST = 10_000;

export const begin: Entry = { state: "loading", tries: 1 };

export function next(entry: Entry, said: Said): Entry {
  switch (said.type) {
    // Whoever is sent back to the door asks again, whatever was before.
    case "ready": return { state: "asking" };
    case "handed": return entry.state === "asking" ? { state: "handed" } : entry;
    case "entered": return { state: "in", renewAt: said.now + Math.max(LEAST, said.expiresIn * 1000 - BEFORE_END) };
    case "refused": return { state: "refused", status: said.status };
    case "no-cookie": return { state: "no-cookie" };
    case "unavailable": return { state: "unavailable" };
    case "failed": return { state: "failed", error: said.error };
    case "quiet": return entry.state !== "loading" ? entry : entry.tries >= MOST_TRIES ? { state: "silent" } : { state: "loading", tries: entry.tries + 1 };
    case "again": return begin;
  }
}

/** What a message of the frame means; nothing if it is no word of ours. Whose it is has been checked before. */
export function heard(data: unknown, now: number): Said | "leave" | null {
  if (typeof data !== "object" || data === null) return null;
  const { type, expires_in: expiresIn, status } = data as Record<string, unknown>;
  switch (type) {
    case "coditect:ready": return { type: "ready" };
    case "coditect:entered": return typeof expiresIn === "number" && expiresIn > 0 ? { type: "entered", expiresIn, now } : null;
    case "coditect:refused": return { type: "refused", status: typeof status === "number" ? status : 0 };
    case "coditect:no-cookie": return { type: "no-cookie" };
    case "coditect:leave": return "leave";
    default: return null;
  }
}
