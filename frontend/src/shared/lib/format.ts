/** Numbers and times in words. Everything takes its inputs, the present time among them, and reads no clock. */

const units: [Intl.RelativeTimeFormatUnit, number][] = [["year", 31_536_000], ["month", 2_592_000], ["week", 604_800], ["day", 86_400], ["hour", 3_600], ["minute", 60]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const shortWords = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

/** `2 min ago`, `in 3 days`, `just now`. `at` is a time of the API, `now` milliseconds since 1970. */
export function relative(at: string, now: number): string {
  const seconds = (Date.parse(at) - now) / 1000;
  if (Number.isNaN(seconds)) return "at an unknown time";
  for (const [unit, size] of units) if (Math.abs(seconds) >= size) return size < 86_400 ? shortWords.format(Math.trunc(seconds / size), unit).replace(".", "") : words.format(Math.trunc(seconds / size), unit);
  return "just now";
}

/** Day and time to the second, in the reader's own zone. */
export function exact(at: string): string {
  return new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

/** Day and time to the minute. */
export function clock(at: string): string {
  return new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** How long something took: `20 ms`, `1.1 s`, `12 s`, `4 min`, `2.5 h`. */
export function lasted(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 89.5) return `${Math.round(seconds)} s`;
  const minutes = seconds / 60;
  return minutes < 89.5 ? `${Math.round(minutes)} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** A length of minutes as a plan says it: `30 min`, `1 h`, `1 h 30 min`. */
export function minutes(count: number): string {
  const hours = Math.floor(count / 60);
  const rest = count % 60;
  return [hours && `${hours} h`, (rest || !hours) && `${rest} min`].filter(Boolean).join(" ");
}

/** `1,234`, and one digit behind the point where there is one. */
export function number(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: 1 });
}

/** Bytes in binary units: `0.4 Gi` has the unit that plans are sold in. */
export function bytes(value: number): string {
  const names = ["B", "Ki", "Mi", "Gi", "Ti"];
  let size = Math.max(0, value);
  let at = 0;
  while (size >= 1024 && at < names.length - 1) { size /= 1024; at += 1; }
  return `${number(size)} ${names[at] ?? ""}`;
}

/** US cents as dollars; whole ones without cents. */
export function price(cents: number): string {
  return (cents / 100).toLocaleString("en-US", { style: "currency", currency: "USD", minimumFractionDigits: cents % 100 ? 2 : 0 });
}

/** The part of a commit's name that people compare. */
export function short(commit: string): string {
  return commit.slice(0, 7);
}

/** Text of the server as a sentence of its own. */
export function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) || !begun ? begun : `${begun}.`;
}

/** `1 workspace`, `3 workspaces`. */
export function count(many: number, one: string): string {
  return `${number(many)} ${one}${many === 1 ? "" : "s"}`;
}
