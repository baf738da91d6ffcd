import { afterAll, afterEach, expect, it } from "vitest";
import { type Visit, closeBrowser, settled, visit } from "./browser";
import { type World, ago, ok, problem } from "./world";

const USER = "0193a1f0-0000-7000-8000-000000000111";
const seen = { user: USER, tenant: "0193a1f0-0000-7000-8000-0000000000c2", account: "0193a1f0-0000-7000-8000-0000000000a9", role: "member", cell: "local", joined_at: ago(9000), held_at: null as string | null, deletes_at: null };
const person = { ...seen, email: "grace@example.com", display_name: "Grace Hopper", plan: "pro", workspaces: [] };
const LOOK = `GET /api/v5/admin/users/${USER}`;

let present: Visit | undefined;
afterEach(async () => { await present?.end(); });
afterAll(closeBrowser);

async function at(path: string, prepare: (world: World) => void = () => undefined): Promise<Visit> {
  present = await visit((world) => {
    world.answers["GET /api/v5/admin/users"] = ok({ items: [seen], next_cursor: null });
    world.answers[`${LOOK}/audit`] = ok({ items: [], next_cursor: null });
    world.answers[LOOK] = ok(person);
    prepare(world);
  });
  await present.page.goto(path);
  await settled(present.page);
  return present;
}

it("an administrator sees ids, looks at a person once and knowingly, holds them and lets them go", async () => {
  const { world, page } = await at("/admin");
  await page.getByRole("link", { name: "Open user 000111" }).click();
  await page.getByText("That you look is recorded").waitFor();
  await page.getByText("Nothing was decided by or about this user.").waitFor();
  expect(world.count(LOOK)).toBe(0);
  await page.getByRole("button", { name: "Look at this person" }).click();
  await page.getByText("grace@example.com").waitFor();
  await page.evaluate(() => { for (const one of ["focus", "online", "visibilitychange"]) dispatchEvent(new Event(one)); });
  await page.getByRole("button", { name: "Hold…" }).click();
  expect(world.count(`POST /api/v5/admin/users/${USER}/hold`)).toBe(0);
  world.answers[`POST /api/v5/admin/users/${USER}/hold`] = ok({ ...person, held_at: ago(0) });
  await page.getByRole("button", { name: "Hold", exact: true }).click();
  await page.getByText("Grace Hopper is held.").waitFor();
  world.answers[`POST /api/v5/admin/users/${USER}/let-go`] = ok(person);
  await page.getByRole("button", { name: "Let go…" }).click();
  await page.getByRole("button", { name: "Let go", exact: true }).click();
  await page.getByText("Grace Hopper is let go.").waitFor();
  expect(world.count(LOOK)).toBe(1);
});

it("a search leaves nothing in the page's address, and finds by a workspace's host name", async () => {
  const { world, page } = await at("/admin", (one) => { one.answers["GET /api/v5/admin/workspaces"] = ok({ items: [{ workspace: "w1", user: USER, tenant: seen.tenant, cell: "local" }], next_cursor: null }); });
  world.answers["GET /api/v5/admin/users"] = ok({ items: [], next_cursor: null });
  await page.getByRole("searchbox", { name: "E-mail" }).fill("nobody@example.com");
  await page.keyboard.press("Enter");
  await page.getByText("Nobody is found.").waitFor();
  expect(new URL(page.url()).search).toBe("");
  await page.getByLabel("Find by").selectOption("slug");
  await page.getByLabel("Workspace's host name").fill("https://quiet-otter-7k3fm.ws.test/");
  await page.getByRole("button", { name: "Find" }).click();
  await page.waitForURL(`**/admin/users/${USER}`);
});

it("whoever is none gets words, and no entry in the menu; whoever is one finds it there", async () => {
  const { world, page } = await at("/admin", (one) => { one.answers["GET /api/v5/admin/users"] = problem(403, "forbidden", "only an administrator may do this"); });
  await page.getByText("Only administrators of this installation").waitFor();
  const entries = async () => {
    await page.goto("/dashboard");
    await page.getByRole("button", { name: /^Account of/ }).click();
    return page.getByRole("menuitem", { name: "Administration" }).count();
  };
  expect(await entries()).toBe(0);
  world.answers["GET /api/v5/admin/users"] = ok({ items: [seen], next_cursor: null });
  await page.goto("/admin");
  await page.getByRole("list", { name: "Users" }).waitFor();
  expect(await entries()).toBe(1);
});
