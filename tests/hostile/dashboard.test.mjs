// Eve's page against the dashboard, where an operator has put workspaces below the web app's own domain: the worst that
// can be configured, because then `SameSite` keeps nothing apart.
import { APP, signIn } from "./product.mjs";
import { attack, inWorld } from "./world.mjs";

const world = inWorld("ws.app.test");
const isApp = ({ host }) => host === "app.test";
/** The API takes every page for the web app's. */
const request = (headers, about) => {
  if (!isApp(about) || !headers.origin) return;
  headers.origin = APP;
  headers["sec-fetch-site"] = "same-origin";
};
const NAMES = ["__Host-coditect-refresh", "coditect-refresh"];
/** The cookie for this host alone becomes one for all below. */
const forAll = (attributes) => ({
  request(headers) { if (headers.cookie) headers.cookie = headers.cookie.replaceAll(/(^|; )coditect-refresh=/g, "$1__Host-coditect-refresh="); },
  answer(headers) { headers["set-cookie"] = (headers["set-cookie"] ?? []).map((line) => attributes(line.replace("__Host-coditect-refresh", "coditect-refresh"))); },
});
const refresh = () => fetch("/api/v5/auth/refresh", { method: "POST" }).then((answer) => (answer.ok ? answer.json() : null));

attack(world, "a workspace's page reads the dashboard's cookie", {
  loses: "her account, to whoever is sent it",
  without: forAll((line) => `${line.replace("; HttpOnly", "")}; Domain=app.test`),
  async run(visit) {
    await visit.signIn();
    const page = await visit.bad(visit.eve.beside);
    return page.evaluate((names) => names.some((name) => document.cookie.includes(name)), NAMES);
  },
});

attack(world, "a workspace's page sets the dashboard's cookie", {
  loses: "everything that she then does in an account that is Eve's",
  without: forAll((line) => line),
  async run(visit) {
    const dashboard = await visit.signIn();
    const { refresh: eves } = await signIn(world.product, visit.eve);
    const page = await visit.bad(visit.eve.beside);
    await page.evaluate(({ names, value }) => { for (const name of names) document.cookie = `${name}=${value}; Domain=app.test; Path=/api/v5/auth; Secure`; }, { names: NAMES, value: eves });
    const { access_token: token } = await dashboard.evaluate(refresh);
    const me = await world.product.call("GET", "/me", { token });
    return me.body.email === visit.eve.email;
  },
});

attack(world, "a workspace's page shows the dashboard within itself", {
  loses: "clicks: delete, end the login, change the plan",
  without: { answer(headers, about) { if (isApp(about)) for (const name of ["content-security-policy", "x-frame-options"]) delete headers[name]; } },
  async run(visit) {
    await visit.signIn();
    const page = await visit.bad(visit.eve.beside);
    await page.evaluate((src) => new Promise((done) => {
      const frame = document.body.appendChild(document.createElement("iframe"));
      frame.onload = done;
      frame.src = src;
    }), `${APP}/settings`);
    const frame = page.frames().find((one) => one.url().startsWith(APP));
    return frame?.waitForFunction((email) => document.body.innerHTML.includes(email) || document.body.innerText.includes("Settings"), visit.ada.email).then(() => true);
  },
});

attack(world, "a workspace's page gets an access token with her cookie", {
  loses: "her account for as long as the page is open",
  without: {
    request,
    answer(headers, about) { if (isApp(about) && about.headers.origin) Object.assign(headers, { "access-control-allow-origin": about.headers.origin, "access-control-allow-credentials": "true" }); },
  },
  async run(visit) {
    await visit.signIn();
    const page = await visit.bad(visit.eve.beside);
    return page.evaluate((url) => fetch(url, { method: "POST", credentials: "include" }).then((answer) => answer.json()).then((body) => body.access_token, () => null), `${APP}/api/v5/auth/refresh`);
  },
});

attack(world, "a workspace's page signs her out without seeing the answer", {
  loses: "her work's place, as often as the page likes",
  without: { request },
  async run(visit) {
    const dashboard = await visit.signIn();
    const page = await visit.bad(visit.eve.beside);
    await page.evaluate((url) => fetch(url, { method: "POST", mode: "no-cors", credentials: "include" }), `${APP}/api/v5/auth/logout`);
    return (await dashboard.evaluate(refresh)) === null;
  },
});
