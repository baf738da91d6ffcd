import type { Role } from "@/shared/api/tenants";

export const roles: Record<Role, { name: string; may: string }> = {
  owner: { name: "Owner", may: "pays, and may hand everything over" },
  admin: { name: "Admin", may: "manages members" },
  member: { name: "Member", may: "uses workspaces" },
};

/** The end of an id: ids that are made together begin alike. */
export const tail = (id: string) => id.slice(-6);
/** What an organisation is called: by its people, or else by the end of its id. */
export const tenantName = ({ tenant, name }: { tenant: string; name?: string | null }) => name ?? `Organisation ${tail(tenant)}`;

/** What was decided, by the name of the action. `{user}` and the like stand for what belongs to it. */
const DECIDED: Record<string, string> = {
  signed_up: "signed up", profile_changed: "changed their profile", personal_copy_taken: "took a copy of everything of theirs", password_changed: "changed their password",
  password_reset: "set a new password by letter", email_changed: "changed their address", signed_in: "signed in", signed_out: "signed out", signed_out_elsewhere: "ended other sign-ins",
  sign_in_revoked: "had a sign-in ended: an old token was used again", identity_linked: "connected {provider}", identity_unlinked: "disconnected {provider}",
  account_reclaimed: "took the account back by {provider}; every other way in was shut", second_factor_enabled: "switched a second factor on", second_factor_removed: "switched the second factor off",
  recovery_code_used: "signed in with a recovery code", api_key_issued: "made API key {api_key}", api_key_revoked: "revoked API key {api_key}",
  member_invited: "invited somebody as {role}", invitation_revoked: "took an invitation back", invitation_declined: "declined an invitation", member_joined: "joined",
  member_removed: "removed {user}", member_left: "left", member_restored: "restored {user}", role_changed: "made {user} {role}", owner_succeeded: "made {user} owner, as nobody else was left",
  user_handed_over: "handed over what {user} left behind", account_erased: "erased the account", customer_linked: "linked a customer of the payment provider", subscription_changed: "changed the subscription",
  workspace_created: "made workspace {workspace}", workspace_renamed: "renamed workspace {workspace}", workspace_started: "started workspace {workspace}", workspace_stopped: "stopped workspace {workspace}",
  workspace_kept: "kept workspace {workspace} awake", workspace_suspended: "put workspace {workspace} to sleep: {cause}", workspace_marked: "deleted workspace {workspace}; it can be restored",
  workspace_restored: "restored workspace {workspace}", workspace_deleted: "erased workspace {workspace}", user_marked: "marked {user} for deletion", user_restored: "restored {user}", user_deleted: "erased {user}",
  user_held: "held {user}: nothing of it runs", user_let_go: "let {user} go", user_looked_at: "looked at the person of {user}", user_adopted: "took {user} over from Git",
  user_quarantined: "quarantined {user}: its objects could not be rendered", quarantine_lifted: "lifted the quarantine of {user}", approval_requested: "asked for approval of a change of {user}", approval_granted: "approved a change", approval_declined: "declined a change", plan_changed: "chose the {plan} plan", tenant_renamed: "renamed the organisation",
  storage_raised: "raised the storage of workspace {workspace} to {gib} Gi", index_repaired: "repaired an index",
};

const PEOPLE = ["user", "to"];

/** A decision as the rest of a sentence whose subject decided. `name`: what a user is called. */
export function decided({ action, details }: { action: string; details: object }, name: (user: string) => string): string {
  const text = DECIDED[action] ?? action.replaceAll("_", " ");
  return text.replace(/\{(\w+)\}/g, (_, key: string) => {
    const value = (details as Record<string, unknown>)[key];
    if (typeof value === "number") return String(value);
    if (typeof value !== "string") return "something";
    if (PEOPLE.includes(key)) return name(value);
    return /^[0-9a-f]{8}-/.test(value) ? tail(value) : value.replaceAll("_", " ");
  });
}
