import { existsSync, readFileSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { World } from "./world";

const dist = fileURLToPath(new URL("../../dist", import.meta.url));
const kinds: Record<string, string> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json" };
/** As `README.md` asks of whoever serves the app. */
export const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-src http: https:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/** A workspace's own page: speaks as the gateway's does, and leaves by Escape twice as the editor does. */
const doorScript = (app: string, answer: string) => `
  const asker = parent === window ? opener : parent;
  const tell = (message) => asker.postMessage({ version: 1, ...message }, ${JSON.stringify(app)});
  addEventListener("message", (event) => {
    if (event.origin !== ${JSON.stringify(app)} || event.data?.type !== "coditect:code") return;
    tell(${answer});
    document.body.innerHTML = "<p style='font: 16px monospace; padding: 24px'>fn main() {}</p><textarea aria-label='Text'></textarea>";
  });
  let escaped = false;
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") { escaped = false; return; }
    if (escaped) tell({ type: "coditect:leave" });
    escaped = !escaped;
  });
  tell({ type: "coditect:ready" });`;

function send(response: ServerResponse, status: number, kind: string, body: string | Buffer, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": kind, "cache-control": "no-cache", ...headers });
  response.end(body);
}

function file(path: string, world: World, response: ServerResponse): void {
  const found = normalize(path).slice(1);
  const name = found && existsSync(`${dist}/${found}`) ? found : "index.html";
  // A file that a newer release no longer has is missing, not the page.
  if (world.missing?.test(path) || (name === "index.html" && path.startsWith("/assets/"))) { send(response, 404, "text/plain", "not found"); return; }
  send(response, 200, kinds[extname(name)] ?? "application/octet-stream", readFileSync(`${dist}/${name}`), { "content-security-policy": POLICY, "cross-origin-opener-policy": "same-origin-allow-popups" });
}

async function text(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

const listen = async (server: Server) => {
  await new Promise<void>((done) => { server.listen(0, "127.0.0.1", done); });
  return (server.address() as AddressInfo).port;
};

export interface Served { origin: string; close: () => void }

/** Serves the built app and `world` as its API; the workspaces' pages at another origin, which `world` is told. */
export async function serve(world: World): Promise<Served> {
  const app = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://app");
    if (!url.pathname.startsWith("/api/")) { file(url.pathname, world, response); return; }
    void text(request).then((body) => {
      const said = world.hear(request.method ?? "GET", url.pathname, body, request.headers.authorization);
      if (said === "silence") return;
      if (said === "broken") { response.destroy(); return; }
      if ("stream" in said) {
        response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
        said.stream((piece) => { response.write(piece); }, () => { response.end(); });
        return;
      }
      if (said.text !== undefined) { send(response, said.status, "text/plain; charset=utf-8", said.text); return; }
      send(response, said.status, said.status < 400 ? "application/json" : "application/problem+json", said.status === 204 ? "" : JSON.stringify(said.body));
    });
  });
  const origin = `http://127.0.0.1:${await listen(app)}`;
  const workspaces = createServer((request, response) => {
    world.visits.push(request.url ?? "/");
    if (request.url === "/enter.js") send(response, 200, "text/javascript", doorScript(origin, JSON.stringify(world.door)));
    else if (world.door === null) send(response, 200, "text/html", "<p>nothing here knows you");
    else send(response, 200, "text/html", "<!doctype html><meta charset=utf-8><title>Editor</title><body><script src=/enter.js></script>");
  });
  world.workspaceOrigin = `http://localhost:${await listen(workspaces)}`;
  return { origin, close: () => { for (const server of [app, workspaces]) { server.close(); server.closeAllConnections(); } } };
}
