import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, type Page, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Ide } from "./ide";
import { type Product, start } from "./product";

const PASSWORD = "correct horse battery staple";
/** How long anything may take before the story has failed. */
const PATIENCE = 60_000;

let product: Product;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let ide: Ide;

beforeAll(async () => {
  product = await start();
  browser = await chromium.launch({ executablePath: product.browser, args: ["--disable-gpu"] });
  context = await browser.newContext({ baseURL: product.url, locale: "en-GB", timezoneId: "UTC", viewport: { width: 1440, height: 900 } });
  context.setDefaultTimeout(PATIENCE);
  // The one page of the story that is not ours.
  await context.route("https://example.org/**", (route) => route.fulfill({ contentType: "text/html", body: "<h1>Elsewhere</h1>" }));
  page = await context.newPage();
  ide = new Ide(page);
});

afterAll(async () => {
  const folder = process.env["PICTURES"];
  if (folder) for (const [at, one] of context.pages().entries()) await one.screenshot({ path: join(folder, `journey-${at}.png`) });
  await browser.close();
  await product.stop();
});

/** What a file of the workspace holds on the disk; nothing if it is not there. */
const onDisk = (name: string) => { const file = join(product.volume(), name); return existsSync(file) ? readFileSync(file, "utf8") : null; };
const eventually = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: PATIENCE, interval: 100 });

describe("a person's first day", () => {
  it("begins with an account, and the workspace's road to ready", async () => {
    await page.goto("/register");
    await page.getByLabel("Name").fill("Ada Lovelace");
    await page.getByLabel("E-mail").fill("ada@example.com");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByLabel(/I agree/).check();
    await page.getByRole("button", { name: "Sign up" }).click();
    const road = page.getByRole("list", { name: "From request to ready" });
    for (const step of ["Requested", "Committed", "Synced", "Starting", "Ready"]) await road.getByRole("listitem").filter({ hasText: `${step}, done` }).waitFor();
    await page.getByRole("status", { name: /: Ready$/ }).waitFor();
  });

  it("the editor opens in the page, with a project to try", async () => {
    await page.getByRole("link", { name: /^Open / }).click();
    await ide.opened();
    await ide.tab("README.md").waitFor();
    for (const file of ["README.md", "hello.py", "hello.sh", "test.js"]) await ide.entry(file).waitFor();
    await page.getByText("connected", { exact: true }).waitFor();
  });

  it("what is typed is saved by itself, on the volume", async () => {
    await ide.open("hello.py");
    await ide.append("hello.py", "\nprint('typed by Ada')\n");
    await eventually(() => onDisk("hello.py")).toContain("print('typed by Ada')");
    await ide.unsaved("hello.py").waitFor({ state: "detached" });
  });

  it("a terminal runs programs, and the file tree shows what they make", async () => {
    await ide.terminal("python3 hello.py > said.txt");
    await eventually(() => onDisk("said.txt")).toContain("typed by Ada");
    await ide.entry("said.txt").waitFor();
  });

  it("text is copied from one file to another", async () => {
    await ide.open("said.txt");
    await ide.editor("said.txt").locator(".view-lines").click();
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Control+c");
    await ide.open("test.js");
    await ide.append("test.js", "\n// ");
    await page.keyboard.press("Control+v");
    await eventually(() => onDisk("test.js")).toMatch(/\/\/ .*\n[^]*typed by Ada/);
  });

  it("a file is downloaded as it is", async () => {
    const downloading = page.waitForEvent("download");
    await ide.menuOf("hello.py", "Download");
    const download = await downloading;
    expect(download.suggestedFilename()).toBe("hello.py");
    expect(readFileSync(await download.path(), "utf8")).toBe(onDisk("hello.py"));
  });

  it("Markdown is shown as it is meant to look, and its links lead out of the editor", async () => {
    await ide.open("README.md");
    await ide.append("README.md", "\nMore is [elsewhere](https://example.org/more).\n");
    const preview = await ide.preview();
    await preview.getByRole("heading", { name: "Your workspace" }).waitFor();
    const opening = context.waitForEvent("page");
    await preview.getByRole("link", { name: "elsewhere" }).click();
    const opened = await opening;
    await opened.getByRole("heading", { name: "Elsewhere" }).waitFor();
    await opened.close();
    await ide.tab("README.md").first().waitFor();
  });

  it("Escape twice leads out of the editor by keyboard", async () => {
    await ide.editor("README.md").locator(".view-lines").click();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await eventually(() => page.evaluate(() => document.activeElement?.id ?? "")).toMatch(/^tab-/);
  });

  it("the web app knows which files changed", async () => {
    await page.getByRole("tab", { name: "Files" }).click();
    const panel = page.getByRole("tabpanel", { name: "Files" });
    for (const name of ["hello.py", "said.txt"]) await panel.getByRole("listitem").filter({ hasText: name }).getByText("just now").waitFor();
    await page.getByRole("tab", { name: "Files" }).click();
    await panel.waitFor({ state: "detached" });
  });

  it("a second tab has the same session", async () => {
    const second = await context.newPage();
    const other = new Ide(second);
    await second.goto(page.url());
    await other.opened();
    for (const name of ["README.md", "hello.py", "test.js"]) await other.tab(name).first().waitFor();
    for (const one of [ide, other]) await one.status("This workspace is open in 2 tabs.").waitFor();
    await second.close();
    await ide.status("This workspace is open in 2 tabs.").waitFor({ state: "detached" });
  });
});

