// The licences of everything that is shipped with the IDE, from the lock file: `licences.mjs` compares them with
// licences.txt and with what may be shipped; `licences.mjs --write` writes that file anew.
import { readFile, writeFile } from 'node:fs/promises';

/** What may be shipped in a commercial product; MPL as separate, unchanged files. */
const ALLOWED = new Set([
  '0BSD', 'Apache-2.0', 'Artistic-2.0', 'BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'CC-BY-3.0', 'CC-BY-4.0', 'CC0-1.0',
  'EPL-2.0', 'ISC', 'MIT', 'MIT-0', 'MPL-2.0', 'OFL-1.1', 'PSF-2.0', 'Python-2.0', 'Unlicense', 'WTFPL', 'Zlib',
]);
const here = name => new URL(name, import.meta.url);

/** Whether an expression of SPDX (annex D, without WITH) leaves a choice that is allowed. */
export function isAllowed(expression) {
  const text = expression.replace(/^\((.*)\)$/, '$1');
  return text.split(/ OR /).some(choice => choice.split(/ AND /).every(one => ALLOWED.has(one.trim().replace(/[()]/g, ''))));
}

/** Names and licences of what is shipped. */
export function shipped(lock, known) {
  const found = new Map();
  for (const [place, entry] of Object.entries(lock.packages)) {
    if (entry.dev || entry.link || !place.includes('node_modules/')) {
      continue;
    }
    const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const licence = known[`${name}@${entry.version}`] ?? entry.license ?? 'unknown';
    found.set(`${name}@${entry.version}`, typeof licence === 'string' ? licence : licence.type);
  }
  return [...found].sort(([one], [other]) => (one < other ? -1 : 1));
}

if (process.argv[1] === here('licences.mjs').pathname) {
  const lock = JSON.parse(await readFile(here('package-lock.json'), 'utf8'));
  const known = JSON.parse(await readFile(here('licences-known.json'), 'utf8'));
  const all = shipped(lock, known);
  const counts = new Map();
  for (const [, licence] of all) {
    counts.set(licence, (counts.get(licence) ?? 0) + 1);
  }
  const text = [
    'Packages that the IDE is built from, with their licences. Written by licences.mjs.',
    '',
    ...[...counts].sort(([, one], [, other]) => other - one).map(([licence, count]) => `${String(count).padStart(5)}  ${licence}`),
    '',
    ...all.map(([name, licence]) => `${name}  ${licence}`),
    '',
  ].join('\n');
  if (process.argv[2] === '--write') {
    await writeFile(here('licences.txt'), text);
  } else if (text !== await readFile(here('licences.txt'), 'utf8')) {
    console.error('licences.txt is not of this lock file: `npm run licences -- --write`, and read the difference');
    process.exitCode = 1;
  }
  for (const [name, licence] of all.filter(([, licence]) => !isAllowed(licence))) {
    console.error(`${name} has the licence ${licence}: look whether it may be shipped`);
    process.exitCode = 1;
  }
}
