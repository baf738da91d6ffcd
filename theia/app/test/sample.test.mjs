import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { putSample } from '../sample.mjs';
import { folderOf, settings } from '../start.mjs';

const sample = new URL('../sample', import.meta.url).pathname;
const folders = [];
after(() => Promise.all(folders.map(folder => rm(folder, { recursive: true }))));

async function volume() {
  const folder = await mkdtemp(path.join(tmpdir(), 'theia-sample-'));
  folders.push(folder);
  return { folder, home: path.join(folder, '.home') };
}

test('a new volume gets the sample, programs among it stay programs', async () => {
  const { folder, home } = await volume();
  await mkdir(path.join(folder, 'lost+found'));
  assert.equal(await putSample(sample, folder, home), true);
  const names = await readdir(folder);
  for (const name of await readdir(sample)) {
    assert.ok(names.includes(name), name);
  }
  assert.ok((await stat(path.join(folder, 'hello.sh'))).mode & 0o100);
});

test('whoever deletes it does not get it back', async () => {
  const { folder, home } = await volume();
  await putSample(sample, folder, home);
  await rm(path.join(folder, 'README.md'));
  assert.equal(await putSample(sample, folder, home), false);
  assert.ok(!(await readdir(folder)).includes('README.md'));
});

test('a folder that somebody uses is left as it is', async () => {
  const { folder, home } = await volume();
  await writeFile(path.join(folder, 'mine'), '');
  assert.equal(await putSample(sample, folder, home), false);
  await rm(path.join(folder, 'mine'));
  assert.equal(await putSample(sample, folder, home), false);
  assert.deepEqual(await readdir(folder), ['.home']);
});

test('a start that was killed on the way is made good, and overwrites nothing', async () => {
  const { folder, home } = await volume();
  await cp(path.join(sample, 'hello.sh'), path.join(folder, 'hello.sh'));
  await writeFile(path.join(folder, 'README.md'), 'mine');
  assert.equal(await putSample(sample, folder, home), true);
  assert.equal(await readFile(path.join(folder, 'README.md'), 'utf8'), 'mine');
  assert.ok((await readdir(folder)).includes('test.js'));
});

test('the folder is the argument that is no option, and the hosts of webviews are one label deep', () => {
  assert.equal(folderOf(['--port=3000', '/workspace', '--hostname=127.0.0.1']), '/workspace');
  assert.equal(folderOf(['--port=3000']), undefined);
  const { THEIA_WEBVIEW_EXTERNAL_ENDPOINT: pattern } = settings('/ide', '/home');
  const host = pattern.replace('{{uuid}}', crypto.randomUUID()).replace('{{hostname}}', 'quiet-otter-7k3fm.ws.example');
  assert.match(host, /^w-[0-9a-f-]{36}-quiet-otter-7k3fm\.ws\.example$/);
  assert.ok(host.split('.')[0].length <= 63, 'a DNS label has at most 63 characters');
});
