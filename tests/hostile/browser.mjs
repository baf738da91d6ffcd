// Chromium, in which `*.test` leads to this machine, and which trusts nobody but the authorities it is given.
import { createRequire } from "node:module";

const { chromium } = createRequire(`${process.env.CODITECT_NODE_MODULES}/`)("playwright-core");

/** A browser of a person with this home, for whom `hosts` (pattern → port) lead here. */
export function launch(home, hosts) {
  const rules = Object.entries(hosts).map(([pattern, port]) => `MAP ${pattern}:443 127.0.0.1:${port}`);
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    env: { ...process.env, HOME: home },
    args: ["--no-sandbox", "--disable-gpu", `--host-resolver-rules=${rules.join(", ")}, MAP * ~NOTFOUND`],
  });
}
