import type { Page } from "playwright-core";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type Visit, closeBrowser, settled, visit } from "./browser";
import { asleep, workspace } from "./world";

let present: Visit | undefined;
afterEach(async () => { await present?.end(); });
afterAll(closeBrowser);

async function at(path: string, stranger = false): Promise<Page> {
  present = await visit((world) => { world.signedIn = !stranger; world.workspaces = [workspace("w1"), asleep("w2")]; });
  await present.page.goto(path);
  await settled(present.page);
  return present.page;
}

interface Stop { name: string; order: number; seen: boolean; marked: boolean }

/** What has the focus: where it stands in the page, whether it can be seen, whether one sees that it has the focus. */
const focused = (page: Page) => page.evaluate((): Stop | null => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const { top, bottom, left, right, width } = one.getBoundingClientRect();
  const style = getComputedStyle(one);
  return {
    name: `${one.tagName} ${one.getAttribute("aria-label") ?? one.textContent?.slice(0, 30) ?? ""}`,
    order: [...document.querySelectorAll("*")].indexOf(one),
    seen: width > 0 && bottom > 0 && right > 0 && top < innerHeight && left < innerWidth,
    marked: one.tagName === "IFRAME" || (style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2),
  };
});

const what = async (page: Page) => (await focused(page))?.name ?? null;

describe("the keyboard", () => {
  it.each(["/", "/login", "/register", "/dashboard", "/settings/profile", "/settings/theme", "/settings/api-keys", "/organisation/members", "/organisation/invitations", "/invitation", "/billing", "/workspaces/w1/manifests", "/ide/w2"])("goes through %s in its order, and is seen everywhere", async (path) => {
    const page = await at(path, ["/", "/login", "/register"].includes(path));
    const stops: Stop[] = [];
    for (let presses = 0; presses < 80; presses += 1) {
      await page.keyboard.press("Tab");
      const stop = await focused(page);
      if (!stop || stop.order <= (stops.at(-1)?.order ?? -1)) break;
      stops.push(stop);
    }
    const all = await page.evaluate(() => [...document.querySelectorAll<HTMLElement>("a[href], button, input, select, textarea, summary")].filter((one) => one.tabIndex >= 0 && one.checkVisibility() && !(one instanceof HTMLInputElement && one.type === "radio" && !one.checked)).length);
    expect(stops.length).toBeGreaterThanOrEqual(all);
    expect(stops[0]?.name).toContain("Skip to the");
    expect(stops.filter(({ seen, marked }) => !seen || !marked)).toEqual([]);
  });

  it("skips what every page has", async () => {
    const page = await at("/dashboard");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    expect(await what(page)).toContain("New workspace");
    expect(new URL(page.url()).hash).toBe("");
  });

  it("begins a new page at its beginning", async () => {
    const page = await at("/dashboard");
    await page.keyboard.press("g");
    await page.keyboard.press("s");
    await page.waitForURL("**/settings");
    await page.waitForFunction(() => document.activeElement?.id === "main");
    await page.keyboard.press("Tab");
    expect(await what(page)).toContain("Profile");
    await page.keyboard.press("g");
    await page.keyboard.press("o");
    await page.waitForURL("**/organisation");
  });

  it.each([
    ["New workspace", "INPUT", async (page: Page) => { await page.getByRole("button", { name: "New workspace" }).focus(); await page.keyboard.press("Enter"); }],
    ["More for default", "BUTTON", async (page: Page) => { await page.getByRole("button", { name: "More for default" }).focus(); for (const key of ["Enter", "End", "Enter"]) await page.keyboard.press(key); }],
    ["More for default", "INPUT", async (page: Page) => { await page.getByRole("button", { name: "More for default" }).focus(); for (const key of ["Enter", "Enter"]) await page.keyboard.press(key); }],
  ] as const)("stays in a dialog and goes back to %s (%s)", async (trigger, first, open) => {
    const page = await at("/dashboard");
    await open(page);
    await page.getByRole("dialog").waitFor();
    expect(await what(page)).toMatch(new RegExp(`^${first}`));
    for (let presses = 0; presses < 12; presses += 1) {
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement === document.body || document.activeElement?.closest("dialog") !== null)).toBe(true);
    }
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await what(page)).toContain(trigger);
  });

  it("gives help, and puts it away", async () => {
    const page = await at("/dashboard");
    await page.keyboard.press("?");
    expect(await page.getByRole("dialog").textContent()).toContain("Leave the editor");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  });

  it("leaves the editor by Escape twice, to its tab", async () => {
    const page = await at("/ide/w1");
    await page.getByText("connected", { exact: true }).waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === "IFRAME");
    await page.keyboard.press("Escape");
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("IFRAME");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.activeElement?.id === "tab-w1");
  });
});
