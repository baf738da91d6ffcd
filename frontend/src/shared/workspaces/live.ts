import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { create } from "zustand";
import { type Workspace, authorised } from "@/shared/api/client";
import { type ServerEvent, events } from "@/shared/lib/sse";
import { useSession } from "@/shared/session/session";
import { followed, withOne, without } from "./list";
import { useWorkspaces, workspacesQuery } from "./queries";
import { moving } from "./words";

/**
 * Streams at a time. One browser has six connections to a server without HTTP/2, and ordinary calls need some of them;
 * so one tab reads for all, and what has no stream is polled.
 */
const MOST_STREAMS = 3;
const LOCK = "coditect.live";
const PAUSE = 1_000;

type News = { workspace: Workspace } | { gone: string };

/** How the newest news came. */
export const useConnection = create<{ state: "connecting" | "live" | "away"; heardAt: number | null }>(() => ({ state: "connecting", heardAt: null }));

function apply(client: QueryClient, news: News): void {
  client.setQueryData(workspacesQuery.queryKey, (list) => list && ("workspace" in news ? withOne(list, news.workspace) : without(list, news.gone)));
}

const sleep = (ms: number, signal: AbortSignal) => new Promise<void>((done) => {
  const timer = setTimeout(done, ms);
  signal.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
});

/** Why a stream is not begun again. */
type Over = "gone" | "signed_out";

/** What an event means: news, the end for good, or the end for now. */
export function understood(event: ServerEvent, id: string): News | Over | null {
  const data = JSON.parse(event.data) as unknown;
  if (event.event === "workspace") return { workspace: data as Workspace };
  if (event.event !== "end") return null;
  const { reason } = data as { reason?: string };
  if (reason === "deleted") return { gone: id };
  return reason === "signed_out" ? "signed_out" : null;
}

/** Follows one workspace until it is gone, the login is over, or `signal` says so. Reading it wakes nothing. */
async function follow(id: string, tell: (news: News) => void, signal: AbortSignal): Promise<void> {
  let last: string | undefined;
  for (let failures = 0; !signal.aborted;) {
    try {
      const headers: HeadersInit = last ? { "Last-Event-ID": last } : {};
      const response = await authorised(new Request(new URL(`/api/v5/workspaces/${id}/events`, location.origin), { headers, signal }));
      if (response.status === 401) return;
      if (response.status === 404) { tell({ gone: id }); return; }
      if (!response.ok) throw new Error(response.statusText);
      failures = 0;
      useConnection.setState({ state: "live", heardAt: Date.now() });
      for await (const event of events(response)) {
        useConnection.setState({ state: "live", heardAt: Date.now() });
        const news = understood(event, id);
        if (event.id) last = event.id;
        if (news === "signed_out") return;
        if (news && typeof news === "object") tell(news);
        if (news && typeof news === "object" && "gone" in news) return;
      }
    } catch {
      if (signal.aborted) return;
      failures += 1;
      useConnection.setState({ state: "away" });
    }
    // Many tabs and people come back at once after an outage: not all in the same moment.
    await sleep(Math.min(30_000, PAUSE * 2 ** Math.min(failures, 5)) * (0.5 + Math.random()), signal);
  }
}

/** Keeps the list live: by streams in the one tab that reads, by what that one tells in the others. */
export function useLive(focus: readonly string[] = []): void {
  const client = useQueryClient();
  const { data } = useWorkspaces();
  const inside = useSession(({ status }) => status === "in");
  const wanted = data ? followed(data, focus, moving, MOST_STREAMS).sort().join(" ") : "";

  useEffect(() => {
    if (!inside || typeof BroadcastChannel === "undefined") return;
    const channel = new BroadcastChannel(LOCK);
    channel.addEventListener("message", (event: MessageEvent<News>) => {
      useConnection.setState({ state: "live", heardAt: Date.now() });
      apply(client, event.data);
    });
    return () => { channel.close(); };
  }, [client, inside]);

  useEffect(() => {
    if (!inside || !wanted) return;
    const stop = new AbortController();
    const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(LOCK);
    const tell = (news: News) => { apply(client, news); channel?.postMessage(news); };
    const lead = async () => { await Promise.all(wanted.split(" ").map((id) => follow(id, tell, stop.signal))); };
    const locks = navigator.locks as LockManager | undefined;
    void (locks ? locks.request(LOCK, { signal: stop.signal }, lead) : lead()).catch(() => undefined);
    return () => { stop.abort(); channel?.close(); };
  }, [client, inside, wanted]);
}
