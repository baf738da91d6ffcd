import { signedIn } from "@/shared/session/session";
import { type Schemas, api, unwrap } from "./client";

export type Membership = Schemas["Membership"];
export type Member = Schemas["Member"];
export type Role = Schemas["RoleName"];
export type Invitation = Schemas["Invitation"];
export type MyInvitation = Schemas["MyInvitation"];
export type Decision = Schemas["Decision"];

const of = (id: string) => ({ params: { path: { id } } });
/** More than this nobody looks through on a page. */
const MOST_MEMBERS = 1_000;

export const memberships = async () => unwrap(await api.GET("/api/v5/tenants")).items;
/** Acts in another tenant from now on, in this tab and the others. */
export const switchTo = async (tenant: string) => { signedIn(unwrap(await api.POST("/api/v5/tenants/{id}/switch", of(tenant)))); };

/** Names the present tenant; null takes its name away. */
export const rename = async (name: string | null) => unwrap(await api.PATCH("/api/v5/tenant", { body: { name } }));

/** Everybody in the present tenant, and what those who left have left behind. */
export async function members(): Promise<{ items: Member[]; more: boolean }> {
  const items: Member[] = [];
  let cursor: string | null = null;
  do {
    const page: Schemas["MemberPage"] = unwrap(await api.GET("/api/v5/tenant/members", { params: { query: { limit: 100, ...(cursor ? { cursor } : {}) } } }));
    items.push(...page.items);
    cursor = page.next_cursor ?? null;
  } while (cursor && items.length < MOST_MEMBERS);
  return { items, more: cursor !== null };
}
export const changeRole = async (user: string, role: Role) => unwrap(await api.PATCH("/api/v5/tenant/members/{id}", { ...of(user), body: { role } }));
export const removeMember = async (user: string) => unwrap(await api.DELETE("/api/v5/tenant/members/{id}", of(user)));
export const restoreMember = async (user: string) => unwrap(await api.POST("/api/v5/tenant/members/{id}/restore", of(user)));
/** `to`: the user of a member who stays; null: the organisation. */
export const handOver = async (user: string, to: string | null) => unwrap(await api.POST("/api/v5/tenant/members/{id}/hand-over", { ...of(user), body: { to } }));
export const leaveTenant = async () => { unwrap(await api.POST("/api/v5/tenant/leave")); };

export const invitations = async () => unwrap(await api.GET("/api/v5/tenant/invitations")).items;
/** `attempt` names the attempt: sent again, it is the same invitation. */
export const invite = async (email: string, role: Role, attempt: string) =>
  unwrap(await api.POST("/api/v5/tenant/invitations", { params: { header: { "Idempotency-Key": attempt } }, body: { email, role } }));
export const withdraw = async (id: string) => { unwrap(await api.DELETE("/api/v5/tenant/invitations/{id}", of(id))); };

/** What was decided in the present tenant, a page of it. */
export const decisions = async (cursor: string | null) => unwrap(await api.GET("/api/v5/tenant/audit", { params: { query: { limit: 50, ...(cursor ? { cursor } : {}) } } }));

export const myInvitations = async () => unwrap(await api.GET("/api/v5/me/invitations")).items;
export const accept = async (id: string, code: string | null) => unwrap(await api.POST("/api/v5/me/invitations/{id}/accept", { ...of(id), body: { code } }));
export const decline = async (id: string, code: string | null) => { unwrap(await api.POST("/api/v5/me/invitations/{id}/decline", { ...of(id), body: { code } })); };
