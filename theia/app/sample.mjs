// The project that a new workspace begins with.
import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** What a volume may hold before anybody has used it. */
const NOTHING = new Set(['.home', 'lost+found']);

/**
 * Puts the sample into a folder that nobody has used yet, once in its life: who deletes it does not want it back.
 * A start that was killed on the way is made good by the next one. True if the folder was new.
 */
export async function putSample(sample, folder, home) {
  const stamp = path.join(home, '.coditect', 'sample');
  if (await exists(stamp)) {
    return false;
  }
  await mkdir(folder, { recursive: true });
  const ours = new Set(await readdir(sample));
  const isNew = (await readdir(folder)).every(name => NOTHING.has(name) || ours.has(name) || path.join(folder, name) === home);
  if (isNew) {
    await copy(sample, folder);
  }
  await mkdir(path.dirname(stamp), { recursive: true, mode: 0o700 });
  await writeFile(stamp, 'The sample project was put here once.\n');
  return isNew;
}

async function copy(from, to) {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) {
      await copy(source, target);
    } else {
      await copyFile(source, target, constants.COPYFILE_EXCL).catch(error => {
        if (error.code !== 'EEXIST') {
          throw error;
        }
      });
    }
  }
}

async function exists(place) {
  return stat(place).then(() => true, () => false);
}
