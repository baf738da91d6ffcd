// Starts the IDE: `start.mjs FOLDER --hostname=127.0.0.1 --port=3000`. What it needs besides its own files is a folder
// to open and a home to write in; both are on the workspace's volume.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { putSample } from './sample.mjs';

/** What the backend reads from the environment, unless somebody has set it. */
export function settings(here, home, folder) {
  return {
    HOME: home,
    // One label deep beside the workspace's own name: one wildcard certificate covers both, and the workspace's cookie
    // is never sent there. The gateway knows hosts of this form.
    THEIA_WEBVIEW_EXTERNAL_ENDPOINT: 'w-{{uuid}}-{{hostname}}',
    THEIA_MINI_BROWSER_HOST_PATTERN: 'w-{{uuid}}-{{hostname}}',
    THEIA_DEFAULT_PLUGINS: `local-dir:${path.join(here, 'plugins')}`,
    SHELL: '/bin/bash',
    // What is trusted without a question, and what the sample project goes into.
    ...(folder !== undefined && { CODITECT_FOLDER: folder }),
  };
}

/** The folder among the arguments, as an absolute path. */
export function folderOf(args) {
  const folder = args.find(arg => !arg.startsWith('-'));
  return folder === undefined ? undefined : path.resolve(folder);
}

/**
 * Ends this process and all that it started when standard input does: whoever holds the other end is gone, however
 * that happened. For whoever starts us as a process group of our own.
 */
function endWithStandardInput() {
  const end = () => process.kill(-process.pid, 'SIGKILL');
  process.stdin.on('end', end).on('error', end).resume();
}

async function main() {
  if (process.env.CODITECT_ENDS_WITH_INPUT) {
    // Not for the programs that a person starts here.
    delete process.env.CODITECT_ENDS_WITH_INPUT;
    endWithStandardInput();
  }
  const here = path.dirname(fileURLToPath(import.meta.url));
  // The gateway, another user of the same group, brings back versions of what is written here.
  process.umask(0o002);
  const folder = folderOf(process.argv.slice(2));
  const home = process.env.HOME || path.join(folder ?? process.cwd(), '.home');
  // Keys and what the person has not saved lie there: for nobody else.
  mkdirSync(path.dirname(home), { recursive: true });
  mkdirSync(home, { recursive: true, mode: 0o700 });
  for (const [name, value] of Object.entries(settings(here, home, folder))) {
    process.env[name] ||= value;
  }
  if (folder !== undefined) {
    try {
      await putSample(path.join(here, 'sample'), folder, home);
    } catch (error) {
      // A full or read-only volume is no reason to have no IDE: with it a person makes room.
      console.error(`the sample project was not put into ${folder}: ${error.message}`);
    }
  }
  createRequire(import.meta.url)('./lib/backend/main.js');
}

// Not when a test reads it.
if (process.argv[1] && pathToFileURL(path.resolve(process.argv[1])).href === import.meta.url) {
  await main();
}
