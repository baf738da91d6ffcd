// Chromium, in which `*.test` leads to this machine, and which trusts nobody but the authorities it is given.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const { chromium } = createRequire(`${process.env.CODITECT_NODE_MODULES}/`)("playwright-core");

/** A browser of a person with this home, for whom `hosts` (pattern → port) lead here. */
export function launch(home, hosts) {
  const rules = Object.entries(hosts).map(([pattern, port]) => `MAP ${pattern}:443 127.0.0.1:${port}`);
  // Playwright switches the partitioning of storage off, without which a page within a page has none; people's have it.
  const program = path.join(home, "chromium");
  const real = process.env.CHROMIUM ?? "/usr/bin/chromium";
  writeFileSync(program, `#!/bin/bash\nexec ${real} "\${@//,ThirdPartyStoragePartitioning/}"\n`, { mode: 0o755 });
  return chromium.launch({
    executablePath: program,
    env: { ...process.env, HOME: home },
    args: ["--no-sandbox", "--disable-gpu", `--host-resolver-rules=${rules.join(", ")}, MAP * ~NOTFOUND`],
  });
}
