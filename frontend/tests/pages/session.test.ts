import type { Page } from "playwright-core";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type Visit, closeBrowser, settled, visit } from "./browser";
import { EVENTS, NOW, type World, asleep, problem, underway, workspace } from "./world";

const REFRESH = "POST /api/v5/auth/refresh";
let present: Visit | undefined;
afterEach(async () => { await present?.end(); });
afterAll(closeBrowser);

async function begun(prepare: (world: World) => void = () => undefined): Promise<Visit> {
  present = await visit((world) => { world.workspaces = [workspace("w1"), asleep("w2")]; prepare(world); });
  return present;
}

/** Everybody looks at what they pay. */
async function toBilling(pages: Page[]): Promise<void> {
  await Promise.all(pages.map((one) => one.getByRole("link", { name: "Billing" }).first().click()));
  await Promise.all(pages.map((one) => one.getByRole("heading", { name: "Billing" }).waitFor()));
  await Promise.all(pages.map((one) => one.getByText("Your plan").waitFor()));
}

describe("a login", () => {
  it("is renewed once for all tabs that open together, and again once when it nears its end", async () => {
    const { world, page, open } = await begun();
    const pages = [page, await open(), await open()];
    await Promise.all(pages.map((one) => one.goto("/dashboard")));
    await Promise.all(pages.map(settled));
    expect(world.count(REFRESH)).toBe(1);
    for (const one of pages) await one.clock.setFixedTime(NOW.getTime() + 295_000);
    await toBilling(pages);
    expect(world.count(REFRESH)).toBe(2);
  });

  it("is renewed once for ten tabs that wake together after a night, some of them frozen, and nobody is out", async () => {
    const { world, page, context, open } = await begun();
    const pages = [page];
    while (pages.length < 10) pages.push(await open());
    await Promise.all(pages.map((one) => one.goto("/dashboard")));
    await Promise.all(pages.map(settled));
    const before = world.count(REFRESH);
    const frozen = pages.slice(0, 3);
    const states = await Promise.all(frozen.map((one) => context.newCDPSession(one)));
    for (const one of pages) await one.clock.setFixedTime(NOW.getTime() + 9 * 3_600_000);
    await Promise.all(states.map((one) => one.send("Page.setWebLifecycleState", { state: "frozen" })));
    world.expire();
    world.cut();
    await toBilling(pages.slice(3));
    await Promise.all(states.map((one) => one.send("Page.setWebLifecycleState", { state: "active" })));
    await toBilling(frozen);
    expect(world.count(REFRESH) - before).toBe(1);
    for (const one of pages) expect(await one.getByRole("dialog").count()).toBe(0);
  });

  it("that is over keeps the page and what was typed, and goes on after signing in", async () => {
    const { world, page } = await begun();
    await page.goto("/settings/profile");
    await page.getByLabel("Name").fill("Countess");
    world.signedIn = false;
    await page.getByRole("button", { name: "Save" }).click();
    const dialog = page.getByRole("dialog", { name: "Sign in again" });
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    expect(await dialog.isVisible()).toBe(true);
    expect(await dialog.getByLabel("E-mail").inputValue()).toBe("ada@example.com");
    expect(await dialog.getByLabel("Password").evaluate((one) => one === document.activeElement)).toBe(true);
    await dialog.getByLabel("Password").fill("correct horse battery");
    await dialog.getByRole("button", { name: "Sign in" }).click();
    await dialog.waitFor({ state: "detached" });
    expect(await page.getByLabel("Name").inputValue()).toBe("Countess");
  });

  it("ends in every tab at once", async () => {
    const { page, open } = await begun();
    const other = await open();
    await Promise.all([page, other].map((one) => one.goto("/dashboard")));
    await Promise.all([page, other].map(settled));
    await page.getByRole("button", { name: /^Account of/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByText("Signed out.").waitFor();
    await page.waitForURL((url) => url.pathname === "/");
    await other.getByRole("dialog", { name: "Sign in again" }).waitFor();
  });

  it("leads back to the page that was wanted", async () => {
    const { world, page } = await begun((one) => { one.signedIn = false; });
    await page.goto("/settings/theme");
    await page.waitForURL("**/login?to=*");
    world.signedIn = false;
    await page.getByLabel("E-mail").fill("ada@example.com");
    await page.getByLabel("Password").fill("correct horse battery");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.waitForURL("**/settings/theme");
  });
});

describe("nothing but a click", () => {
  const starts = (world: World) => world.asked.filter((one) => one.endsWith("/start"));

  it("wakes a workspace: not opening, not reloading, not a stream that comes back", async () => {
    const { world, page } = await begun();
    for (const path of ["/dashboard", "/wake/quiet-otter-w2", "/ide/w2"]) {
      await page.goto(path);
      await page.getByRole("button", { name: /^Wake/ }).waitFor();
      await page.reload();
      await page.getByRole("button", { name: /^Wake/ }).waitFor();
    }
    const streams = () => world.count(EVENTS);
    const before = streams();
    world.cut();
    await page.evaluate(() => { dispatchEvent(new Event("offline")); dispatchEvent(new Event("online")); dispatchEvent(new Event("focus")); });
    await expect.poll(streams, { timeout: 10_000 }).toBeGreaterThan(before);
    expect([starts(world), world.visits]).toEqual([[], []]);
    await page.getByRole("button", { name: /^Wake/ }).click();
    await expect.poll(() => starts(world)).toEqual(["POST /api/v5/workspaces/w2/start"]);
    await page.getByText("Requested", { exact: true }).first().waitFor();
  });

  it("is taken back with a word if the server says no", async () => {
    const { page } = await begun((world) => { world.answers["POST /api/v5/workspaces/w2/start"] = problem(409, "limit-reached", "the hours of this month are used up"); });
    await page.goto("/dashboard");
    await page.getByRole("button", { name: "Wake thesis" }).click();
    await page.getByText("The hours of this month are used up.").waitFor();
    await page.getByRole("button", { name: "Wake thesis" }).waitFor();
  });

  it("is needed to see the road: the stream tells each step", async () => {
    const { world, page } = await begun((one) => { one.workspaces = [underway("w1", "requested", 125)]; });
    await page.goto("/ide/w1");
    await page.getByText("Requested", { exact: true }).first().waitFor();
    await expect.poll(() => world.count(EVENTS)).toBeGreaterThan(0);
    // Each is younger than the one before: older news changes nothing.
    world.tell(underway("w1", "starting", 125));
    await page.getByText("Starting", { exact: true }).first().waitFor();
    expect(world.visits).toEqual([]);
    world.tell(workspace("w1"));
    await page.getByText("connected", { exact: true }).waitFor();
    expect(world.count("POST /api/v5/workspaces/w1/connect")).toBe(1);
  });
});

describe("a tab of its own", () => {
  it("is handed a code by the page that opened it", async () => {
    const { world, page, context } = await begun((one) => { one.door = { type: "coditect:no-cookie" }; });
    await page.goto("/ide/w1");
    const opened = context.waitForEvent("page");
    await page.getByRole("button", { name: "Open in a tab of its own" }).click();
    const tab = await opened;
    await tab.getByText("fn main").waitFor();
    expect(new URL(tab.url()).origin).toBe(world.workspaceOrigin);
    expect(tab.url()).not.toContain("one-time");
  });
});
