// Pictures of every page, light and dark, narrow and wide, into `pictures/`; and what axe finds on them.
// Needs Chromium, the API (`coditect dev`) and `npm run preview -- --port 4173` beside it. CODITECT_WEB and CHROMIUM say where.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const web = process.env.CODITECT_WEB ?? "http://127.0.0.1:4173";
const into = new URL("../pictures/", import.meta.url).pathname;
const only = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(into, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium" });
const context = await browser.newContext();
const page = await context.newPage();
const complaints = [];
page.on("console", (message) => {
  // What the API does not have yet answers 404; the pages say so.
  if (message.type() === "error" && !message.text().includes("404") && !(message.text().includes("401") && page.url().endsWith("/login"))) complaints.push(`${page.url()}: ${message.text()}`);
});
page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));

const widths = [[390, 844], [1280, 800], [1920, 1080]];
async function picture(name, path, act) {
  if (only.length && !only.includes(name)) return;
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const [width, height] of widths) {
      await page.setViewportSize({ width, height });
      if (path) await page.goto(web + path);
      // The network is never idle: a stream stays open.
      await page.waitForFunction(() => document.querySelector("h1, h2") && !document.querySelector("[aria-busy=true]"), null, { timeout: 5000 }).catch(() => {});
      await page.waitForTimeout(250);
      await act?.();
      await page.screenshot({ path: `${into}${name}-${theme}-${width}.png`, fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) complaints.push(`${name} ${theme} ${width}: ${wide} px too wide`);
    }
    // Evaluated, not added as a script: the page's policy stays in force.
    const found = await page.evaluate(`${axe}; axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] }).then((r) => r.violations.map((v) => v.impact + " " + v.id + ": " + v.nodes.map((n) => n.target.join(" ")).join(", ")))`);
    for (const one of found) complaints.push(`${name} ${theme}: axe ${one}`);
  }
}

await picture("landing", "/");
await picture("landing-door", "/", async () => {
  await page.getByRole("button", { name: "Start free" }).click();
  await page.getByRole("dialog").waitFor();
});
await picture("terms", "/terms");
await picture("privacy", "/privacy");
await picture("login", "/login");
await picture("login-error", "/login", async () => {
  await page.getByLabel("E-mail").fill("nobody@example.com");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("alert").waitFor();
});
await picture("register", "/register");
await picture("verify", "/verify");
await picture("not-found", "/nowhere");

await page.setViewportSize({ width: 1280, height: 800 });
await page.goto(`${web}/register`);
await page.getByLabel("Name").fill("Ada");
await page.getByLabel("E-mail").fill(`ada-${Date.now()}@example.com`);
await page.getByLabel("Password").fill("correct horse battery");
await page.getByRole("checkbox").check();
await page.getByRole("button", { name: "Sign up", exact: true }).click();
await page.waitForURL("**/dashboard");
await page.getByText("Ready").first().waitFor({ timeout: 60_000 });
await picture("dashboard", "/dashboard");
await picture("dashboard-create", "/dashboard", async () => {
  await page.getByRole("button", { name: "New workspace" }).click();
  await page.getByLabel("Name").fill("thesis");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("alert").waitFor({ timeout: 5000 }).catch(() => {});
});
await page.goto(`${web}/dashboard`);
const open = await page.getByRole("link", { name: /^Open / }).first().getAttribute("href");
await picture("ide", open, () => page.waitForTimeout(500));
await picture("manifests", `/workspaces/${open.split("/").pop()}/manifests`);
for (const part of ["profile", "password", "sign-ins", "theme", "files", "account"]) await picture(`settings-${part}`, `/settings/${part}`);
await picture("billing", "/billing");
await page.goto(`${web}/dashboard`);
await page.getByRole("button", { name: /^Stop / }).click();
await page.getByText("Suspended").first().waitFor({ timeout: 60_000 });
await picture("dashboard-suspended", "/dashboard");
await picture("ide-suspended", open);
await browser.close();

for (const one of new Set(complaints)) console.log(one);
console.log(`${new Set(complaints).size} complaint(s); pictures in ${into}`);
process.exitCode = complaints.length ? 1 : 0;
