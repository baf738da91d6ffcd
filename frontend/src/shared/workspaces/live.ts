import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { create } from "zustand";
import { type Workspace, authorised } from "@/shared/api/client";
import { type ServerEvent, events } from "@/shared/lib/sse";
import { useSession } from "@/shared/session/session";
import { withOne, without } from "./list";
import { useWorkspaces, workspacesQuery } from "./queries";

/** One tab reads for all: a browser has six connections to a server without HTTP/2, and ordinary calls need them. */
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

/** What an event means: news, the end for good, or nothing that need be known. */
export function understood(event: ServerEvent): News | "over" | null {
  const data = JSON.parse(event.data) as unknown;
  if (event.event === "workspace") return { workspace: data as Workspace };
  if (event.event === "gone") return { gone: (data as { id: string }).id };
  if (event.event !== "end") return null;
  // The login is over, or the person belongs to no tenant any more; every other end is one for now.
  return ["signed_out", "deleted"].includes((data as { reason?: string }).reason ?? "") ? "over" : null;
}

/** Whether asking again may help: the server is away or busy, not of another mind. */
const passes = (status: number) => status >= 500 || status === 408 || status === 429;

/** Follows all workspaces until the login is over, or `signal` says so. Reading wakes nothing. */
async function follow(tell: (news: News) => void, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    try {
      const response = await authorised(new Request(new URL("/api/v5/workspaces/events", location.origin), { signal }));
      // What has no stream is polled.
      if (!response.ok && !passes(response.status)) return;
      if (!response.ok) throw new Error(response.statusText);
      failures = 0;
      useConnection.setState({ state: "live", heardAt: Date.now() });
      // A stream begins with every workspace, so that nothing is missed between two.
      for await (const event of events(response)) {
        useConnection.setState({ state: "live", heardAt: Date.now() });
        const news = understood(event);
        if (news === "over") return;
        if (news) tell(news);
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

/** Keeps the list live: by a stream in the one tab that reads, by what that one tells in the others. */
export function useLive(): void {
  const client = useQueryClient();
  // What is told before there is a list would be lost.
  const listed = useWorkspaces().data !== undefined;
  const inside = useSession(({ status }) => status === "in") && listed;
  // Each tenant has its own workspaces: tabs that act in another one hear nothing of these.
  const tenant = useSession((session) => session.tenant);
  const name = tenant === null ? LOCK : `${LOCK}.${tenant}`;

  useEffect(() => {
    if (!inside || typeof BroadcastChannel === "undefined") return;
    const channel = new BroadcastChannel(name);
    channel.addEventListener("message", (event: MessageEvent<News>) => {
      useConnection.setState({ state: "live", heardAt: Date.now() });
      apply(client, event.data);
    });
    return () => { channel.close(); };
  }, [client, inside, name]);

  useEffect(() => {
    if (!inside) return;
    const stop = new AbortController();
    const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(name);
    const tell = (news: News) => { apply(client, news); channel?.postMessage(news); };
    const lead = () => follow(tell, stop.signal);
    const locks = navigator.locks as LockManager | undefined;
    void (locks ? locks.request(name, { signal: stop.signal }, lead) : lead()).catch(() => undefined);
    return () => { stop.abort(); channel?.close(); };
  }, [client, inside, name]);
}
