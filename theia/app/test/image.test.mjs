import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import { after, test } from 'node:test';

const program = name => new URL(`../../image/${name}`, import.meta.url).pathname;
const servers = [];
after(() => servers.forEach(server => server.close()));

async function listen(server) {
  servers.push(server);
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

async function unused() {
  const server = net.createServer();
  const port = await listen(server);
  await new Promise(resolve => server.close(resolve));
  return port;
}

function run(name, args, env = {}) {
  return new Promise(resolve => {
    const child = spawn(program(name), args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', part => said += part);
    child.on('close', code => resolve({ code, said }));
  });
}

async function gateway(status, body) {
  const heard = [];
  const port = await listen(http.createServer((request, response) => {
    heard.push(`${request.method} ${request.url} ${request.headers.host}`);
    response.writeHead(status).end(body);
  }));
  return { heard, env: { CODITECT_INSIDE: `127.0.0.1:${port}` }, port };
}

test('a stop waits until the gateway has everything', async () => {
  const { heard, env, port } = await gateway(200, '{"tabs":2,"unsaved":0,"handed_over":true,"waiting":0}');
  assert.deepEqual(await run('wait-for-flush', [], env), { code: 0, said: '' });
  assert.deepEqual(heard, [`POST /stop 127.0.0.1:${port}`]);
});

test('what may be lost is said, and the stop goes on', async () => {
  const { env } = await gateway(200, '{"tabs":2,"unsaved":1,"handed_over":false,"waiting":7}');
  const lost = await run('wait-for-flush', [], env);
  assert.equal(lost.code, 1);
  assert.match(lost.said, /1 of 2 tabs.*7 file events/);
  for (const [status, body, said] of [[500, '', /500/], [200, 'no', /no JSON/]]) {
    const { env } = await gateway(status, body);
    const failed = await run('wait-for-flush', [], env);
    assert.equal(failed.code, 1);
    assert.match(failed.said, said);
  }
  const away = await run('wait-for-flush', [], { CODITECT_INSIDE: `127.0.0.1:${await unused()}` });
  assert.equal(away.code, 1);
  assert.match(away.said, /not there/);
});

test('a gateway that never answers does not hold up the end', async () => {
  const port = await listen(net.createServer());
  const late = await run('wait-for-flush', [], { CODITECT_INSIDE: `127.0.0.1:${port}`, CODITECT_FLUSH_PATIENCE_MS: '100' });
  assert.equal(late.code, 1);
  assert.match(late.said, /more than 0.1 s/);
});

test('health is an answer, not an open port', async () => {
  const { port, heard } = await gateway(200, 'ok');
  assert.equal((await run('ide-health', [String(port)])).code, 0);
  assert.match(heard[0], /^GET \/health /);
  assert.notEqual((await run('ide-health', [String((await gateway(503, '')).port)])).code, 0);
  assert.notEqual((await run('ide-health', [String(await unused())])).code, 0);
  const shut = await listen(net.createServer(socket => socket.destroy()));
  assert.notEqual((await run('ide-health', [String(shut)])).code, 0);
});
