import type { Page } from "playwright-core";
import { type World, ago, asleep, member, ok, plain, problem, someone, underway, workspace } from "./world";

/** A page in a certain state. */
export interface Scene {
  name: string;
  path: string;
  /** How the world is; a stranger's if `stranger`. */
  world?: (world: World) => void;
  stranger?: boolean;
  /** What a person does before one looks. */
  act?: (page: Page) => Promise<void>;
  /** It goes on loading: nothing is waited for. */
  unsettled?: boolean;
}

const LONG = "Masterarbeit Wärmeübertragung in porösen";
const one = (world: World) => { world.workspaces = [workspace("w1"), asleep("w2")]; };
const at = (path: string, answer: unknown) => (world: World) => { one(world); world.answers[`GET ${path}`] = ok(answer); };
const press = (name: string | RegExp) => (page: Page) => page.getByRole("button", { name }).first().click();
const submit = async (page: Page, name: string) => { await page.getByRole("button", { name, exact: true }).click(); await page.getByRole("alert").first().waitFor(); };
const broken = problem(500, "internal", "the store did not answer in time");
const yaml = (kind: string, count: number) => `apiVersion: v1\nkind: ${kind}\nmetadata:\n  name: workspace-w1\n${Array.from({ length: count }, (_, line) => `  label-${line}: "a value that stands on line ${line} and is rather long so that the block scrolls sideways"`).join("\n")}\n`;
const usage = { hours: 81.4, llm_requests: 10_000, storage_bytes: 429_496_730, resets_at: ago(-9 * 86_400) };
const change = (commit: string, seconds: number, sentence: string) => ({ commit, at: ago(seconds), sentences: [sentence], diff: "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n kind: PersistentVolumeClaim\n-  storage: 1Gi\n+  storage: 10Gi\n" });
const menu = async (page: Page, entry: string) => { await press("More for default")(page); await page.getByRole("menuitem", { name: entry }).click(); };

const NOTES = "src/chapters/introduction-to-everything/notes.md";
const versions = (world: World) => {
  at("/api/v5/workspaces/w1/files", { items: [{ path: "main.rs", size: 300, changed_at: ago(700), snapshots: 1, deleted: true }, { path: "movie.mp4", size: 3_000_000, changed_at: ago(700), snapshots: 0, deleted: false }, { path: NOTES, size: 2048, changed_at: ago(70), snapshots: 2, deleted: false }], next_cursor: null })(world);
  const path = `/api/v5/workspaces/w1/files/${encodeURIComponent(NOTES)}/snapshots`;
  const texts = { b: ["one", "two", ...Array.from({ length: 12 }, (_, line) => `a line that stays, number ${line}`), "three and a half, and so long that nobody reads it without scrolling to the side, or on a broad screen"], a: ["one", "2", ...Array.from({ length: 12 }, (_, line) => `a line that stays, number ${line}`), "three"] };
  world.answers[`GET ${path}`] = ok({ items: [{ id: "b", at: ago(70), size: 420, sha256: "b".repeat(64) }, { id: "a", at: ago(7000), size: 310, sha256: "a".repeat(64) }] });
  world.answers[`GET ${path}/b`] = plain(texts.b.join("\n"));
  world.answers[`GET ${path}/a`] = plain(texts.a.join("\n"));
};

