import type { Member, Role } from "@/shared/api/tenants";

/** What one member may do with another: allowed, or why not. The API decides; this spares a person asking in vain. */
export interface May { role: true | string; remove: true | string; restore: boolean; handOver: true | string }

const RANK: Record<Role, number> = { member: 0, admin: 1, owner: 2 };
const MANAGERS = "Owners and admins manage members.";

export const manages = (role: Role | undefined) => role !== undefined && RANK[role] >= RANK.admin;
/** The roles that somebody of a role may give: none above their own. */
export const gives = (role: Role): Role[] => (["member", "admin", "owner"] as const).filter((one) => RANK[one] <= RANK[role]);
/** Whether a member stays: neither on their way out nor left behind. */
export const stays = (one: Member) => !one.deletes_at && !one.left_behind;

export function may(me: Role, one: Member, all: readonly Member[]): May {
  const below = RANK[me] < RANK[one.role] ? "Only an owner decides about an owner." : true;
  const reach = manages(me) ? below : MANAGERS;
  const owners = all.filter((other) => other.role === "owner" && stays(other));
  const last = one.role === "owner" && stays(one) && owners.length === 1;
  const owned = last ? "There must be an owner: make somebody else one first." : true;
  const leaving = Boolean(one.deletes_at);
  const first = (...reasons: (true | string)[]) => reasons.find((reason) => reason !== true) ?? true;
  return {
    role: first(reach, one.left_behind ? "What was left behind has no role." : true, leaving ? "On their way out." : true, owned),
    remove: first(reach, one.you ? "To go yourself, leave." : true, leaving ? "On their way out." : true, owned),
    restore: reach === true && leaving && !one.asked,
    handOver: first(reach, one.asked ? "They asked for the end of their account." : true, leaving || one.left_behind ? true : "They have not left."),
  };
}
