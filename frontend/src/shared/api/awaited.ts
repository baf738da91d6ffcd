/**
 * What the pages need and the API does not have yet: paths and forms as they are expected. Each answers `null` where the
 * API has no such address, and the page then says so. An endpoint that is there moves to the generated types.
 */
import { probe } from "./client";

/** `GET /api/v5/me/usage`: this month so far. */
export interface Usage {
  /** Hours that workspaces ran. */
  hours: number;
  llm_requests: number;
  /** Bytes on all volumes; null while none was measured. */
  storage_bytes: number | null;
  /** When the month's counts begin anew. */
  resets_at: string;
}
export const usage = () => probe<Usage>("GET", "/api/v5/me/usage");

/** `POST /api/v5/workspaces/{id}/connect`: a code for the workspace's own origin: 30 s, one use. */
export interface Connection {
  code: string;
  /** Where its page is: scheme, host and port. */
  origin: string;
}
export const connect = (id: string) => probe<Connection>("POST", `/api/v5/workspaces/${id}/connect`);

/** `GET /api/v5/workspaces/{id}/history`: the commits that touched it, newest first. */
export interface Change {
  commit: string;
  at: string;
  /** What changed, a sentence each: `Storage 1 Gi → 10 Gi; no restart`. */
  sentences: string[];
  /** Unified diff of the user's file. */
  diff: string;
}
export const history = (id: string) => probe<{ items: Change[] }>("GET", `/api/v5/workspaces/${id}/history`);

/** `GET /api/v5/workspaces/{id}/manifests[?commit=]`: what Git holds for it. */
export interface Manifests {
  commit: string;
  at: string;
  path: string;
  objects: { kind: string; name: string; yaml: string }[];
}
export const manifests = (id: string, commit: string | null) =>
  probe<Manifests>("GET", `/api/v5/workspaces/${id}/manifests${commit ? `?commit=${encodeURIComponent(commit)}` : ""}`);

/** `GET /api/v5/me/logins`, `DELETE /api/v5/me/logins/{id}`. */
export interface SignIn { id: string; began_at: string; used_at: string; agent: string; present: boolean }
export const signIns = () => probe<{ items: SignIn[] }>("GET", "/api/v5/me/logins");
export const endSignIn = (id: string) => probe<object>("DELETE", `/api/v5/me/logins/${id}`);

/** `GET` and `POST /api/v5/me/api-keys`, `DELETE /api/v5/me/api-keys/{id}`; the secret is told once. */
export interface ApiKey { id: string; name: string; created_at: string; used_at: string | null; secret?: string }
export const apiKeys = () => probe<{ items: ApiKey[] }>("GET", "/api/v5/me/api-keys");
export const makeApiKey = (name: string) => probe<ApiKey>("POST", "/api/v5/me/api-keys", { name });
export const revokeApiKey = (id: string) => probe<object>("DELETE", `/api/v5/me/api-keys/${id}`);

/** `GET /api/v5/me/connections`: providers with which one signs in. */
export interface Provider { provider: string; connected_at: string | null }
export const connections = () => probe<{ items: Provider[] }>("GET", "/api/v5/me/connections");

/** `POST /api/v5/auth/verify-email` with the code of the mail. */
export const verifyEmail = (code: string) => probe<object>("POST", "/api/v5/auth/verify-email", { code });
/** `POST /api/v5/auth/forgot-password`; answers alike for every address. */
export const forgotPassword = (email: string) => probe<object>("POST", "/api/v5/auth/forgot-password", { email });
/** `POST /api/v5/auth/reset-password` with the code of the mail. */
export const resetPassword = (code: string, password: string) => probe<object>("POST", "/api/v5/auth/reset-password", { code, password });

/** `GET /api/v5/billing/invoices`. */
export interface Invoice { id: string; at: string; cents: number; status: string; url: string }
export const invoices = () => probe<{ items: Invoice[] }>("GET", "/api/v5/billing/invoices");
