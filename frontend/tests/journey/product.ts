import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { program as chromium } from "../pages/browser";

/** What `scripts/journey` hands over. */
function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run \`make journey\``);
  return value;
}

/** `coditect dev` with the built web app and the built IDE, and its data. */
export interface Product {
  url: string;
  /** The folder of the one workspace's files. */
  volume: () => string;
  /** What is left of anybody's files. */
  volumes: () => string[];
  /** Changes how long a workspace of the free plan may be idle, as an operator does: in the policy's file. */
  idleAfter: (minutes: number) => void;
  /** A program that starts Chromium as people have it: playwright switches off that a page within a page has storage of its own. */
  browser: string;
  stop: () => Promise<void>;
}

export async function start(): Promise<Product> {
  const folder = mkdtempSync(join(tmpdir(), "coditect-journey-"));
  const data = join(folder, "data");
  const options = ["--data", data, "--listen", "127.0.0.1:0", "--output", "json", "--web-app-folder", setting("CODITECT_WEB_APP_FOLDER"), "--ide", setting("CODITECT_IDE_FOLDER")];
  const dev = spawn(setting("CODITECT_PROGRAM"), ["dev", ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const { url } = await firstLine(dev);
  const users = () => subfolders(join(data, "volumes"));
  const of = (user: string) => subfolders(join(data, "volumes", user)).filter((name) => !name.endsWith(".pod")).map((name) => join(data, "volumes", user, name));
  const volumes = () => users().flatMap(of);
  const browser = join(folder, "chromium");
  writeFileSync(browser, `#!/bin/bash\nexec ${chromium()} "\${@//,ThirdPartyStoragePartitioning/}"\n`);
  chmodSync(browser, 0o700);
  return {
    url,
    browser,
    volumes,
    volume: () => {
      const [only, ...others] = volumes();
      if (!only || others.length) throw new Error(`there is not one volume: ${[only, ...others].join(", ")}`);
      return only;
    },
    idleAfter: (minutes) => {
      const plan = join(data, "policy/tenants/plans/free.yaml");
      writeFileSync(plan, readFileSync(plan, "utf8").replace(/idleMinutes: \d+/, `idleMinutes: ${minutes}`));
    },
    stop: async () => {
      const ended = once(dev, "exit");
      dev.kill("SIGTERM");
      const [code] = (await ended) as [number | null];
      if (!process.env["CODITECT_KEEP"]) rmSync(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`coditect ended with ${code}`);
    },
  };
}

async function firstLine(dev: ChildProcess): Promise<{ url: string }> {
  if (!dev.stdout) throw new Error("nothing to read");
  const line = await Promise.race([once(createInterface(dev.stdout), "line"), once(dev, "exit")]);
  return JSON.parse(String(line[0])) as { url: string };
}

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}
