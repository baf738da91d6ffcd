import type { Me, Plan, Schemas, Workspace } from "@/shared/api/client";
import { sample } from "@/shared/workspaces/sample";

/** The time of every page in these tests. */
export const NOW = new Date("2026-11-22T12:00:00Z");
/** Seconds before it, as the API writes a time. */
export const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000).toISOString();

type Answer = { status: number; body: unknown; text?: string };
export type Said = Answer | { stream: (write: (piece: string) => void, end: () => void) => void } | "silence" | "broken";

export const ok = (body: unknown): Answer => ({ status: 200, body });
/** Text as it is, which is no JSON. */
export const plain = (text: string): Answer => ({ status: 200, body: null, text });
export const problem = (status: number, slug: string, detail: string, more: Partial<Schemas["Problem"]> = {}): Answer =>
  ({ status, body: { type: `/problems/${slug}`, title: "It did not work", status, detail, request_id: "0193a1f0-7c1b-7d6e-9f0a-2b5f6f0c9d11", ...more } satisfies Schemas["Problem"] });

const limits = (storage_gib: number, hours_per_month: number, llm_requests_per_month: number, workspaces: number): Schemas["Limits"] =>
  ({ storage_gib, hours_per_month, llm_requests_per_month, workspaces, idle_minutes: 30, cpu_millis: 1000, memory_mib: 2048 });
export const plans: Plan[] = [
  { name: "free", price_cents_per_month: 0, limits: limits(1, 10, 100, 1) },
  { name: "starter", price_cents_per_month: 2900, limits: limits(10, 100, 10_000, 3) },
  { name: "pro", price_cents_per_month: 9900, limits: limits(100, 500, 100_000, 7) },
];

export const someone: Me = {
  id: "0193a1f0-0000-7000-8000-0000000000a1", user_id: "0193a1f0-0000-7000-8000-0000000000b1", email: "ada@example.com", display_name: "Ada Lovelace", created_at: ago(40 * 86_400), deletes_at: null, terms: { version: "2026-11-01", at: ago(40 * 86_400) },
  tenant: { id: "0193a1f0-0000-7000-8000-0000000000c1", name: null, plan: "starter", role: "owner", limits: plans[1]?.limits ?? null },
};

/** A workspace as the API tells of it, made two days ago and woken two minutes ago. */
export function workspace(id: string, change: Partial<Workspace> = {}): Workspace {
  const at = (ms: number) => new Date(NOW.getTime() - 120_000 + ms).toISOString();
  const made = sample();
  const step = (phase: Schemas["PhaseName"], ms: number) => ({ phase, at: at(ms), took_ms: ms });
  return {
    ...made, id, slug: `quiet-otter-${id}`,
    timeline: { ...made.timeline, created_at: ago(2 * 86_400), requested_at: at(0), began_at: at(0), committed_at: at(20), phase_since: at(11_800), steps: [step("requested", 0), step("committed", 20), step("synced", 1_100), step("starting", 4_000), step("ready", 11_800)] },
    ...change,
  };
}

/** The same, `seconds` after its request, which came no further than `phase`. */
export function underway(id: string, phase: "requested" | "committed" | "synced" | "starting", seconds: number, change: Partial<Workspace> = {}): Workspace {
  const names = ["requested", "committed", "synced", "starting"] as const;
  const whole = workspace(id);
  const steps = names.slice(0, names.indexOf(phase) + 1).map((name, at) => ({ phase: name, at: new Date(Date.parse(ago(seconds)) + at * 400).toISOString(), took_ms: 400 }));
  return { ...whole, phase, commit: phase === "requested" ? null : whole.commit ?? null, timeline: { ...whole.timeline, began_at: ago(seconds), committed_at: phase === "requested" ? null : ago(seconds), phase_since: steps.at(-1)?.at ?? null, steps }, ...change };
}

/** The same, asleep. */
export const asleep = (id: string, change: Partial<Workspace> = {}): Workspace => {
  const whole = workspace(id);
  return { ...whole, name: "thesis", phase: "suspended", power: { wanted: "off", cause: "idle", since: ago(86_400) }, timeline: { ...whole.timeline, phase_since: ago(86_400), steps: [] }, ...change };
};

/** Somebody in a tenant. */
export const member = (user: string, name: string, role: Schemas["RoleName"], change: Partial<Schemas["Member"]> = {}): Schemas["Member"] =>
  ({ user, role, display_name: name, email: `${name.split(" ")[0]?.toLowerCase() ?? ""}@example.com`, joined_at: ago(40 * 86_400), you: false, deletes_at: null, asked: false, left_behind: null, ...change });