const door: Scene[] = [
  { name: "landing", path: "/", stranger: true },
  { name: "landing-inside", path: "/" },
  { name: "landing-no-plans", path: "/", stranger: true, world: (world) => { world.answers["GET /api/v5/plans"] = problem(422, "invalid-input", "the plans cannot be read"); } },
  { name: "landing-door", path: "/", stranger: true, act: async (page) => { await press("Start free")(page); await page.getByRole("dialog").waitFor(); } },
  { name: "terms", path: "/terms", stranger: true },
  { name: "privacy", path: "/privacy", stranger: true },
  { name: "login", path: "/login", stranger: true },
  { name: "login-error", path: "/login", stranger: true, act: async (page) => { await page.getByLabel("E-mail").fill("ada@example.com"); await page.getByLabel("Password").fill("no"); await submit(page, "Sign in"); } },
  {
    name: "login-code", path: "/login", stranger: true,
    world: (world) => { world.answers["POST /api/v5/auth/login"] = problem(403, "second-factor-required", "signing in to this account needs a second factor", { challenge: "c.1" }); },
    act: async (page) => { await page.getByLabel("E-mail").fill("ada@example.com"); await page.getByLabel("Password").fill("correct horse battery"); await press("Sign in")(page); await page.getByLabel("Code").waitFor(); },
  },
  { name: "register", path: "/register", stranger: true },
  {
    name: "register-errors", path: "/register", stranger: true,
    world: (world) => { world.answers["POST /api/v5/auth/register"] = problem(422, "invalid-input", "two fields are not acceptable", { errors: [{ field: "email", detail: "must hold an @" }, { field: "password", detail: "must have 12 characters or more" }] }); },
    act: async (page) => { await page.getByRole("checkbox").check(); await page.getByRole("button", { name: "Sign up", exact: true }).click(); await page.getByText("must hold an @").waitFor(); },
  },
  { name: "verify", path: "/verify", stranger: true },
  { name: "verified", path: "/verify#code=one", stranger: true, world: (world) => { world.answers["POST /api/v5/auth/verify-email"] = ok({ done: "sign_up" }); }, act: async (page) => { await page.getByText("Your address is verified").waitFor(); } },
  { name: "verify-failed", path: "/verify#code=old", stranger: true, world: (world) => { world.answers["POST /api/v5/auth/verify-email"] = problem(403, "forbidden", "this link is not valid any more; ask for a new one"); } },
  { name: "identity-problem", path: "/identity#problem=no-account", stranger: true },
  { name: "identity-second-factor", path: "/identity#code=good", stranger: true, world: (world) => { world.answers["POST /api/v5/auth/identity/session"] = problem(403, "second-factor-required", "signing in to this account needs a second factor", { challenge: "c.1" }); } },
  { name: "identity-old", path: "/identity#code=old", stranger: true, world: (world) => { world.answers["POST /api/v5/auth/identity/session"] = problem(403, "sign-in-ended", "this sign-in was not begun in this browser, or is over; begin again"); } },
  { name: "forgot", path: "/forgot", stranger: true },
  { name: "forgot-sent", path: "/forgot", stranger: true, world: (world) => { world.answers["POST /api/v5/auth/forgot-password"] = ok({}); }, act: async (page) => { await page.getByLabel("E-mail").fill("ada@example.com"); await press("Send me a mail")(page); await page.getByRole("status").first().waitFor(); } },
  { name: "forgot-link", path: "/forgot#code=one", stranger: true },
  { name: "not-found", path: "/nowhere", stranger: true },
  { name: "crashed", path: "/terms", stranger: true, world: (world) => { world.missing = /assets.terms/; } },
];

