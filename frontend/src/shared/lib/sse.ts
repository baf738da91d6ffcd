/** One event of a stream of server-sent events. */
export interface ServerEvent {
  event: string;
  id: string | undefined;
  data: string;
}

/** Cuts text, however it arrives, into events (WHATWG HTML section 9.2.6). Give it each piece; it keeps what is unfinished. */
export function eventParser(): (piece: string) => ServerEvent[] {
  let rest = "";
  let event = "";
  let id: string | undefined;
  let data: string[] = [];
  return (piece) => {
    rest += piece;
    const found: ServerEvent[] = [];
    // A carriage return at the very end may be half of a line's end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) found.push({ event: event || "message", id, data: data.join("\n") });
        event = "";
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") event = value;
      else if (field === "id") id = value;
      else if (field === "data") data.push(value);
    }
    return found;
  };
}

/** The events of a streamed answer; `EventSource` could send no access token. */
export async function* events(response: Response): AsyncGenerator<ServerEvent> {
  if (!response.body) return;
  const parse = eventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield* parse(read.value);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