/** The stream of all workspaces. */
export const EVENTS = "GET /api/v5/workspaces/events";

const token = (account: string, tenant: string | undefined, number: number) => `h.${Buffer.from(JSON.stringify({ sub: account, tid: tenant, number })).toString("base64url")}.s`;

/** Which of them a request was sent with; 0 is none. */
function numberOf(authorization: string): number {
  const claims = authorization.split(".")[1];
  return claims ? (JSON.parse(Buffer.from(claims, "base64url").toString()) as { number: number }).number : 0;
}

/** A stand-in for the API: what it knows, what was asked of it, and what it answers instead where a test says so. */
export class World {
  me: Me = structuredClone(someone);
  workspaces: Workspace[] = [];
  /** Everybody in the tenant. */
  members: Schemas["Member"][] = [member("0193a1f0-0000-7000-8000-0000000000b1", "Ada Lovelace", "owner", { you: true, email: "ada@example.com" })];
  /** Other tenants of the person's. */
  others: NonNullable<Me["tenant"]>[] = [];
  /** Invitations to the person. */
  invited: Schemas["MyInvitation"][] = [];
  signedIn = true;
  /** How long tokens last, in seconds. */
  expiresIn = 300;
  /** Answers in place of its own, by `METHOD path`. */
  answers: Record<string, Said> = {};
  /** Every request, as `METHOD path`. */
  asked: string[] = [];
  /** What was sent along with them. */
  private sent: { request: string; body: string }[] = [];
  /** Requests for workspaces' own pages. */
  visits: string[] = [];
  /** What a workspace's page says of its code; null: nothing that knows us answers there. */
  door: object | null = { type: "coditect:entered", expires_in: 900 };
  workspaceOrigin = "";
  /** Whether the way out of the editor was not shown yet. */
  firstTime = false;
  /** Files of the app that are not there. */
  missing: RegExp | undefined;
  private tokens = 0;
  private expired = 0;
  private streams: { write: (piece: string) => void; end: () => void }[] = [];

  count(request: string): number {
    return this.asked.filter((one) => one === request).length;
  }

  /** What was sent with each request of a kind. */
  bodies(request: string): unknown[] {
    return this.sent.filter((one) => one.request === request).map(({ body }) => JSON.parse(body) as unknown);
  }

  /** Tells the streams what became of a workspace. */
  tell(changed: Workspace): void {
    this.workspaces = this.workspaces.map((one) => (one.id === changed.id ? changed : one));
    for (const { write } of this.streams) write(event(this.shown(changed)));
  }

  /** Ends every stream as a server does that stops. */
  cut(): void {
    for (const { end } of this.streams.splice(0)) end();
  }

  /** No token that was handed out so far is good any more. */
  expire(): void {
    this.expired = this.tokens;
  }

