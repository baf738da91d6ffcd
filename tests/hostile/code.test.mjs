// The one-time code on its way from the web app to the gateway.
import { signIn } from "./product.mjs";
import { attack, EVIL, inWorld, until } from "./world.mjs";

const world = inWorld("ws.test");
const isEnter = ({ method, path }) => method === "POST" && path === "/coditect/enter";

/** A gateway that takes a code as often as it comes. */
function takesCodesAgain() {
  let given;
  return {
    answer(headers, about) { if (isEnter(about)) given ??= headers["set-cookie"]; },
    instead: (about) => isEnter(about) && given ? { status: 200, headers: { "content-type": "application/json", "set-cookie": given }, body: '{"expires_in":600}' } : undefined,
  };
}

attack(world, "a code that was used is used again in another browser", {
  loses: "a way in for whoever reads a log or a recording",
  without: takesCodesAgain(),
  async run(visit) {
    let code;
    visit.context.on("request", (request) => { if (request.method() === "POST" && request.url().endsWith("/coditect/enter")) code = request.postData(); });
    await visit.openFramed();
    const thief = await visit.context.browser().newContext();
    try {
      const page = await thief.newPage();
      await page.goto(`${visit.ada.origin}/coditect/enter`);
      return await page.evaluate(async (body) => {
        await fetch("/coditect/enter", { method: "POST", headers: { "content-type": "application/json" }, body });
        return (await fetch("/coditect/session")).ok;
      }, code);
    } finally {
      await thief.close();
    }
  },
});

attack(world, "a frame that has left for another workspace is handed the code", {
  loses: "a way in for Eve, to whose page the code was brought",
  without: { text: (text) => text.replace(/(coditect:code`,code:[^}]+\}),\w+\)/g, '$1,"*")') },
  async run(visit) {
    const { page, frame } = await visit.openFramed();
    // The frame asks for a code and is gone when it comes: the answer of the API is held back until then.
    let arrived;
    const there = new Promise((done) => { arrived = done; });
    await page.route("**/connect", async (route) => { await there; await route.continue(); });
    await visit.bad(visit.eve.beside, "catch", { body: "<!doctype html><script>window.heard = []; addEventListener('message', (event) => { window.heard.push(event.data); })</script>" }).then((one) => one.close());
    await frame.evaluate((url) => { parent.postMessage({ version: 1, type: "coditect:ready" }, "*"); location.href = url; }, `${visit.eve.beside}/webview/said/catch`);
    const trap = await until("the frame elsewhere", () => page.frames().find((one) => one.url().startsWith(visit.eve.beside)));
    await trap.waitForLoadState();
    const codes = () => performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/connect")).length;
    const before = await page.evaluate(codes);
    arrived();
    await until("the code", async () => (await page.evaluate(codes)) > before);
    // What the page does with the answer it does before it is idle, and messages from one window to another keep their order.
    await page.evaluate(() => new Promise((done) => { requestIdleCallback(() => { frames[0].postMessage("last", "*"); done(); }); }));
    // Not by frames that are drawn, which is the default: one that is not shown draws none.
    await trap.waitForFunction(() => window.heard.includes("last"), undefined, { polling: 50 });
    return trap.evaluate(() => window.heard.find((one) => one.code)?.code);
  },
});

attack(world, "a page elsewhere hands over a code of Eve's", {
  loses: "what she types into an editor that is Eve's, and a page of Eve's in her browser",
  without: { text: (text) => text.replace('content="https://app.test"', `content="${EVIL}"`) },
  async run(visit) {
    const { token } = await signIn(world.product, visit.eve);
    const { body } = await world.product.call("POST", `/workspaces/${visit.eve.workspace}/connect`, { token });
    const page = await visit.at(EVIL);
    const [door] = await Promise.all([visit.context.waitForEvent("page"), page.evaluate((url) => { window.door = open(url); }, `${visit.eve.origin}/coditect/enter`)]);
    await door.waitForLoadState();
    await page.evaluate((code) => { window.door.postMessage({ type: "coditect:code", code, renew: false }, "*"); }, body.code);
    await door.waitForLoadState("networkidle");
    return door.url() === `${visit.eve.origin}/`;
  },
});
