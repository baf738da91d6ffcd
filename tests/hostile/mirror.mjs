// What stands between browser and product in a control: the product as it would be without one of its defences.
import { createServer, request as ask } from "node:https";
import { request as askPlainly } from "node:http";
import { connect } from "node:tls";

/**
 * Serves every host by `other`'s certificate from the product at `product.port`, changed by the hooks of `without`, all
 * optional: `request(headers, about)` and `answer(headers, about)` change headers in place, `text(text, about)` a page or
 * script, `instead(about)` answers itself, `past(about)` goes to the IDE past its gateway. `about` has host, path, method,
 * headers as they came.
 */
export async function startMirror(product, other, ide) {
  const mirror = { without: {} };
  const about = (request) => ({ host: request.headers.host, path: request.url, method: request.method, headers: request.headers });
  const outgoing = (request) => {
    const headers = { ...request.headers };
    if (mirror.without.text) delete headers["accept-encoding"];
    mirror.without.request?.(headers, about(request));
    return headers;
  };
  const server = createServer({ key: other.key, cert: other.cert }, (request, response) => {
    const { without } = mirror, what = about(request);
    const instead = without.instead?.(what);
    if (instead) { response.writeHead(instead.status, instead.headers); response.end(instead.body); return; }
    const headers = outgoing(request);
    const options = { method: request.method, path: request.url, headers, agent: false };
    const onward = without.past?.(what)
      ? askPlainly({ ...options, host: ide.address.split(":")[0], port: ide.address.split(":")[1], headers: { ...headers, "x-forwarded-host": what.host } })
      : ask({ ...options, host: "127.0.0.1", port: product.port, ca: product.ca, servername: what.host });
    onward.on("error", () => { response.destroy(); });
    response.on("close", () => { onward.destroy(); });
    onward.on("response", async (answer) => {
      const changed = { ...answer.headers };
      without.answer?.(changed, what);
      const kind = String(changed["content-type"]);
      if (without.text && /html|javascript/.test(kind)) {
        let text = "";
        answer.setEncoding("utf8");
        for await (const piece of answer) text += piece;
        text = without.text(text, what);
        delete changed["transfer-encoding"];
        response.writeHead(answer.statusCode, { ...changed, "content-length": Buffer.byteLength(text) });
        response.end(text);
      } else {
        response.writeHead(answer.statusCode, changed);
        answer.pipe(response);
      }
    });
    request.pipe(onward);
  });
  server.on("upgrade", (request, socket, head) => {
    const onward = connect({ host: "127.0.0.1", port: product.port, ca: product.ca, servername: request.headers.host }, () => {
      const lines = Object.entries(outgoing(request)).map(([name, value]) => `${name}: ${value}\r\n`);
      onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join("")}\r\n`);
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [socket, onward]) end.on("error", () => { socket.destroy(); onward.destroy(); });
  });
  await new Promise((done) => { server.listen(0, "127.0.0.1", done); });
  mirror.port = server.address().port;
  mirror.stop = () => { server.close(); server.closeAllConnections(); };
  return mirror;
}
