// What the pods of all workspaces show in the IDE's place: an editor with something worth stealing, and pages that do
// what they like. It is told by the gateway which workspace is asked.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

export const SECRET = "what Ada wrote";
/** What a program that was broken into answers at an address: `{ headers, body }` for `/said/<name>`. */
export const said = {};

/** Serves it; `asked` is every request as it came here, `ran` what was run in which workspace's terminal. */
export async function startIde() {
  const asked = [], ran = [];
  const host = (request) => String(request.headers["x-forwarded-host"]).split(":")[0];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    asked.push({ host: host(request), method: request.method, path: request.url, headers: request.headers });
    const answer = (type, text, headers = {}) => { response.writeHead(200, { "content-type": type, "cache-control": "no-store", ...headers }); response.end(text); };
    const path = new URL(request.url, "http://ide").pathname;
    if (path === "/run" && request.method === "POST") { ran.push({ host: host(request), command: body }); return answer("text/plain", "done"); }
    if (path === "/secret") return answer("text/plain", SECRET);
    const name = path.split("/said/")[1];
    if (name) return answer(said[name].type ?? "text/html", said[name].body ?? "", said[name].headers);
    answer("text/html; charset=utf-8", `<!doctype html><title>Editor</title><h1>${SECRET}</h1>`);
  });
  server.on("upgrade", (request, socket) => {
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.on("error", () => undefined);
    // One short masked text (RFC 6455 section 5.2) is a command; it is answered as a terminal would.
    socket.once("data", (frame) => {
      const length = frame[1] & 127, mask = frame.subarray(2, 6);
      const command = frame.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]).toString();
      ran.push({ host: host(request), command });
      socket.write(Buffer.concat([Buffer.from([0x81, SECRET.length]), Buffer.from(SECRET)]));
    });
  });
  await new Promise((done) => { server.listen(0, "127.0.0.1", done); });
  return { asked, ran, address: `127.0.0.1:${server.address().port}`, stop: () => { server.close(); server.closeAllConnections(); } };
}
