// Puts what the IDE needs at run time into a folder: `assemble.mjs TARGET`. No packages, no compilers, no sources: the
// back end is one bundle with its native modules beside it.
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { languages } from './languages.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.resolve(process.argv[2] ?? '');
if (process.argv[2] === undefined) {
  throw new Error('say where to: assemble.mjs TARGET');
}
await mkdir(target, { recursive: true });
const isNeeded = place => !place.endsWith('.map');
for (const name of ['lib', 'sample', 'start.mjs', 'sample.mjs', 'package.json']) {
  await cp(path.join(here, name), path.join(target, name), { recursive: true, filter: isNeeded });
}
for (const name of await readdir(path.join(here, '../image'))) {
  await cp(path.join(here, '../image', name), path.join(target, 'bin', name));
}
await cp(path.join(here, '../licences.txt'), path.join(target, 'licences.txt'));
for (const [name, text] of Object.entries(await languages())) {
  const place = path.join(target, 'plugins/coditect-languages', name);
  await mkdir(path.dirname(place), { recursive: true });
  await writeFile(place, text);
}