  hear(method: string, path: string, body: string, authorization = ""): Said {
    const request = `${method} ${path}`;
    this.asked.push(request);
    if (body) this.sent.push({ request, body });
    const other = this.answers[request];
    if (other) return other;
    if (request === "GET /api/v5/plans") return ok({ items: plans });
    if (request === "GET /api/v5/auth/providers") return ok({ items: [{ provider: "google", title: "Google", start_url: "/api/v5/auth/google" }, { provider: "github", title: "GitHub", start_url: "/api/v5/auth/github" }] });
    if (request === "POST /api/v5/auth/refresh") return this.signedIn ? this.signIn() : problem(401, "unauthenticated", "nobody is signed in");
    if (request === "POST /api/v5/auth/login") {
      const { password } = JSON.parse(body) as { password: string };
      if (password !== "correct horse battery") return problem(401, "unauthenticated", "e-mail or password is wrong");
      this.signedIn = true;
      return this.signIn();
    }
    if (request === "POST /api/v5/auth/logout") { this.signedIn = false; return { status: 204, body: null }; }
    if (!this.signedIn || numberOf(authorization) <= this.expired) return problem(401, "unauthenticated", "nobody is signed in");
    if (request === "GET /api/v5/me") return ok(this.me);
    if (request === "GET /api/v5/workspaces") return ok({ items: this.workspaces.map((one) => this.shown(one)), next_cursor: null });
    if (request === EVENTS) return { stream: (write, end) => { this.streams.push({ write, end }); for (const one of this.workspaces) write(event(this.shown(one))); } };
    if (request === "GET /api/v5/me/usage") return ok({ hours: 0, llm_requests: 0, storage_bytes: null, resets_at: ago(-9 * 86_400) });
    if (request === "GET /api/v5/me/logins") return ok({ items: [{ id: "1", began_at: ago(9000), used_at: ago(10), agent: "Firefox on Linux", present: true }] });
    if (request === "GET /api/v5/me/connections") return ok({ items: [{ provider: "google", connected_at: null }, { provider: "github", connected_at: null }] });
    if (request === "GET /api/v5/tenants") return ok({ items: this.memberships() });
    const to = /^POST \/api\/v5\/tenants\/([^/]+)\/switch$/.exec(request)?.[1];
    if (to !== undefined) return this.act(to);
    if (request === "GET /api/v5/tenant/members") return ok({ items: this.members, next_cursor: null });
    if (request === "GET /api/v5/me/invitations") return ok({ items: this.invited });
    if (request === "GET /api/v5/me/left-behind") return ok({ items: [], next_cursor: null });
    if (request === "GET /api/v5/me/api-keys") return ok({ items: [] });
    if (request === "POST /api/v5/workspaces") return this.make(body);
    const listed = /^GET \/api\/v5\/workspaces\/([^/]+)\/(files|restores)$/.exec(request)?.[1];
    if (this.workspaces.some(({ id }) => id === listed)) return ok({ items: [], next_cursor: null });
    return this.ofOne(method, path) ?? problem(404, "not-found", "there is nothing at this address");
  }

  private memberships(): Schemas["Membership"][] {
    const all = [...(this.me.tenant ? [{ ...this.me.tenant, present: true }] : []), ...this.others.map((one) => ({ ...one, present: false }))];
    return all.sort((a, b) => a.id.localeCompare(b.id)).map(({ id, name, role, plan, present }) => ({ tenant: id, name: name ?? null, user: `user-of-${id}`, role, plan, joined_at: ago(40 * 86_400), present, deletes_at: null }));
  }

  private act(tenant: string): Answer {
    const found = this.others.find(({ id }) => id === tenant);
    if (!found) return problem(404, "not-found", "there is no tenant of that id");
    this.others = [...this.others.filter((one) => one !== found), ...(this.me.tenant ? [this.me.tenant] : [])];
    this.me = { ...this.me, tenant: found };
    return this.signIn();
  }

  private signIn(): Answer {
    this.tokens += 1;
    return ok({ access_token: token(this.me.id, this.me.tenant?.id, this.tokens), expires_in: this.expiresIn, token_type: "Bearer" });
  }

  private make(body: string): Answer {
    const made = underway(`w${this.workspaces.length + 1}`, "requested", 0, { name: (JSON.parse(body) as { name: string }).name });
    this.workspaces.push(made);
    return { status: 201, body: this.shown(made) };
  }

  private ofOne(method: string, path: string): Said | null {
    const [, id, act = ""] = /^\/api\/v5\/workspaces\/([^/]+)(?:\/(.+))?$/.exec(path) ?? [];
    const one = this.workspaces.find((known) => known.id === id);
    if (!id || !one) return null;
    if (method === "POST" && act === "connect") return this.door === null ? ok({ code: "c", origin: this.workspaceOrigin }) : ok({ code: "one-time", origin: this.workspaceOrigin });
    const became: Record<string, Workspace | undefined> = {
      // The phase is what the cluster said last, before it was asked.
      "POST start": { ...one, power: { wanted: "on", cause: "person", since: ago(0) }, timeline: { ...one.timeline, began_at: ago(0), steps: [] } },
      "POST stop": { ...one, power: { wanted: "off", cause: "person", since: ago(0) }, timeline: { ...one.timeline, began_at: ago(0), steps: [] } },
      "DELETE ": { ...one, phase: "deleting", deletes_at: ago(-7 * 86_400) },
    };
    const after = became[`${method} ${act}`];
    if (!after) return method === "POST" && act === "keep" ? { status: 204, body: null } : null;
    this.workspaces = this.workspaces.map((known) => (known.id === id ? after : known));
    return ok(this.shown(after));
  }

  private shown(one: Workspace): Workspace {
    return { ...one, url: one.url ? `${this.workspaceOrigin}/` : null };
  }
}

const event = (one: Workspace) => `event: workspace\nid: ${Math.random()}\ndata: ${JSON.stringify(one)}\n\n`;
