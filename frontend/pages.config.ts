import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// The built app in a real browser against a stand-in for the API. Two files at a time, and two scenes: more wait for each other on two cores.
export default defineConfig({
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  test: { environment: "node", include: ["tests/pages/**/*.test.ts"], maxWorkers: 2, maxConcurrency: 2, isolate: false, testTimeout: 60_000, hookTimeout: 60_000 },
});
