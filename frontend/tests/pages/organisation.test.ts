import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type Visit, closeBrowser, settled, visit } from "./browser";
import { NOW, type World, ago, asleep, member, ok, workspace } from "./world";

const OTHER = { id: "0193a1f0-0000-7000-8000-0000000000c2", name: null, plan: "pro", role: "admin" as const, limits: null };
const ID = "0193a1f0-0000-7000-8000-0000000000e1";
const CODE = `${ID}.${"x".repeat(43)}`;
const invitation = { id: ID, tenant: OTHER.id, name: "Physics, group 4", role: "member" as const, created_at: ago(60), expires_at: ago(-86_400), needs_code: false };

let present: Visit | undefined;
afterEach(async () => { await present?.end(); });
afterAll(closeBrowser);

async function at(path: string, prepare: (world: World) => void): Promise<Visit> {
  present = await visit(prepare);
  await present.page.goto(path);
  await settled(present.page);
  return present;
}

describe("somebody of two organisations", () => {
  it("switches, and sees what is of the other one, in every tab", async () => {
    const { world, page, open } = await at("/dashboard", (one) => { one.workspaces = [workspace("w1")]; one.others = [OTHER]; });
    const second = await open();
    await second.goto("/dashboard");
    await second.getByRole("heading", { name: "default" }).waitFor();
    // Of two tokens the one that ends later is the newer one.
    for (const one of [page, second]) await one.clock.setFixedTime(NOW.getTime() + 1_000);
    world.workspaces = [asleep("w9", { name: "of the team" })];
    await page.getByRole("button", { name: "Organisation 0000c1: switch organisation" }).click();
    await page.getByRole("menuitem", { name: "Organisation 0000c2" }).click();
    for (const one of [page, second]) {
      await one.getByRole("heading", { name: "of the team" }).waitFor();
      await one.getByRole("button", { name: "Organisation 0000c2: switch organisation" }).waitFor();
      expect(await one.getByRole("heading", { name: "default" }).count()).toBe(0);
    }
    expect(world.count(`POST /api/v5/tenants/${OTHER.id}/switch`)).toBe(1);
  });

  it("is not asked to choose where there is one", async () => {
    const { page } = await at("/dashboard", () => undefined);
    expect(await page.getByRole("button", { name: /switch organisation$/ }).count()).toBe(0);
  });
});

