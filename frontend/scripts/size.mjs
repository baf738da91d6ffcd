// Fails if the landing page loads more compressed JavaScript than its budget, or any of the IDE page's.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = 200_000;
const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));
const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const landing = Object.keys(manifest).find((key) => key.endsWith("features/landing/page.tsx"));
const ide = Object.keys(manifest).find((key) => key.endsWith("features/ide/page.tsx"));
if (!entry || !landing || !ide) throw new Error("the build has no entry, no landing page or no IDE page of its own");

/** Everything that `key` loads before it runs. */
function reach(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const next of manifest[key].imports ?? []) reach(next, seen);
  return seen;
}

const loaded = reach(landing, reach(entry));
let total = 0;
for (const key of loaded) {
  const file = manifest[key].file;
  if (!file.endsWith(".js")) continue;
  const size = gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;
  total += size;
  console.log(`${(size / 1000).toFixed(1).padStart(7)} kB  ${file}`);
}
console.log(`${(total / 1000).toFixed(1).padStart(7)} kB  landing page, gzip (budget ${BUDGET / 1000} kB)`);
if (loaded.has(ide)) throw new Error("the landing page loads the IDE page");
if (total > BUDGET) throw new Error(`the landing page loads ${total} bytes of JavaScript; ${BUDGET} are allowed`);
