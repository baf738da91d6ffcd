/**
 * What the pages need and the API does not have yet: paths and forms as they are expected. Each answers `null` where the
 * API has no such address, and the page then says so. An endpoint that is there moves to the generated types.
 */
import { probe } from "./client";

/** `GET /api/v5/billing/invoices`. */
export interface Invoice { id: string; at: string; cents: number; status: string; url: string }
export const invoices = () => probe<{ items: Invoice[] }>("GET", "/api/v5/billing/invoices");
