// What runs in Ada's own workspace against her: an extension or a dependency that was broken into speaks as the IDE does.
import { test } from "node:test";
import { attack, EVIL, inWorld, Visit } from "./world.mjs";

const world = inWorld("ws.test");
const NAME = "__Host-coditect-workspace";

attack(world, "the IDE's page reads the cookie by which she is in", {
  loses: "a way in for whoever is sent it, from anywhere",
  without: { answer(headers) { headers["set-cookie"] = (headers["set-cookie"] ?? []).map((line) => line.replace("; HttpOnly", "")); } },
  async run(visit) {
    const { frame } = await visit.openFramed();
    return frame.evaluate((name) => document.cookie.includes(name), NAME);
  },
});

attack(world, "the IDE finds the cookie in what the browser sends", {
  loses: "the same, without a page",
  without: { past: ({ host, path }) => host.endsWith(".ws.test") && !path.startsWith("/coditect/") },
  async run(visit) {
    await visit.openAlone();
    return visit.ide.asked.find((asked) => asked.headers.cookie?.includes(NAME));
  },
});

attack(world, "the IDE sets the cookie by which she is in", {
  loses: "her place: she is whoever the IDE says, or nobody",
  without: { answer(headers) { if (headers["x-said-set-cookie"]) headers["set-cookie"] = headers["x-said-set-cookie"]; } },
  async run(visit) {
    const { tab } = await visit.openAlone();
    const cookie = `${NAME}=tossed; Path=/; Secure; HttpOnly; SameSite=None; Partitioned`;
    const page = await visit.bad(visit.ada.origin, "toss", { headers: { "set-cookie": cookie, "x-said-set-cookie": cookie } });
    await page.close();
    return !(await visit.isIn(tab));
  },
});

attack(world, "a service worker of the IDE stands before the page that is handed codes", {
  loses: "each later code, also once what was broken into is mended",
  without: { request(headers) { delete headers["service-worker"]; } },
  async run(visit) {
    const { tab } = await visit.openAlone();
    const script = "oninstall = () => skipWaiting(); onactivate = (event) => event.waitUntil(clients.claim()); onfetch = (event) => event.respondWith(new Response('<title>false door</title>', { headers: { 'content-type': 'text/html' } }));";
    const worker = await visit.bad(visit.ada.origin, "worker", { type: "text/javascript", body: script, headers: { "service-worker-allowed": "/" } });
    await worker.close();
    const stands = await tab.evaluate(() => navigator.serviceWorker.register("/said/worker", { scope: "/" }).then(() => navigator.serviceWorker.ready).then(() => true, () => false));
    const door = await visit.at(`${visit.ada.origin}/coditect/enter`);
    return stands && (await door.title()) === "false door";
  },
});

attack(world, "the framed editor leads the whole tab elsewhere", {
  loses: "her password, to a page that looks like ours where ours was",
  without: { text: (text) => text.replace("allow-scripts allow-same-origin allow-forms", "allow-top-navigation $&") },
  async run(visit) {
    const { page, frame } = await visit.openFramed();
    const tried = await frame.evaluate((url) => { try { top.location.href = url; return true; } catch { return false; } }, EVIL);
    if (tried) await page.waitForURL(`${EVIL}/`);
    return tried;
  },
});

test("a tab of its own that comes back to the door is let in by the dashboard that opened it", async () => {
  const context = await world.straight.newContext();
  const { tab } = await new Visit(world, context).openAlone();
  await context.clearCookies({ domain: world.ada.host });
  await tab.goto(`${world.ada.origin}/again`);
  await tab.waitForURL(`${world.ada.origin}/`);
  await context.close();
});

attack(world, "the editor in a tab of its own leads the dashboard elsewhere", {
  loses: "her password, to a page that looks like the dashboard that she comes back to",
  without: {
    answer(headers, { path }) { if (path === "/coditect/enter") delete headers["content-security-policy"]; },
    text: (text) => text.replace("window.opener = null;", ""),
  },
  async run(visit) {
    const { page, tab } = await visit.openAlone();
    const tried = await tab.evaluate((url) => { if (opener) opener.location.href = url; return Boolean(opener); }, EVIL);
    if (tried) await page.waitForURL(`${EVIL}/`);
    return tried;
  },
});
