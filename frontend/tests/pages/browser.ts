import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { type Browser, type BrowserContext, type Page, chromium } from "playwright-core";
import { type Served, serve } from "./server";
import { NOW, World } from "./world";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Chromium of this machine: `CHROMIUM`, or what the path has. */
export function program(): string {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = process.env["CHROMIUM"] ?? folders.flatMap((folder) => names.map((name) => `${folder}/${name}`)).find((file) => existsSync(file));
  if (!found) throw new Error(`none of ${names.join(", ")} is on the path: install Chromium, or say by CHROMIUM where it is`);
  return found;
}

let browser: Promise<Browser> | undefined;
const launched = () => (browser ??= chromium.launch({ executablePath: program(), args: ["--disable-gpu"] }));

export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  browser = undefined;
}

/** One person's browser with one world behind it. */
export interface Visit { world: World; served: Served; context: BrowserContext; page: Page; complaints: string[]; open: () => Promise<Page>; end: () => Promise<void> }

export async function visit(prepare: (world: World) => void = () => undefined): Promise<Visit> {
  const world = new World();
  prepare(world);
  const served = await serve(world);
  const context = await (await launched()).newContext({ baseURL: served.origin, locale: "en-GB", timezoneId: "UTC", reducedMotion: "reduce", viewport: { width: 1280, height: 800 } });
  // What the page learns once it is told by `begin`: this browser was signed in before.
  const kept = [...(world.signedIn ? ["coditect.was-in"] : []), ...(world.firstTime ? [] : ["coditect.way-out-shown"])];
  await context.addInitScript((keys) => { try { for (const key of keys) localStorage.setItem(key, "1"); } catch { /* a frame without storage */ } }, kept);
  const complaints: string[] = [];
  const open = async () => {
    const page = await context.newPage();
    await page.clock.setFixedTime(NOW);
    page.on("pageerror", (error) => { complaints.push(error.message); });
    page.on("console", (message) => {
      // What an answer's status means is for the page to say; the browser complains of each above 399.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
    });
    return page;
  };
  return { world, served, context, page: await open(), complaints, open, end: async () => { await context.close(); served.close(); } };
}

/** Until the page has said what it has to say. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector("main :is(h1, h2)") !== null && document.querySelector("[aria-busy=true]") === null);
}