const dashboard: Scene[] = [
  { name: "dashboard", path: "/dashboard", world: at("/api/v5/me/usage", usage) },
  { name: "dashboard-empty", path: "/dashboard" },
  { name: "dashboard-loading", path: "/dashboard", unsettled: true, world: (world) => { world.answers["GET /api/v5/workspaces"] = "silence"; world.answers["GET /api/v5/me"] = "silence"; } },
  { name: "dashboard-session-error", path: "/dashboard", world: (world) => { world.answers["POST /api/v5/auth/refresh"] = problem(503, "unavailable", "the store is not reached"); } },
  { name: "dashboard-error", path: "/dashboard", world: (world) => { for (const path of ["/api/v5/workspaces", "/api/v5/me"]) world.answers[`GET ${path}`] = problem(403, "forbidden", "your membership has ended"); } },
  { name: "dashboard-many", path: "/dashboard", world: (world) => { world.me.tenant = { ...(someone.tenant ?? { id: "", name: null, role: "owner" as const }), plan: "pro", limits: null }; world.workspaces = Array.from({ length: 40 }, (_, i) => (i % 3 ? asleep(`w${i}`, { name: `project ${i}` }) : workspace(`w${i}`, { name: `service ${i}` }))); } },
  { name: "dashboard-none-found", path: "/dashboard", world: (world) => { world.workspaces = Array.from({ length: 8 }, (_, i) => asleep(`w${i}`)); }, act: async (page) => { await page.getByRole("searchbox").fill("nothing like it"); } },
  {
    name: "dashboard-states", path: "/dashboard",
    world: (world) => {
      world.workspaces = [
        underway("w1", "requested", 9, { name: LONG }), underway("w2", "committed", 3, { name: "committed" }), underway("w3", "starting", 90, { name: "starting slowly" }),
        underway("w4", "starting", 30, { name: "failed", phase: "failed", reason: { cause: "volume" as const, detail: "the cluster has no volume of class premium-rwo left", remedy: "an operator has been told; nothing need be done" } }),
        workspace("w5", { name: "about to sleep", notices: [{ kind: "idle", at: ago(60), until: ago(-240), detail: "" }] }),
        workspace("w6", { name: "unknown", notices: [{ kind: "activity_unknown", at: ago(60), detail: "the IDE has said nothing for 90 s" }, { kind: "restart_pending", at: ago(60), detail: "" }] }),
        asleep("w7", { name: "leaving", phase: "deleting", deletes_at: ago(-5 * 86_400) }), asleep("w8", { name: "stopping", phase: "suspending" }),
        asleep("w9", { name: "out of hours", power: { wanted: "off", cause: "hours", since: ago(3600) } }),
      ];
    },
  },
  {
    name: "dashboard-awaits", path: "/dashboard",
    world: (world) => {
      const approval = { change: "0193a1f0-0000-7000-8000-0000000000ee", first: true, reasons: ["the user is new on cell local"], since: ago(600), state: "proposed" as const };
      world.workspaces = [
        underway("w1", "requested", 600, { name: "new", approval }), workspace("w2", { name: "grows", approval: { ...approval, first: false, reasons: ["the plan becomes pro", "the volume of workspace 0193a1f0-0000-7000-8000-0000000000d1 becomes 200 GiB, above 100 GiB"] } }),
        workspace("w3", { name: "declined", approval: { ...approval, first: false, reasons: ["the plan becomes pro"], state: "rejected" as const } }),
      ];
    },
  },
  { name: "dashboard-create", path: "/dashboard", world: one, act: async (page) => { await press("New workspace")(page); await page.getByLabel("Name").fill("thesis"); } },
  { name: "dashboard-create-full", path: "/dashboard", world: (world) => { one(world); world.answers["POST /api/v5/workspaces"] = problem(409, "limit-reached", "your plan has 3 workspaces, and you have 3", { limit: "workspaces" }); }, act: async (page) => { await press("New workspace")(page); await submit(page, "Create"); } },
  { name: "dashboard-menu", path: "/dashboard", world: one, act: press("More for default") },
  { name: "dashboard-user-menu", path: "/dashboard", world: one, act: press(/^Account of/) },
  { name: "dashboard-rename", path: "/dashboard", world: one, act: (page) => menu(page, "Rename") },
  { name: "dashboard-delete", path: "/dashboard", world: one, act: (page) => menu(page, "Delete") },
  { name: "dashboard-delete-now", path: "/dashboard", world: one, act: async (page) => { await menu(page, "Delete"); await press(/Erase at once/)(page); } },
  { name: "dashboard-refused", path: "/dashboard", world: (world) => { one(world); world.answers["POST /api/v5/workspaces/w2/start"] = problem(409, "limit-reached", "the hours of this month are used up"); }, act: async (page) => { await press("Wake thesis")(page); await page.getByText("The hours of this month are used up.").waitFor(); } },
  { name: "dashboard-offline", path: "/dashboard", world: one, act: async (page) => { await page.evaluate(() => { Object.defineProperty(navigator, "onLine", { get: () => false }); dispatchEvent(new Event("offline")); }); } },
  { name: "dashboard-leaving", path: "/dashboard", world: (world) => { one(world); world.me.deletes_at = ago(-6 * 86_400); } },
  {
    name: "dashboard-left-to-me", path: "/dashboard",
    world: at("/api/v5/me/left-behind", { items: [{ user: "u1", tenant: "0193a1f0-0000-7000-8000-0000000000c2", workspaces: [workspace("l1", { name: LONG }), asleep("l2", { power: { wanted: "off", cause: "handed_over", since: ago(86_400) } }), asleep("l3", { phase: "deleting", deletes_at: ago(-5 * 86_400) })] }], next_cursor: null }),
    act: async (page) => { await page.getByRole("heading", { name: "Left to you" }).waitFor(); },
  },
  { name: "dashboard-held", path: "/dashboard", world: (world) => { world.workspaces = [asleep("w1", { power: { wanted: "off", cause: "held", since: ago(7200) } })]; world.me.held_at = ago(7200); } },
  { name: "keys", path: "/dashboard", world: one, act: async (page) => { await page.keyboard.press("?"); } },
  { name: "signed-out-elsewhere", path: "/dashboard", world: one, act: async (page) => { await page.evaluate(() => { new BroadcastChannel("coditect.session").postMessage({ over: true }); }); await page.getByRole("dialog").waitFor(); } },
  { name: "wake", path: "/wake/quiet-otter-w2", world: one },
  { name: "wake-unknown", path: "/wake/loud-otter", world: one },
];