describe("who goes away", () => {
  it("is warned before the workspace sleeps, and may keep it", async () => {
    await ide.open("hello.py");
    await ide.append("hello.py", "# the last line\n");
    product.idleAfter(1);
    const keep = page.getByRole("button", { name: "Keep", exact: true });
    await keep.waitFor({ timeout: 2 * PATIENCE });
    await keep.click();
    await keep.waitFor({ state: "detached" });
  });

  it("finds it asleep, with its files, and nothing wakes it but a click", async () => {
    await page.getByText("Suspended").first().waitFor({ timeout: 3 * PATIENCE });
    expect(onDisk("hello.py")).toContain("# the last line");
    await page.reload();
    await page.getByRole("button", { name: "Wake" }).waitFor();
  });

  it("comes back to the same files in the same tabs", async () => {
    product.idleAfter(30);
    await page.getByRole("button", { name: "Wake" }).click();
    await ide.opened();
    for (const name of ["README.md", "hello.py", "test.js"]) await ide.tab(name).first().waitFor();
    await ide.open("hello.py");
    await ide.editor("hello.py").getByText("# the last line").waitFor();
  });

  it("is out of the editor within ten seconds of signing out", async () => {
    const other = await context.newPage();
    await other.goto("/dashboard");
    await other.getByRole("button", { name: /^Account of/ }).click();
    await other.getByRole("menuitem", { name: "Sign out" }).click();
    await other.getByText("Signed out.").waitFor();
    await ide.status("Your sign-in has ended. Open the workspace again from the web app.").waitFor({ timeout: 10_000 });
    await other.close();
  });

  it("leaves nothing behind when the account is erased", async () => {
    const again = page.getByRole("dialog", { name: "Sign in again" });
    await again.getByLabel("Password").fill(PASSWORD);
    await again.getByRole("button", { name: "Sign in" }).click();
    await again.waitFor({ state: "detached" });
    await page.goto("/settings/account");
    await page.getByLabel(/At once and for good/).check();
    await page.getByLabel("Your password").fill(PASSWORD);
    const coming = page.waitForEvent("download");
    await page.getByRole("button", { name: "Erase my account now" }).click();
    const receipt = JSON.parse(readFileSync(await (await coming).path(), "utf8")) as { users: unknown[]; kept: { what: string }[] };
    expect(receipt.users).toHaveLength(1);
    expect(receipt.kept.map((one) => one.what)).toContain("erased/{hash}");
    await page.getByText("Your account is erased.").waitFor();
    await eventually(product.volumes).toEqual([]);
  });
});
