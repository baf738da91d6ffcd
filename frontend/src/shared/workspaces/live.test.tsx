import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Workspace } from "@/shared/api/client";
import { signedIn, useSession } from "@/shared/session/session";
import { useConnection, useLive } from "./live";
import { workspacesQuery } from "./queries";
import { sample } from "./sample";

interface Stream { say: (event: string, data: unknown) => void; end: () => void }

let streams: Stream[] = [];
let methods: string[] = [];
/** What streams answer instead; the list answers always. */
let instead: (() => Promise<Response>) | null = null;
let list: Workspace[] = [];
let client: QueryClient;

function stream(): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      streams.push({
        say: (event, data) => { controller.enqueue(encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)); },
        end: () => { controller.close(); },
      });
    },
  });
  return new Response(body, { status: 200 });
}

function answer(request: Request): Promise<Response> {
  methods.push(request.method);
  if (!request.url.endsWith("/workspaces/events")) return Promise.resolve(new Response(JSON.stringify({ items: list, next_cursor: null })));
  return instead?.() ?? Promise.resolve(stream());
}

const around = ({ children }: { children: ReactNode }) => <QueryClientProvider client={client}>{children}</QueryClientProvider>;
const shown = () => client.getQueryData(workspacesQuery.queryKey);

async function follow(...all: Workspace[]) {
  list = all;
  renderHook(() => { useLive(); }, { wrapper: around });
  await vi.waitFor(() => { expect([shown()?.length, streams.length]).toEqual([all.length, 1]); });
}

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  vi.stubGlobal("fetch", answer);
  [streams, methods, instead] = [[], [], null];
  client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  useConnection.setState({ state: "connecting", heardAt: null });
  signedIn({ access_token: "h.e30.s", expires_in: 3600 });
});

afterEach(() => {
  vi.useRealTimers();
  useSession.setState({ status: "out", token: null, account: null });
});

describe("following", () => {
  it("shows what the stream tells: news, new ones, and what is gone", async () => {
    await follow(sample({ id: "1" }));
    streams[0]?.say("workspace", sample({ id: "1", name: "thesis" }));
    streams[0]?.say("workspace", sample({ id: "2" }));
    await vi.waitFor(() => { expect(shown()?.map(({ name }) => name)).toEqual(["thesis", "default"]); });
    streams[0]?.say("gone", { id: "1" });
    await vi.waitFor(() => { expect(shown()?.map(({ id }) => id)).toEqual(["2"]); });
    expect(useConnection.getState().state).toBe("live");
  });

  it("comes back where a stream ended, says so meanwhile, and never does more than read", async () => {
    await follow(sample({ phase: "suspended", power: { wanted: "off", cause: "idle", since: "2026-11-21T14:03:00Z" } }));
    await vi.waitFor(() => { expect(useConnection.getState().state).toBe("live"); });
    instead = () => Promise.reject(new TypeError("no network"));
    streams[0]?.end();
    await vi.advanceTimersByTimeAsync(5_000);
    await vi.waitFor(() => { expect(useConnection.getState().state).toBe("away"); });
    instead = () => Promise.resolve(new Response(null, { status: 503 }));
    await vi.advanceTimersByTimeAsync(10_000);
    instead = null;
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.waitFor(() => { expect(streams).toHaveLength(2); });
    expect(useConnection.getState().state).toBe("live");
    expect(new Set(methods)).toEqual(new Set(["GET"]));
  });

  it("ends for good where the login is over", async () => {
    await follow(sample());
    streams[0]?.say("end", { reason: "signed_out" });
    await vi.advanceTimersByTimeAsync(120_000);
    expect(streams).toHaveLength(1);
  });

  it("says nothing of a server that is away where there is merely no stream: the list is polled", async () => {
    instead = () => Promise.resolve(new Response("{}", { status: 404 }));
    list = [sample()];
    renderHook(() => { useLive(); }, { wrapper: around });
    await vi.waitFor(() => { expect(shown()).toHaveLength(1); });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(useConnection.getState().state).toBe("connecting");
  });
});
