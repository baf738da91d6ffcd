import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, describe, expect, it } from "vitest";
import { closeBrowser, settled, visit } from "./browser";
import { scenes } from "./scenes";

/** A folder for pictures; without one none are taken. */
const pictures = process.env["PICTURES"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const sizes = [[390, 844], [1280, 800], [1920, 1080]] as const;
if (pictures) mkdirSync(pictures, { recursive: true });

/** What axe has against the page, in `rules` if only some. Evaluated, not added as a script: the page's own policy stays in force. */
async function faults(page: Page, rules?: string[]): Promise<string[]> {
  const options = { iframes: false, resultTypes: ["violations"], ...(rules ? { runOnly: rules } : {}) };
  const { violations } = await page.evaluate<AxeResults>(`globalThis.axe ?? (() => { ${axe} })(); axe.run(${JSON.stringify(options)})`);
  return violations.map(({ impact, id, nodes }) => `${impact ?? "?"} ${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}

// Two at a time: while one is drawn by the browser, the other one is judged.
describe.concurrent("every page, light and dark, narrow to broad: fits, is in order for axe, breaks no policy", () => {
  afterAll(closeBrowser);
  it.each(scenes)("$name", async ({ name, path, world, stranger, act, unsettled }) => {
    const { page, complaints, end } = await visit((one) => { one.signedIn = !stranger; world?.(one); });
    const found: string[] = [];
    try {
      await page.goto(path);
      await (unsettled ? page.waitForTimeout(400) : settled(page));
      await act?.(page);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        for (const [width, height] of sizes) {
          await page.setViewportSize({ width, height });
          const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          if (excess > 0) found.push(`${colorScheme} ${width}: ${excess} px too wide`);
          // The dark theme has other colours and nothing else.
          if (width < 1900) found.push(...(await faults(page, colorScheme === "dark" ? ["color-contrast"] : undefined)).map((fault) => `${colorScheme} ${width}: ${fault}`));
          if (pictures) await page.screenshot({ path: `${pictures}/${name}-${colorScheme}-${width}.png`, fullPage: true });
        }
      }
    } finally {
      await end();
    }
    expect([...found, ...complaints]).toEqual([]);
  });
});
