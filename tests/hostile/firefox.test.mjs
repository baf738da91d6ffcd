// The way into a workspace in Firefox, by HTTPS, in a frame and in a tab of its own.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startFirefox } from "./firefox.mjs";
import { SECRET, startIde } from "./ide.mjs";
import { APP, PASSWORD, person, startProduct } from "./product.mjs";
import { until } from "./world.mjs";

test("a workspace opens in a frame of the web app, and in a tab of its own", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "coditect-firefox-")), ends = [];
  context.after(async () => { for (const end of ends.reverse()) await end(); rmSync(folder, { recursive: true, force: true, maxRetries: 5 }); });
  const ide = await startIde();
  ends.push(ide.stop);
  const product = await startProduct(folder, "ws.test", ide.address);
  ends.push(product.stop);
  const ada = await person(product, "ada");
  const firefox = await startFirefox(folder, [product.authority], product.port);
  ends.push(firefox.stop);

  await firefox.go(`${APP}/terms`);
  const status = await firefox.run(async (email, password) => {
    localStorage.setItem("coditect.was-in", "1");
    localStorage.setItem("coditect.way-out-shown", "1");
    return (await fetch("/api/v5/auth/login", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ email, password }) })).status;
  }, ada.email, PASSWORD);
  assert.equal(status, 200);
  const shown = () => firefox.run(() => [location.href, document.querySelector("h1")?.textContent, window.opener === null]);

  await firefox.go(`${APP}/ide/${ada.workspace}`);
  await until("the editor in its frame", async () => {
    try { await firefox.frame(); return (await shown())[1] === SECRET; } catch { return false; } finally { await firefox.page(); }
  }, 60_000);
  await firefox.frame();
  const session = await firefox.run(async () => (await fetch("/coditect/session")).status);
  assert.equal(session, 200, "with a cookie that Firefox kept");
  await firefox.page();

  await firefox.go(`${APP}/dashboard`);
  const before = await firefox.windows();
  await firefox.click("//button[starts-with(@aria-label, 'More for')]");
  await firefox.click("//*[@role='menuitem'][contains(., 'Open in a tab of its own')]");
  const tab = await until("a tab", async () => (await firefox.windows()).find((one) => !before.includes(one)));
  await firefox.window(tab);
  await until("the editor in its tab", async () => { try { return (await shown())[1] === SECRET; } catch { return false; } });
  assert.deepEqual(await shown(), [`${ada.origin}/`, SECRET, true], "and it does not hold the dashboard");
});
