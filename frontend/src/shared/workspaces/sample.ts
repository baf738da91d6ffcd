import type { Workspace } from "@/shared/api/client";

/** A workspace for tests: ready, one second after its sign-up. */
export function sample(change: Partial<Workspace> = {}): Workspace {
  const at = (ms: number) => new Date(Date.UTC(2026, 10, 21, 14, 3, 0, ms)).toISOString();
  return {
    id: "w1", name: "default", slug: "quiet-otter-7k3fm", plan: "free", phase: "ready", reason: null, notices: [], deletes_at: null,
    url: "https://quiet-otter-7k3fm.ws.test", commit: "3f9c2ab0387550fdab836ed7e6dc881de23001b0", storage: { class: "standard-rwo", gib: 1 },
    power: { wanted: "on", cause: "sign_up", since: at(0) },
    timeline: {
      began_at: at(0), created_at: at(0), requested_at: at(0), committed_at: at(20), phase_since: at(1000), request_to_commit_ms: 20,
      steps: [
        { phase: "requested", at: at(0), took_ms: 0 }, { phase: "committed", at: at(20), took_ms: 20 }, { phase: "synced", at: at(400), took_ms: 380 },
        { phase: "starting", at: at(500), took_ms: 100 }, { phase: "ready", at: at(1000), took_ms: 500 },
      ],
    },
    ...change,
  };
}
