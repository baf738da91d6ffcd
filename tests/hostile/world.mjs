// Two people with a workspace each at the product itself, and a browser for Ada: one that leads to the product, one
// that leads to the mirror.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { certify, trust } from "./certificates.mjs";
import { said, startIde } from "./ide.mjs";
import { startMirror } from "./mirror.mjs";
import { APP, PASSWORD, person, startProduct } from "./product.mjs";

export const EVIL = "https://evil.test";

/** Starts the world of a file's tests, with workspaces below `domain`, before the first and ends it after the last. */
export function inWorld(domain) {
  const world = {}, ends = [];
  before(async () => {
    const folder = mkdtempSync(join(tmpdir(), "coditect-hostile-"));
    ends.push(() => { rmSync(folder, { recursive: true, force: true }); });
    const other = certify(folder, ["app.test", `*.${domain}`, "evil.test"]);
    const evil = createServer({ key: other.key, cert: other.cert }, (_, response) => { response.setHeader("content-type", "text/html"); response.end("<!doctype html><title>Elsewhere</title>"); });
    await new Promise((done) => { evil.listen(0, "127.0.0.1", done); });
    ends.push(() => { evil.close(); evil.closeAllConnections(); });
    world.ide = await startIde();
    ends.push(world.ide.stop);
    world.product = await startProduct(folder, domain, world.ide.address);
    ends.push(world.product.stop);
    world.mirror = await startMirror(world.product, other, world.ide);
    ends.push(world.mirror.stop);
    [world.ada, world.eve] = await Promise.all(["ada", "eve"].map((name) => person(world.product, name)));
    const hosts = (port) => ({ "app.test": port, [`*.${domain}`]: port, "evil.test": evil.address().port });
    const home = join(folder, "home");
    trust(join(home, ".pki", "nssdb"), [world.product.authority, other.authority]);
    world.straight = await launch(home, hosts(world.product.port));
    ends.push(() => world.straight.close());
    world.mirrored = await launch(home, hosts(world.mirror.port));
    ends.push(() => world.mirrored.close());
  });
  after(async () => { for (const end of ends.reverse()) await end(); });
  return world;
}

/**
 * One attack. `run(visit)` makes it and gives what was got, or nothing. It must get nothing from the product, nothing
 * through the mirror as long as that changes nothing, and something once the mirror is `without` the one defence: else
 * the attack proved nothing. `loses` is what the person would.
 */
export function attack(world, name, { loses, without, run }) {
  test(`${name} (else: ${loses})`, async () => {
    const ways = [["the product", world.straight, {}, false], ["the mirror", world.mirrored, {}, false], ["without the defence", world.mirrored, without, true]];
    for (const [where, browser, changed, succeeds] of ways) {
      world.mirror.without = changed;
      const context = await browser.newContext();
      try {
        const got = await run(new Visit(world, context));
        assert.equal(Boolean(got), succeeds, `${where}: ${succeeds ? "the attack itself fails" : `got ${JSON.stringify(got)}`}`);
      } finally {
        world.mirror.without = {};
        await context.close();
      }
    }
  });
}

/** Ada's browser during one attempt. */
export class Visit {
  constructor(world, context) {
    Object.assign(this, { context, ada: world.ada, eve: world.eve, ide: world.ide });
    this.ide.asked.length = 0;
    this.ide.ran.length = 0;
  }

  /** A new page at an address. */
  async at(url) {
    const page = await this.context.newPage();
    await page.goto(url);
    return page;
  }

  /** A page that an IDE made up, at `origin`. */
  bad(origin, name = "page", answer = {}) {
    said[name] = { body: `<!doctype html><title>${name}</title>`, ...answer };
    return this.at(`${origin}${origin.startsWith("https://w-") ? "/webview" : ""}/said/${name}`);
  }

  /** Ada signs in, and sees the web app. */
  async signIn(who = this.ada) {
    const page = await this.at(`${APP}/terms`);
    const status = await page.evaluate(async ({ email, password }) => {
      localStorage.setItem("coditect.was-in", "1");
      localStorage.setItem("coditect.way-out-shown", "1");
      return (await fetch("/api/v5/auth/login", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ email, password }) })).status;
    }, { email: who.email, password: PASSWORD });
    assert.equal(status, 200, "Ada signs in");
    return page;
  }

  /** Ada opens her workspace within the web app, and is in; gives page and frame. */
  async openFramed() {
    const page = await this.signIn();
    await page.goto(`${APP}/ide/${this.ada.workspace}`);
    const frame = await until("the editor in its frame", () => page.frames().find((one) => one.url() === `${this.ada.origin}/`));
    await frame.waitForSelector("h1");
    return { page, frame };
  }

  /** Ada opens her workspace in a tab of its own, by the dashboard's menu, and is in; gives dashboard and tab. */
  async openAlone() {
    const page = await this.signIn();
    await page.goto(`${APP}/dashboard`);
    await page.getByRole("button", { name: /^More for/ }).first().click();
    const [tab] = await Promise.all([this.context.waitForEvent("page"), page.getByRole("menuitem", { name: "Open in a tab of its own" }).click()]);
    await tab.waitForURL(`${this.ada.origin}/`);
    return { page, tab };
  }

  /** Whether Ada's own pages still let her in. */
  async isIn(tab) {
    return tab.evaluate(async () => (await fetch("/coditect/session")).status === 200);
  }
}

/** Waits until something is there. */
export async function until(what, look, patience = 20_000) {
  for (const end = Date.now() + patience; Date.now() < end; await new Promise((again) => { setTimeout(again, 50); })) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`${what}: not within ${patience} ms`);
}
