import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// The built app in a real browser against a stand-in for the API. One after the other: a browser uses what cores there are.
export default defineConfig({
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  test: { environment: "node", include: ["tests/pages/**/*.test.ts"], maxWorkers: 1, maxConcurrency: 2, isolate: false, testTimeout: 60_000, hookTimeout: 60_000 },
});
