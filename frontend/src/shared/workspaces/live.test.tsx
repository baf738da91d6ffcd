import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Workspace } from "@/shared/api/client";
import { signedIn, useSession } from "@/shared/session/session";
import { useConnection, useLive } from "./live";
import { workspacesQuery } from "./queries";
import { sample } from "./sample";

interface Stream { id: string; last: string | null; say: (event: string, data: unknown, id?: string) => void; end: () => void }

let streams: Stream[] = [];
let methods: string[] = [];
/** What streams answer instead; the list answers always. */
let instead: (() => Promise<Response>) | null = null;
let list: Workspace[] = [];
let client: QueryClient;

function stream(id: string, request: Request): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      streams.push({
        id, last: request.headers.get("Last-Event-ID"),
        say: (event, data, name) => { controller.enqueue(encoder.encode(`event: ${event}\n${name ? `id: ${name}\n` : ""}data: ${JSON.stringify(data)}\n\n`)); },
        end: () => { controller.close(); },
      });
    },
  });
  return new Response(body, { status: 200 });
}

function answer(request: Request): Promise<Response> {
  methods.push(request.method);
  const id = /workspaces\/([^/]+)\/events$/.exec(new URL(request.url).pathname)?.[1];
  if (!id) return Promise.resolve(new Response(JSON.stringify({ items: list, next_cursor: null })));
  return instead?.() ?? Promise.resolve(stream(id, request));
}

const around = ({ children }: { children: ReactNode }) => <QueryClientProvider client={client}>{children}</QueryClientProvider>;
const shown = () => client.getQueryData(workspacesQuery.queryKey);

async function follow(...all: Workspace[]) {
  list = all;
  renderHook(() => { useLive(); }, { wrapper: around });
  await vi.waitFor(() => { expect(streams.length + methods.length).toBeGreaterThan(all.length); });
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
  it("shows what a stream tells", async () => {
    await follow(sample());
    await vi.waitFor(() => { expect(streams).toHaveLength(1); });
    streams[0]?.say("workspace", sample({ name: "thesis" }));
    await vi.waitFor(() => { expect(shown()?.[0]?.name).toBe("thesis"); });
    expect(useConnection.getState().state).toBe("live");
  });

  it("holds three streams at most", async () => {
    await follow(...["1", "2", "3", "4", "5"].map((id) => sample({ id })));
    await vi.waitFor(() => { expect(streams.map(({ id }) => id).sort()).toEqual(["1", "2", "3"]); });
  });

  it("comes back where a stream ended, says so meanwhile, and never does more than read", async () => {
    await follow(sample({ phase: "suspended", power: { wanted: "off", cause: "idle", since: "2026-11-21T14:03:00Z" } }));
    await vi.waitFor(() => { expect(streams).toHaveLength(1); });
    streams[0]?.say("workspace", list[0], "e7");
    await vi.waitFor(() => { expect(useConnection.getState().state).toBe("live"); });
    instead = () => Promise.reject(new TypeError("no network"));
    streams[0]?.end();
    await vi.advanceTimersByTimeAsync(5_000);
    await vi.waitFor(() => { expect(useConnection.getState().state).toBe("away"); });
    instead = null;
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.waitFor(() => { expect(streams).toHaveLength(2); });
    expect(streams[1]?.last).toBe("e7");
    expect(useConnection.getState().state).toBe("live");
    expect(new Set(methods)).toEqual(new Set(["GET"]));
  });

  it("ends for good where the workspace is gone or the login is over", async () => {
    await follow(sample({ id: "1" }), sample({ id: "2" }));
    await vi.waitFor(() => { expect(streams).toHaveLength(2); });
    list = [sample({ id: "2" })];
    streams.find(({ id }) => id === "1")?.say("end", { reason: "deleted" });
    await vi.waitFor(() => { expect(shown()?.map(({ id }) => id)).toEqual(["2"]); });
    await vi.waitFor(() => { expect(streams).toHaveLength(3); });
    streams[2]?.say("end", { reason: "signed_out" });
    await vi.advanceTimersByTimeAsync(120_000);
    expect(streams.map(({ id }) => id).sort()).toEqual(["1", "2", "2"]);
  });
});
