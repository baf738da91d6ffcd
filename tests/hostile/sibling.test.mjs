// Eve's workspace against Ada's: pages of one host of the workspaces' domain against another, as long as that domain is
// not on the Public Suffix List. Eve's page is one of her IDE's webviews, which anybody may look at.
import { attack, inWorld } from "./world.mjs";

const world = inWorld("ws.test");
/** What a gateway is told by browsers of whose page asks. */
const withoutOriginRule = {
  request(headers, { host }) {
    if (headers.origin) headers.origin = `https://${host}`;
    if (headers["sec-fetch-site"]) headers["sec-fetch-site"] = "same-origin";
  },
};
/** Cookies without the prefix that keeps them to one host. */
const withoutPrefix = {
  request(headers) { if (headers.cookie) headers.cookie = headers.cookie.replaceAll(/(^|; )coditect-workspace=/g, "$1__Host-coditect-workspace="); },
  answer(headers) { headers["set-cookie"] = (headers["set-cookie"] ?? []).map((line) => line.replace(/^__Host-coditect-workspace/, "coditect-workspace")); },
};
/** Answers with what the IDE said, beside what the gateway let through of it. */
const saidByIde = (name) => ({ answer(headers) { if (headers[`x-said-${name}`]) headers[name] = headers[`x-said-${name}`]; } });
const says = (name, value) => ({ headers: { [name]: value, [`x-said-${name}`]: value } });

attack(world, "a page of another workspace opens a terminal in hers", {
  loses: "everything that a terminal can do and read",
  without: withoutOriginRule,
  async run(visit) {
    await visit.openAlone();
    const page = await visit.bad(visit.eve.beside);
    return page.evaluate((address) => new Promise((done) => {
      const socket = new WebSocket(address);
      socket.onopen = () => { socket.send("cat notes"); };
      socket.onmessage = (event) => { done(event.data); };
      socket.onerror = () => { done(null); };
    }), `wss://${visit.ada.host}/terminal`);
  },
});

attack(world, "a page of another workspace runs a command in hers without seeing the answer", {
  loses: "her files, to whatever the command does",
  without: withoutOriginRule,
  async run(visit) {
    await visit.openAlone();
    const page = await visit.bad(visit.eve.beside);
    await page.evaluate((url) => fetch(url, { method: "POST", mode: "no-cors", credentials: "include", body: "rm -r ." }), `${visit.ada.origin}/run`);
    return visit.ide.ran[0];
  },
});

attack(world, "a page of another workspace shows her editor within itself", {
  loses: "clicks that she believes to make elsewhere",
  without: { answer(headers) { delete headers["content-security-policy"]; } },
  async run(visit) {
    await visit.openAlone();
    const page = await visit.bad(visit.eve.beside);
    return framed(page, `${visit.ada.origin}/`);
  },
});

attack(world, "a page of another workspace empties the browser of the whole domain's cookies", {
  loses: "her place in every workspace that is open",
  without: saidByIde("clear-site-data"),
  async run(visit) {
    const { tab } = await visit.openAlone();
    await visit.bad(visit.eve.beside, "clear", says("clear-site-data", '"cookies"'));
    return !(await visit.isIn(tab));
  },
});

attack(world, "a page of another workspace sets cookies of our name for all of them", {
  loses: "the way in: hers is not found among the others",
  without: withoutPrefix,
  async run(visit) {
    const { tab } = await visit.openAlone();
    const page = await visit.bad(visit.eve.beside);
    await page.evaluate(() => {
      for (const name of ["__Host-coditect-workspace", "coditect-workspace"]) for (const path of ["/coditect", "/coditect/", "/coditect/session"]) for (const where of ["", "; Partitioned"]) {
        document.cookie = `${name}=tossed; Domain=ws.test; Path=${path}; Secure; SameSite=None${where}`;
      }
    });
    return !(await visit.isIn(tab));
  },
});

/** Whether a page can show another one within itself. */
async function framed(page, address) {
  await page.evaluate((src) => new Promise((done) => {
    const frame = document.body.appendChild(document.createElement("iframe"));
    frame.onload = done;
    frame.src = src;
  }), address);
  return page.frames().some((frame) => frame.url() === address);
}
