// Firefox, driven by the protocol that it brings along (Marionette: JSON with its length before it, over TCP).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { trust } from "./certificates.mjs";
import { until } from "./world.mjs";

/** How WebDriver calls an element's id (W3C WebDriver, section 12.1). */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** Starts one with a profile in `folder` that trusts `authorities`, and for which every host's port 443 is `port` here. */
export async function startFirefox(folder, authorities, port) {
  const profile = join(folder, "firefox");
  mkdirSync(profile, { recursive: true });
  trust(profile, authorities);
  const preferences = { "marionette.port": 0, "network.dns.forceResolve": "127.0.0.1", "network.socket.forcePort": `443=${port}`, "network.proxy.type": 0, "dom.disable_open_during_load": false };
  writeFileSync(join(profile, "user.js"), Object.entries(preferences).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`).join(""));
  const child = spawn(process.env.FIREFOX ?? "firefox-esr", ["--headless", "--marionette", "--remote-allow-system-access", "--profile", profile, "--no-remote"], { stdio: "ignore", env: { ...process.env, HOME: folder } });
  const gone = once(child, "exit");
  const active = join(profile, "MarionetteActivePort");
  const at = await until("Firefox", () => existsSync(active) && readFileSync(active, "utf8"), 60_000);
  const socket = connect(Number(at), "127.0.0.1");
  await once(socket, "connect");
  const waiting = new Map();
  let rest = Buffer.alloc(0), last = 0;
  socket.on("data", (piece) => {
    rest = Buffer.concat([rest, piece]);
    for (let colon = rest.indexOf(":"); colon > 0; colon = rest.indexOf(":")) {
      const end = colon + 1 + Number(rest.subarray(0, colon));
      if (rest.length < end) return;
      const said = JSON.parse(rest.subarray(colon + 1, end));
      rest = rest.subarray(end);
      if (Array.isArray(said)) waiting.get(said[1])?.(said);
    }
  });
  const command = (name, parameters = {}) => new Promise((done, failed) => {
    const id = ++last, text = JSON.stringify([0, id, `WebDriver:${name}`, parameters]);
    waiting.set(id, ([, , error, result]) => { waiting.delete(id); if (error) failed(new Error(`${name}: ${error.message}`)); else done(result?.value ?? result); });
    socket.write(`${Buffer.byteLength(text)}:${text}`);
  });
  await command("NewSession", {});
  const find = async (using, value) => (await command("FindElement", { using, value }))[ELEMENT];
  return {
    go: (url) => command("Navigate", { url }),
    /** Runs a function in the page, and waits for what it promises. */
    run: (made, ...args) => command("ExecuteAsyncScript", { script: `const done = arguments[arguments.length - 1]; Promise.resolve((${made})(...arguments)).then(done, (error) => done(String(error)));`, args, newSandbox: false, sandbox: null }),
    /** Clicks what an XPath finds, once it is there. */
    click: (path) => until(path, async () => { try { await command("ElementClick", { id: await find("xpath", path) }); return true; } catch { return false; } }),
    /** Looks at the first frame of the page, or at the page itself again. */
    async frame() { await command("SwitchToFrame", { element: await find("css selector", "iframe") }); },
    page: () => command("SwitchToFrame", { id: null }),
    windows: () => command("GetWindowHandles"),
    window: (handle) => command("SwitchToWindow", { handle }),
    async stop() { socket.destroy(); child.kill("SIGTERM"); await gone; },
  };
}