const keys = [
  { id: "1", name: "ci of the thesis, which builds each night", prefix: "coditect_7k3fmA", scopes: ["workspaces:read", "workspaces:write", "files:read"], created_at: ago(90_000), expires_at: ago(-80 * 86_400), used_at: ago(7200) },
  { id: "2", name: "laptop", prefix: "coditect_Qx81Lz", scopes: ["profile:read", "workspaces:read", "sessions:read", "files:read", "tenant:read"], created_at: ago(9_000_000), expires_at: null, used_at: null },
];

const settings: Scene[] = [
  ...["profile", "password", "second-factor", "sign-ins", "api-keys", "connections", "theme", "files", "data", "account"].map((part): Scene => ({ name: `settings-${part}`, path: `/settings/${part}`, world: one })),
  { name: "settings-email-sent", path: "/settings/profile", world: (world) => { one(world); world.answers["PUT /api/v5/me/email"] = ok({}); }, act: async (page) => { await page.getByLabel("New e-mail").fill("ada@example.org"); await press("Change e-mail")(page); await page.getByText("A letter is on its way").waitFor(); } },
  { name: "settings-second-factor-on", path: "/settings/second-factor", world: at("/api/v5/me/second-factor", { enabled: true, recovery_codes_left: 9 }) },
  {
    name: "settings-second-factor-offer", path: "/settings/second-factor",
    world: (world) => { at("/api/v5/me/second-factor", { enabled: false, recovery_codes_left: 0 })(world); world.answers["POST /api/v5/me/second-factor"] = ok({ secret: "MZXW6YTBOI2DGNBVGY3TQOJQGEZDGNBV", uri: "otpauth://totp/Coditect:ada?secret=MZXW6YTBOI2DGNBVGY3TQOJQGEZDGNBV" }); },
    act: async (page) => { await page.getByLabel("Your password").fill("correct horse battery"); await press("Set it up")(page); await page.getByLabel("Code").waitFor(); },
  },
  {
    name: "settings-second-factor-codes", path: "/settings/second-factor",
    world: (world) => {
      at("/api/v5/me/second-factor", { enabled: false, recovery_codes_left: 0 })(world);
      world.answers["POST /api/v5/me/second-factor"] = ok({ secret: "MZXW6YTBOI2DGNBVGY3TQOJQGEZDGNBV", uri: "otpauth://totp/Coditect:ada" });
      world.answers["POST /api/v5/me/second-factor/confirm"] = ok({ recovery_codes: Array.from({ length: 10 }, (_, i) => `MZXW-6YTB-OI2D-GNB${"ABCDEFGHIJ"[i] ?? ""}`) });
    },
    act: async (page) => { await page.getByLabel("Your password").fill("correct horse battery"); await press("Set it up")(page); await page.getByLabel("Code").fill("123456"); await press("Switch it on")(page); await page.getByText("Keep these recovery codes").waitFor(); },
  },
  { name: "settings-sign-ins-list", path: "/settings/sign-ins", world: at("/api/v5/me/logins", { items: [{ id: "1", began_at: ago(9000), used_at: ago(10), agent: "Firefox on Linux", present: true }, { id: "2", began_at: ago(900_000), used_at: ago(86_400), agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", present: false }] }) },
  { name: "settings-api-keys-list", path: "/settings/api-keys", world: at("/api/v5/me/api-keys", { items: keys }) },
  {
    name: "settings-api-keys-new", path: "/settings/api-keys",
    world: (world) => { at("/api/v5/me/api-keys", { items: keys })(world); world.answers["POST /api/v5/me/api-keys"] = problem(422, "invalid-input", "not acceptable", { errors: [{ field: "name", detail: "must have 1 to 64 characters" }, { field: "password", detail: "is needed" }] }); },
    act: async (page) => { await press("New key")(page); await press("Make the key")(page); await page.getByLabel("Your password").waitFor(); },
  },
  {
    name: "settings-api-keys-made", path: "/settings/api-keys",
    world: (world) => { at("/api/v5/me/api-keys", { items: keys })(world); world.answers["POST /api/v5/me/api-keys"] = { status: 201, body: { ...keys[0], secret: "coditect_2fJ8s0dKx9QmWv7yTzR4bN6hLpE3aGcU1iOoYqXwR4bN6h" } }; },
    act: async (page) => { await press("New key")(page); await press("Make the key")(page); await page.getByText("coditect_2f").waitFor(); },
  },
  { name: "settings-api-keys-revoke", path: "/settings/api-keys", world: at("/api/v5/me/api-keys", { items: keys }), act: async (page) => { await press("Revoke ci")(page); await page.getByRole("dialog").waitFor(); } },
  { name: "settings-data-broken", path: "/settings/data", world: (world) => { one(world); world.answers["GET /api/v5/me/export"] = problem(503, "unavailable", "the store is not reached"); }, act: async (page) => { await page.evaluate("delete globalThis.showSaveFilePicker"); await press("Download everything")(page); await page.getByRole("alert").waitFor(); } },
  { name: "settings-connections-list", path: "/settings/connections", world: at("/api/v5/me/connections", { items: [{ provider: "google", connected_at: ago(900_000) }, { provider: "github", connected_at: null }] }) },
  { name: "settings-files-list", path: "/settings/files", world: versions, act: async (page) => { await press(/^2 versions/)(page); await page.getByText("three and a half").waitFor(); } },
  { name: "settings-files-bring-back", path: "/settings/files", world: versions, act: async (page) => { await press(/^2 versions/)(page); await press(/^Bring back/)(page); await page.getByRole("dialog").waitFor(); } },
  {
    name: "settings-files-restores", path: "/settings/files",
    world: (world) => {
      versions(world);
      const one = { id: "1", path: NOTES, snapshot: "a", asked_at: ago(60), state: "waiting" as const, ended_at: null, beside: null };
      world.answers["GET /api/v5/workspaces/w1/restores"] = ok({ items: [one, { ...one, id: "2", state: "done", ended_at: ago(50), beside: "notes.md.before-0193a1f0" }, { ...one, id: "3", state: "not_writable", ended_at: ago(50) }] });
    },
    act: async (page) => { await page.getByText("is being brought back").waitFor(); },
  },
  { name: "settings-account-marked", path: "/settings/account", world: (world) => { one(world); world.me.deletes_at = ago(-6 * 86_400); } },
  { name: "settings-password-wrong", path: "/settings/password", world: (world) => { one(world); world.answers["PUT /api/v5/me/password"] = problem(422, "invalid-input", "not acceptable", { errors: [{ field: "current_password", detail: "is not your password" }] }); }, act: async (page) => { await press("Change password")(page); await page.getByText("This is not your password.").waitFor(); } },
];

const rest: Scene[] = [
  { name: "billing", path: "/billing", world: at("/api/v5/me/usage", usage) },
  { name: "billing-invoices", path: "/billing", world: at("/api/v5/billing/invoices", { items: [{ id: "1", at: ago(86_400), cents: 2900, status: "paid", url: "https://pay.test/1" }, { id: "2", at: ago(31 * 86_400), cents: 2950, status: "open", url: "https://pay.test/2" }] }) },
  { name: "billing-required", path: "/billing", world: (world) => { one(world); world.answers["PUT /api/v5/tenant/plan"] = problem(402, "billing-required", "this plan has to be paid for"); }, act: async (page) => { await press("Choose Pro")(page); await page.getByRole("alert").waitFor(); } },
  { name: "manifests-not-here", path: "/workspaces/w1/manifests", world: one },
  { name: "manifests-gone", path: "/workspaces/w9/manifests", world: one },
  {
    name: "manifests", path: "/workspaces/w1/manifests",
    world: (world) => {
      one(world);
      world.answers["GET /api/v5/workspaces/w1/manifests"] = ok({ commit: world.workspaces[0]?.commit, at: ago(120), path: "shards/07/x.yaml", objects: ["Namespace", "ResourceQuota", "NetworkPolicy", "PersistentVolumeClaim", "StatefulSet", "Service", "Ingress"].map((kind, i) => ({ kind, name: "workspace-0193a1f0-0000-7000-8000-0000000000d1", yaml: yaml(kind, i * 3) })) });
      world.answers["GET /api/v5/workspaces/w1/history"] = ok({ items: [change("3f9c2ab0387550fdab836ed7e6dc881de23001b0", 120, "Storage 1 Gi → 10 Gi; no restart."), change("a1b2c3d0387550fdab836ed7e6dc881de23001b0", 9000, "Workspace default was made.")] });
    },
    act: async (page) => { await page.getByText("PersistentVolumeClaim workspace").click(); await page.getByText("Difference as YAML").first().click(); },
  },
  { name: "manifests-error", path: "/workspaces/w1/manifests", world: (world) => { one(world); world.answers["GET /api/v5/workspaces/w1/manifests"] = problem(403, "forbidden", "this is not yours to read"); world.answers["GET /api/v5/workspaces/w1/history"] = broken; }, unsettled: true },
];

const OTHER = { id: "0193a1f0-0000-7000-8000-0000000000c2", name: "Department of Mathematics", plan: "pro", role: "member" as const, limits: null };
const CODE = `0193a1f0-0000-7000-8000-0000000000e1.${"x".repeat(43)}`;
const invitation = { id: "0193a1f0-0000-7000-8000-0000000000e1", tenant: OTHER.id, name: "Department of Mathematics", role: "admin" as const, created_at: ago(3600), expires_at: ago(-6 * 86_400), needs_code: false };
const team = (world: World) => {
  one(world);
  world.others = [OTHER];
  world.members = [
    ...world.members, member("m2", "Grace Hopper", "admin"), member("m3", LONG, "member", { email: "a.rather.long.address.of.somebody@department.of.mathematics.example.com" }), member("m4", "Alan Turing", "owner"),
    member("m5", "Edsger Dijkstra", "member", { deletes_at: ago(-6 * 86_400) }), member("m6", "Barbara Liskov", "member", { deletes_at: ago(-3 * 86_400), asked: true }),
    member("m7", "Grace Hopper", "member", { left_behind: { since: ago(9 * 86_400), organisation: false } }),
  ];
};
const acts = (page: string[]) => ({ items: page.map((action, i) => ({ at: ago(i * 7000), actor: i % 4 === 3 ? null : someone.id, actor_user: i % 4 < 2 ? someone.user_id : null, action, details: { user: "m2", role: "admin", workspace: "0193a1f0-0000-7000-8000-0000000000d1", provider: "github", api_key: "0193a1f0-0000-7000-8000-0000000000f1", plan: "pro", gib: 10, cause: "idle" } })), next_cursor: "more" });
const audit = acts(["role_changed", "member_invited", "user_looked_at", "workspace_suspended", "workspace_created", "api_key_issued", "user_held", "owner_succeeded", "personal_copy_taken", "plan_changed", "storage_raised"]);
const organisation: Scene[] = [
  { name: "organisation-alone", path: "/organisation", world: one },
  { name: "organisation-members", path: "/organisation/members", world: team },
  { name: "organisation-members-many", path: "/organisation/members", world: (world) => { one(world); world.members = [...world.members, ...Array.from({ length: 40 }, (_, i) => member(`u${i}`, `Person ${i}`, "member"))]; } },
  { name: "organisation-as-member", path: "/organisation/members", world: (world) => { team(world); world.me.tenant = OTHER; world.members = world.members.map((other) => ({ ...other, email: null, role: other.you ? "member" : other.role })); } },
  { name: "organisation-error", path: "/organisation/members", world: (world) => { one(world); world.answers["GET /api/v5/tenant/members"] = problem(403, "forbidden", "your membership has ended"); } },
  { name: "organisation-none", path: "/organisation/members", world: (world) => { one(world); world.me.tenant = null; world.others = [OTHER]; } },
  { name: "organisation-menu", path: "/organisation/members", world: team, act: press("More for Edsger Dijkstra") },
  { name: "organisation-remove", path: "/organisation/members", world: team, act: async (page) => { await press("More for Grace Hopper")(page); await page.getByRole("menuitem", { name: "Remove…" }).click(); } },
  { name: "organisation-hand-over", path: "/organisation/members", world: team, act: async (page) => { await press("More for Edsger Dijkstra")(page); await page.getByRole("menuitem", { name: /^Hand/ }).click(); } },
  { name: "organisation-switcher", path: "/dashboard", world: team, act: press(/switch organisation$/) },
  { name: "organisation-invitations-none", path: "/organisation/invitations", world: at("/api/v5/tenant/invitations", { items: [] }) },
  {
    name: "organisation-invitations", path: "/organisation/invitations",
    world: (world) => {
      at("/api/v5/tenant/invitations", { items: [{ id: "i1", email: "grace@example.com", role: "admin", by: null, created_at: ago(7000), expires_at: ago(-6 * 86_400) }, { id: "i2", email: "a.rather.long.address.of.somebody@department.of.mathematics.example.com", role: "member", by: null, created_at: ago(7000), expires_at: ago(-6 * 86_400) }] })(world);
      world.answers["POST /api/v5/tenant/invitations"] = { status: 201, body: { id: "i3", email: "alan@example.com", role: "member", by: null, created_at: ago(0), expires_at: ago(-7 * 86_400), code: CODE } };
    },
    act: async (page) => { await page.getByLabel("E-mail").fill("alan@example.com"); await page.getByRole("button", { name: "Invite", exact: true }).click(); await page.getByText("is invited").waitFor(); },
  },
  { name: "organisation-invitations-refused", path: "/organisation/invitations", world: (world) => { at("/api/v5/tenant/invitations", { items: [] })(world); world.answers["POST /api/v5/tenant/invitations"] = problem(409, "conflict", "the person of this address is a member"); }, act: (page) => submit(page, "Invite") },
  { name: "organisation-invitations-as-member", path: "/organisation/invitations", world: (world) => { one(world); world.me.tenant = OTHER; } },
  { name: "organisation-decisions", path: "/organisation/decisions", world: (world) => { team(world); world.answers["GET /api/v5/tenant/audit"] = ok(audit); } },
  { name: "organisation-leave-last", path: "/organisation/leave", world: one },
  { name: "organisation-leave", path: "/organisation/leave", world: team, act: async (page) => { await press("Leave…")(page); await page.getByRole("dialog").waitFor(); } },
  { name: "invitation-stranger", path: `/invitation#code=${CODE}`, stranger: true },
  { name: "invitation-cut", path: "/invitation#code=0193a1f0", stranger: true },
  { name: "invitation", path: `/invitation#code=${CODE}`, world: (world) => { one(world); world.invited = [invitation]; } },
  { name: "invitation-needs-code", path: "/invitation", world: (world) => { one(world); world.invited = [{ ...invitation, needs_code: true }]; }, act: async (page) => { await page.getByLabel("Link or code").fill("half of it"); } },
  { name: "invitation-not-open", path: `/invitation#code=${CODE}`, world: one },
  { name: "invitation-none", path: "/invitation", world: one },
  { name: "invitation-refused", path: `/invitation#code=${CODE}`, world: (world) => { one(world); world.invited = [invitation]; world.answers[`POST /api/v5/me/invitations/${invitation.id}/accept`] = problem(409, "conflict", "this account has a user in the tenant"); }, act: (page) => submit(page, "Accept") },
  { name: "dashboard-invited", path: "/dashboard", world: (world) => { one(world); world.invited = [invitation]; } },
];

const seen = (i: number, change: object = {}) => ({ user: `0193a1f0-0000-7000-8000-0000000001${10 + i}`, tenant: OTHER.id, account: someone.id, role: "member", cell: "local", joined_at: ago(9 * 86_400), held_at: null, deletes_at: null, ...change });
const WATCHED = seen(1).user;
const administrator = (change: object = {}) => (world: World) => {
  one(world);
  world.answers["GET /api/v5/admin/users"] = ok({ items: [seen(1, change), seen(2, { held_at: ago(7000) }), seen(3, { deletes_at: ago(-86_400), role: "owner" })], next_cursor: "more" });
  world.answers[`GET /api/v5/admin/users/${WATCHED}/audit`] = ok(audit);
  world.answers["GET /api/v5/admin/audit"] = ok(audit);
  world.answers[`GET /api/v5/admin/users/${WATCHED}`] = ok({ ...seen(1, change), email: "a.rather.long.address.of.somebody@department.of.mathematics.example.com", display_name: LONG, plan: "pro", workspaces: [{ workspace: "w1", slug: "quiet-otter-7k3fm", phase: "ready", power: "on", storage_gib: 10 }, { workspace: "w2", slug: "loud-otter-8k3fm", phase: "suspended", power: "off", storage_gib: 1 }] });
};
const watch = async (page: Page) => { await press("Look at this person")(page); await page.getByText("quiet-otter").waitFor(); };
const admin: Scene[] = [
  { name: "admin-refused", path: "/admin", world: (world) => { one(world); world.answers["GET /api/v5/admin/users"] = problem(403, "forbidden", "only an administrator of this installation may do this"); } },
  { name: "admin-users", path: "/admin", world: administrator() },
  { name: "admin-nobody", path: "/admin", world: (world) => { one(world); world.answers["GET /api/v5/admin/users"] = ok({ items: [], next_cursor: null }); } },
  { name: "admin-not-found", path: "/admin", world: (world) => { administrator()(world); world.answers["GET /api/v5/admin/workspaces"] = ok({ items: [], next_cursor: null }); }, act: async (page) => { await page.getByLabel("Find by").selectOption("slug"); await page.getByLabel("Workspace's host name").fill("nobody-here"); await submit(page, "Find"); } },
  { name: "admin-user", path: `/admin/users/${WATCHED}`, world: administrator() },
  { name: "admin-person", path: `/admin/users/${WATCHED}`, world: administrator(), act: watch },
  { name: "admin-hold", path: `/admin/users/${WATCHED}`, world: administrator(), act: async (page) => { await watch(page); await press("Hold…")(page); await page.getByRole("dialog").waitFor(); } },
  { name: "admin-let-go", path: `/admin/users/${WATCHED}`, world: administrator({ held_at: ago(7000) }), act: async (page) => { await watch(page); await press("Let go…")(page); await page.getByRole("dialog").waitFor(); } },
  {
    name: "admin-approvals", path: "/admin/approvals",
    world: (world) => {
      administrator()(world);
      const change = (number: number, state: string, more: object = {}) => ({ change: `0193a1f0-0000-7000-8000-0000000001${number}0`, cell: "local", tenant: OTHER.id, state, opened_at: ago(9000), changed_at: ago(600 * number), branch: null, url: null, commit: null, users: [{ user: WATCHED, generation: 3, intent_hash: "0f", reasons: ["the plan becomes pro"] }], ...more });
      world.answers["GET /api/v5/admin/approvals"] = ok({ items: [change(1, "proposed", { url: "https://git.example/platform/policy/pull/7" }), change(2, "proposed", { branch: "coditect/approvals/0193a1f0-0000-7000-8000-000000000120" }), change(3, "approved"), change(4, "rejected"), change(5, "overtaken")] });
    },
  },
  { name: "admin-approvals-none", path: "/admin/approvals", world: (world) => { administrator()(world); world.answers["GET /api/v5/admin/approvals"] = ok({ items: [] }); } },
  { name: "admin-decisions", path: "/admin/decisions", world: administrator() },
];

const inside = async (page: Page) => { await page.getByText("connected", { exact: true }).waitFor(); };
const ide: Scene[] = [
  { name: "ide", path: "/ide/w1", world: one, act: inside },
  { name: "ide-many", path: "/ide/w1", world: (world) => { world.workspaces = [workspace("w1", { name: LONG }), ...Array.from({ length: 5 }, (_, i) => asleep(`w${i + 2}`, { name: `project number ${i}` }))]; }, act: async (page) => { await inside(page); for (let i = 0; i < 3; i += 1) { await press("Open another workspace")(page); await page.getByRole("menuitem").first().click(); } } },
  { name: "ide-first", path: "/ide/w1", world: (world) => { one(world); world.firstTime = true; }, act: inside },
  ...["Files", "Chat", "Workspace"].map((part): Scene => ({ name: `ide-${part.toLowerCase()}`, path: "/ide/w1", world: one, act: async (page) => { await inside(page); const tab = page.getByRole("tab", { name: part }); if (await tab.isVisible()) await tab.click(); } })),
  { name: "ide-asleep", path: "/ide/w2", world: one },
  { name: "ide-starting", path: "/ide/w1", world: (world) => { world.workspaces = [underway("w1", "starting", 10)]; } },
  { name: "ide-failed", path: "/ide/w1", world: (world) => { world.workspaces = [underway("w1", "starting", 30, { phase: "failed", reason: { cause: "image" as const, detail: "its image cannot be fetched", remedy: "an operator has been told; nothing need be done" } })]; } },
  { name: "ide-warned", path: "/ide/w1", world: (world) => { world.workspaces = [workspace("w1", { notices: [{ kind: "idle", at: ago(60), until: ago(-240), detail: "" }] })]; }, act: inside },
  { name: "ide-refused", path: "/ide/w1", world: (world) => { one(world); world.door = { type: "coditect:refused", status: 403 }; }, act: async (page) => { await page.getByText("did not let you in").waitFor(); } },
  { name: "ide-no-cookie", path: "/ide/w1", world: (world) => { one(world); world.door = { type: "coditect:no-cookie" }; }, act: async (page) => { await page.getByText("keeps no cookie").waitFor(); } },
  { name: "ide-opening", path: "/ide/w1", unsettled: true, world: (world) => { one(world); world.answers["POST /api/v5/workspaces/w1/connect"] = "silence"; }, act: async (page) => { await page.getByText("Opening default").waitFor(); } },
  { name: "ide-not-here", path: "/ide/w1", world: (world) => { one(world); world.answers["POST /api/v5/workspaces/w1/connect"] = problem(404, "not-found", "there is nothing at this address"); }, act: async (page) => { await page.getByText("cannot be entered here").waitFor(); } },
  { name: "ide-empty", path: "/ide" },
];

export const scenes: Scene[] = [...door, ...dashboard, ...settings, ...rest, ...organisation, ...admin, ...ide];
