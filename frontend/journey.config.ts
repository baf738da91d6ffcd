import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// The whole product as a person meets it, in a real browser: `make journey`. One story, whose steps need each other.
export default defineConfig({
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  test: { environment: "node", include: ["tests/journey/**/*.test.ts"], maxWorkers: 1, isolate: false, bail: 1, testTimeout: 240_000, hookTimeout: 120_000 },
});
