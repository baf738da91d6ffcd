import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Where `coditect dev` listens while one works on the app.
const api = process.env["CODITECT_API"] ?? "http://127.0.0.1:8080";
// The API takes the refresh cookie from pages of its own address only; in development this server is that page.
const proxied = {
  target: api,
  headers: { origin: api },
};

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: { proxy: { "/api": proxied, "/openapi.json": proxied, "/docs": proxied, "/problems": proxied } },
  // The policy under which the pages are served: nothing inline. Frames: workspaces, each at an address of its own.
  preview: {
    headers: {
      "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-src http: https:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    },
    proxy: { "/api": proxied, "/openapi.json": proxied, "/docs": proxied, "/problems": proxied },
  },
  // Inline data would need a looser policy than the pages have.
  build: { manifest: true, assetsInlineLimit: 0, target: "es2022", modulePreload: { polyfill: false } },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"], setupFiles: ["src/test-setup.ts"], testTimeout: 30_000 },
});
