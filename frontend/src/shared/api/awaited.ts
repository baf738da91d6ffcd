/**
 * What the pages need and the API does not have yet: paths and forms as they are expected. Each answers `null` where the
 * API has no such address, and the page then says so. An endpoint that is there moves to the generated types.
 */
import { probe } from "./client";

/** `GET` and `POST /api/v5/me/api-keys`, `DELETE /api/v5/me/api-keys/{id}`; the secret is told once. */
export interface ApiKey { id: string; name: string; created_at: string; used_at: string | null; secret?: string }
export const apiKeys = () => probe<{ items: ApiKey[] }>("GET", "/api/v5/me/api-keys");
export const makeApiKey = (name: string) => probe<ApiKey>("POST", "/api/v5/me/api-keys", { name });
export const revokeApiKey = (id: string) => probe<object>("DELETE", `/api/v5/me/api-keys/${id}`);

/** `GET /api/v5/billing/invoices`. */
export interface Invoice { id: string; at: string; cents: number; status: string; url: string }
export const invoices = () => probe<{ items: Invoice[] }>("GET", "/api/v5/billing/invoices");
