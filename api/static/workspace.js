// What pages say of a workspace, and how they follow it. The same words everywhere.

/** What a workspace's phase is called. */
export const phases = {
  requested: "asked for", committed: "in Git", synced: "in the cluster", starting: "starting", ready: "ready",
  suspending: "going to sleep", suspended: "asleep", deleting: "being deleted", failed: "cannot run",
};

/** Text of the server as a sentence of its own. */
export function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) || !begun ? begun : `${begun}.`;
}

/** Why it stands still, and what can be done about it. */
export function why({ phase, reason }) {
  if (!reason) return "";
  return `${phase === "failed" ? "It cannot run" : "Its newest change waits"}: ${sentence(reason.detail)} What can be done: ${sentence(reason.remedy)}`;
}

/** Everything of a list that comes in pages; `get` asks for one. */
export async function all(get, path) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(`${path}?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}

/** The events of a streamed answer (not every browser iterates over streams; EventSource sends no token). */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const whole = (rest + read.value).split("\n\n");
    rest = whole.pop();
    for (const text of whole) {
      const { event, id, data } = Object.fromEntries(text.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
      if (event) yield { event, id, data: data ? JSON.parse(data) : null };
    }
  }
}
