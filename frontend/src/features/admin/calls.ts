import { type Schemas, api, unwrap } from "@/shared/api/client";

export type SeenUser = Schemas["SeenUser"];
export type SeenPerson = Schemas["SeenPerson"];

/** By what somebody is found. */
export type Search = { by: "all" } | { by: "email" | "tenant" | "slug" | "user"; text: string };
export const WAYS: readonly (readonly [by: Exclude<Search["by"], "all">, text: string])[] = [["email", "E-mail"], ["user", "User's id"], ["tenant", "Organisation's id"], ["slug", "Workspace's host name"]];

const PAGE = 50;
const of = (id: string) => ({ params: { path: { id } } });

/** The first label of a host name, of whatever of an address was pasted. */
export const slugIn = (text: string) => text.trim().replace(/^https?:\/\//, "").split(/[./:]/)[0] ?? "";

/** Users by ids alone, a page of them. */
export async function users(search: Search, cursor: string | null): Promise<Schemas["SeenUserPage"]> {
  const filter = search.by === "email" || search.by === "tenant" ? { [search.by]: search.text } : {};
  return unwrap(await api.GET("/api/v5/admin/users", { params: { query: { limit: PAGE, ...filter, ...(cursor ? { cursor } : {}) } } }));
}
/** Whose workspace has a host name; null if nobody's has. */
export const ownerOf = async (slug: string) => unwrap(await api.GET("/api/v5/admin/workspaces", { params: { query: { slug } } })).items[0]?.user ?? null;
/** A user with its person. That one looked is written down where the person's organisation sees it. */
export const look = async (id: string): Promise<SeenPerson> => unwrap(await api.GET("/api/v5/admin/users/{id}", of(id)));
export const hold = async (id: string): Promise<SeenPerson> => unwrap(await api.POST("/api/v5/admin/users/{id}/hold", of(id)));
export const letGo = async (id: string): Promise<SeenPerson> => unwrap(await api.POST("/api/v5/admin/users/{id}/let-go", of(id)));
export const timeLine = async (id: string, cursor: string | null) => unwrap(await api.GET("/api/v5/admin/users/{id}/audit", { params: { path: { id }, query: { limit: PAGE, ...(cursor ? { cursor } : {}) } } }));
/** What waits for approval in every cell, and what was decided lately. */
export const waiting = async () => unwrap(await api.GET("/api/v5/admin/approvals", {})).items;
/** What administrators did; of a tenant, what was decided there. */
export const decisions = async (tenant: string, cursor: string | null) => unwrap(await api.GET("/api/v5/admin/audit", { params: { query: { limit: PAGE, ...(tenant ? { tenant } : {}), ...(cursor ? { cursor } : {}) } } }));
