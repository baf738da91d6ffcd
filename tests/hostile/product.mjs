// `coditect dev --tls`, and people who use it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

export const APP = "https://app.test";
export const PASSWORD = "correct horse battery staple";
const PATIENCE = 60_000;

/** Starts it in `folder` with workspaces at `https://<slug>.<domain>`. */
export async function startProduct(folder, domain, ide) {
  const program = process.env.CODITECT_PROGRAM, app = process.env.CODITECT_WEB_APP_FOLDER;
  if (!program || !app) throw new Error("run these tests by scripts/hostile-test: it says where program and web app are");
  const args = ["dev", "--data", join(folder, "data"), "--listen", "127.0.0.1:0", "--tls", "--public-url", APP, "--workspace-domain", domain, "--web-app-folder", app, "--ide-address", ide, "--no-rate-limits", "--output", "json"];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], env: { PATH: process.env.PATH, CODITECT_LOG: process.env.CODITECT_LOG ?? "error" } });
  const gone = once(child, "exit");
  const [line] = await Promise.race([once(createInterface(child.stdout), "line"), gone.then(() => { throw new Error("coditect dev ended before it was ready"); })]);
  const ready = JSON.parse(line);
  const port = Number(new URL(ready.listens).port);
  const ca = readFileSync(ready.authority);
  const stop = async () => { child.kill("SIGTERM"); await gone; };
  return { port, ca, authority: ready.authority, stop, call: caller(port, ca) };
}

/** Calls the API as a program does. */
const caller = (port, ca) => (method, path, { body, token } = {}) => new Promise((done, failed) => {
  const text = body ? JSON.stringify(body) : "";
  const headers = { host: "app.test", ...(body ? { "content-type": "application/json", "content-length": Buffer.byteLength(text) } : {}), ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const asked = request({ host: "127.0.0.1", port, ca, servername: "app.test", method, path: `/api/v5${path}`, headers, agent: false }, async (answer) => {
    let said = "";
    for await (const piece of answer) said += piece;
    done({ status: answer.statusCode, cookies: answer.headers["set-cookie"] ?? [], body: said ? JSON.parse(said) : null });
  });
  asked.on("error", failed);
  asked.end(text);
});

/** What somebody gets who signs in. */
export async function signIn(product, { email }) {
  const { body, cookies } = await product.call("POST", "/auth/login", { body: { email, password: PASSWORD } });
  return { token: body.access_token, refresh: /coditect-refresh=([^;]+)/.exec(cookies.join())[1] };
}

/** Signs somebody up, and waits until their workspace answers. */
export async function person(product, name) {
  const email = `${name}@example.com`;
  const registered = await product.call("POST", "/auth/register", { body: { email, password: PASSWORD, display_name: name } });
  const session = await product.call("POST", `/auth/registrations/${registered.body.id}/session`);
  const token = session.body.access_token;
  for (const end = Date.now() + PATIENCE; ; await pause(100)) {
    const [workspace] = (await product.call("GET", "/workspaces", { token })).body.items;
    if (workspace?.phase === "ready") {
      const origin = new URL(workspace.url).origin, host = new URL(origin).host;
      // A host beside the workspace's own, where its IDE shows what it likes to anybody.
      return { name, email, workspace: workspace.id, origin, host, beside: `https://w-00001013-3d41-4b7a-8c55-19e06fa2b713-${host}` };
    }
    if (Date.now() > end) throw new Error(`the workspace of ${name} is ${workspace?.phase}: ${JSON.stringify(workspace?.reason)}`);
  }
}