describe("an owner", () => {
  it("names the organisation, and finds the name in the menu", async () => {
    const { world, page } = await at("/organisation", (one) => { one.others = [OTHER]; });
    await page.getByRole("button", { name: "Give it a name" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Physics, group 4");
    world.answers["PATCH /api/v5/tenant"] = ok({ ...world.me.tenant, name: "Physics, group 4" });
    world.me.tenant = { ...OTHER, ...world.me.tenant, name: "Physics, group 4" };
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("The organisation is renamed.").waitFor();
    await page.getByRole("button", { name: "Physics, group 4: switch organisation" }).waitFor();
    expect(world.bodies("PATCH /api/v5/tenant")).toEqual([{ name: "Physics, group 4" }]);
    await page.getByRole("button", { name: "Rename" }).click();
    await page.getByLabel("Name", { exact: true }).fill(" ");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(world.bodies("PATCH /api/v5/tenant")).toEqual([{ name: "Physics, group 4" }, { name: null }]);
  });

  it("changes a role, and removes a member after a question", async () => {
    const { world, page } = await at("/organisation", (one) => { one.members = [...one.members, member("m2", "Grace Hopper", "member")]; });
    expect(await page.getByLabel("Role of Ada Lovelace").count()).toBe(0);
    await page.getByText("There must be an owner").waitFor();
    world.answers["PATCH /api/v5/tenant/members/m2"] = ok(member("m2", "Grace Hopper", "admin"));
    world.members = [...world.members.slice(0, 1), member("m2", "Grace Hopper", "admin")];
    await page.getByLabel("Role of Grace Hopper").selectOption("admin");
    await page.getByText("Grace Hopper is admin now.").waitFor();
    expect(world.bodies("PATCH /api/v5/tenant/members/m2")).toEqual([{ role: "admin" }]);
    await page.getByRole("button", { name: "More for Grace Hopper" }).click();
    await page.getByRole("menuitem", { name: "Remove…" }).click();
    expect(world.count("DELETE /api/v5/tenant/members/m2")).toBe(0);
    const gone = member("m2", "Grace Hopper", "admin", { deletes_at: ago(-86_400) });
    world.answers["DELETE /api/v5/tenant/members/m2"] = ok(gone);
    world.members = [...world.members.slice(0, 1), gone];
    await page.getByRole("button", { name: "Remove Grace Hopper" }).click();
    await page.getByRole("heading", { name: "On their way out" }).waitFor();
    world.answers["POST /api/v5/tenant/members/m2/hand-over"] = ok(gone);
    await page.getByRole("button", { name: "More for Grace Hopper" }).click();
    await page.getByRole("menuitem", { name: /^Hand/ }).click();
    await page.getByLabel("Who takes over?").selectOption({ label: "Ada Lovelace, ada@example.com" });
    await page.getByRole("button", { name: "Hand over" }).click();
    await page.getByText("The workspaces are handed over.").waitFor();
    expect(world.bodies("POST /api/v5/tenant/members/m2/hand-over")).toEqual([{ to: "0193a1f0-0000-7000-8000-0000000000b1" }]);
  });

  it("reads what was decided, page by page", async () => {
    const decision = (action: string) => ({ at: ago(60), actor: null, actor_user: null, action, details: { plan: "pro" } });
    const { world, page } = await at("/organisation/decisions", (one) => { one.answers["GET /api/v5/tenant/audit"] = ok({ items: [decision("plan_changed")], next_cursor: "c1" }); });
    await page.getByText("The system chose the pro plan").waitFor();
    world.answers["GET /api/v5/tenant/audit"] = ok({ items: [decision("member_left")], next_cursor: null });
    await page.getByRole("button", { name: "Show older ones" }).click();
    await page.getByText("The system left").waitFor();
    await page.getByText("The system chose the pro plan").waitFor();
    expect(await page.getByRole("button", { name: "Show older ones" }).count()).toBe(0);
  });
});

describe("what somebody left behind", () => {
  it("is woken and deleted by whoever has it now, and is none of their own", async () => {
    const left = asleep("l1", { name: "thesis of Grace" });
    const { world, page } = await at("/dashboard", (one) => {
      one.answers["GET /api/v5/me/left-behind"] = ok({ items: [{ user: "u1", tenant: OTHER.id, workspaces: [left] }], next_cursor: null });
      one.answers["POST /api/v5/workspaces/l1/start"] = ok(left);
      one.answers["DELETE /api/v5/workspaces/l1"] = ok({ ...left, phase: "deleting", deletes_at: ago(-86_400) });
    });
    await page.getByText("No workspace yet").waitFor();
    const started = { ...left, phase: "ready", power: { ...left.power, wanted: "on" } };
    world.answers["GET /api/v5/me/left-behind"] = ok({ items: [{ user: "u1", tenant: OTHER.id, workspaces: [started] }], next_cursor: null });
    await page.getByRole("button", { name: "Wake thesis of Grace" }).click();
    await page.getByRole("button", { name: "Open thesis of Grace in a tab of its own" }).waitFor();
    world.answers["GET /api/v5/me/left-behind"] = ok({ items: [], next_cursor: null });
    await page.getByRole("button", { name: "Delete thesis of Grace" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText("thesis of Grace").first().waitFor({ state: "detached" });
    expect([world.count("POST /api/v5/workspaces/l1/start"), world.count("DELETE /api/v5/workspaces/l1")]).toEqual([1, 1]);
    await page.getByText("No workspace yet").waitFor();
  });
});

describe("an invitation", () => {
  const accepted = `POST /api/v5/me/invitations/${ID}/accept`;

  it("waits while its person signs in, never in a query, and leads into the organisation", async () => {
    const { world, page } = await at(`/invitation#code=${CODE}`, (one) => { one.signedIn = false; one.invited = [invitation]; });
    const addresses: string[] = [];
    page.on("request", (request) => { addresses.push(request.url()); });
    await page.getByRole("link", { name: "Sign in" }).last().click();
    await page.waitForURL(/\/login\?to=/);
    await page.getByLabel("E-mail").fill("ada@example.com");
    await page.getByLabel("Password").fill("correct horse battery");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("heading", { name: "Join Physics, group 4 as member" }).waitFor();
    expect(page.url()).not.toContain("xxxx");
    world.answers[accepted] = { status: 201, body: { tenant: OTHER.id, user: "u9", workspace: "w9" } };
    world.others = [OTHER];
    await page.getByRole("button", { name: "Accept" }).click();
    await page.waitForURL("**/dashboard");
    await page.getByText("You belong to Physics, group 4 now.").waitFor();
    expect(world.bodies(accepted)).toEqual([{ code: CODE }]);
    expect(world.count(`POST /api/v5/tenants/${OTHER.id}/switch`)).toBe(1);
    expect(addresses.filter((one) => one.includes("xxxx"))).toEqual([]);
    expect(await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }))).not.toContain("xxxx");
  });

  it("that is of another address says so, and lets one sign in anew without losing it", async () => {
    const { world, page } = await at(`/invitation#code=${CODE}`, () => undefined);
    await page.getByRole("heading", { name: "This invitation is not open for you" }).waitFor();
    await page.getByText("than ada@example.com").waitFor();
    await page.getByRole("button", { name: "Sign in with another account" }).click();
    await page.waitForURL(/\/login\?to=/);
    world.invited = [invitation];
    await page.getByLabel("E-mail").fill("grace@example.com");
    await page.getByLabel("Password").fill("correct horse battery");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("heading", { name: /^Join/ }).waitFor();
  });

  it("is declined, and gone", async () => {
    const { world, page } = await at("/invitation", (one) => { one.invited = [invitation]; one.answers[`POST /api/v5/me/invitations/${ID}/decline`] = { status: 204, body: null }; });
    world.invited = [];
    await page.getByRole("button", { name: "Decline" }).click();
    await page.getByText("There is no open invitation for your address.").waitFor();
  });
});
