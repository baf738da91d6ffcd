//! Who is let in where: the decision about every operation, against which each caller's real answer is held.
//!
//! What paths and bodies name is the owner's (their workspace, session, login, key, provider), a fellow member's where it
//! says `members/{id}`, and the owner's tenant. So of what belongs to a person alone, a fellow, an admin and an
//! administrator of the platform see as little as a stranger.

use super::callers::Who::{self, *};

/// The decision about one operation: method, path, who is let in, the scope that lets a key in, and why if it is not plain.
pub(super) type Row = (
    &'static str,
    &'static str,
    &'static [Who],
    Option<&'static str>,
    &'static str,
);

/// Keys of every scope beside them: what is open is not closed to those who show too much.
const EVERYBODY: &[Who] = &[
    Nobody,
    Other,
    Member,
    Admin,
    Owner,
    Platform,
    Pod,
    Gateway,
    OtherGateway,
    Key,
];
const PEOPLE: &[Who] = &[Other, Member, Admin, Owner, Platform];
/// Each is one in the tenant in which they act, their own if it is not the owner's.
const MANAGERS_SOMEWHERE: &[Who] = &[Other, Admin, Owner, Platform];
const OWNERS_SOMEWHERE: &[Who] = &[Other, Owner, Platform];
const INSIDERS: &[Who] = &[Member, Admin, Owner];
const MANAGERS: &[Who] = &[Admin, Owner];
const OWNER: &[Who] = &[Owner];
const INVITED: &[Who] = &[Other];
const PLATFORM: &[Who] = &[Platform];
const GATEWAYS: &[Who] = &[Gateway, OtherGateway];
const GATEWAY: &[Who] = &[Gateway];
const POD: &[Who] = &[Pod];
const NOBODY: &[Who] = &[];

const PROFILE: Option<&str> = Some("profile:read");
const SEE: Option<&str> = Some("workspaces:read");
const RUN: Option<&str> = Some("workspaces:write");
const TABS: Option<&str> = Some("sessions:read");
const OPEN: Option<&str> = Some("sessions:write");
const FILES: Option<&str> = Some("files:read");
const BACK: Option<&str> = Some("files:write");
const TENANT: Option<&str> = Some("tenant:read");
const MANAGE: Option<&str> = Some("tenant:write");

#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    ("get", "/.well-known/jwks.json", EVERYBODY, None, "public keys"),
    ("get", "/health", EVERYBODY, None, "for machines; names no person"),
    ("get", "/health/fdb", EVERYBODY, None, "for machines"),
    ("get", "/health/ready", EVERYBODY, None, "for machines"),
    ("get", "/metrics", EVERYBODY, None, "for machines; no ids in it"),

    ("get", "/api/v5/plans", EVERYBODY, None, "a price list"),
    ("post", "/api/v5/auth/register", EVERYBODY, None, "nobody has an account before it"),
    ("get", "/api/v5/auth/registrations/{id}", EVERYBODY, None, "the id is the secret"),
    ("post", "/api/v5/auth/registrations/{id}/session", EVERYBODY, None, "the id is the secret, once"),
    ("post", "/api/v5/auth/verify-email", EVERYBODY, None, "checks a code that only a letter tells"),
    ("post", "/api/v5/auth/forgot-password", EVERYBODY, None, "answers alike for every address"),
    ("post", "/api/v5/auth/reset-password", EVERYBODY, None, "checks a code that only a letter tells"),
    ("post", "/api/v5/auth/login", EVERYBODY, None, "checks a password"),
    ("post", "/api/v5/auth/login/second-factor", EVERYBODY, None, "checks what a right password gave, and a code"),
    ("post", "/api/v5/auth/refresh", NOBODY, None, "the refresh cookie is the door, which none of these shows"),
    ("post", "/api/v5/auth/logout", EVERYBODY, None, "takes away, gives nothing"),
    ("get", "/api/v5/auth/providers", EVERYBODY, None, "for the sign-in page"),
    ("get", "/api/v5/auth/{provider}", EVERYBODY, None, "before one is in"),
    ("get", "/api/v5/auth/{provider}/callback", EVERYBODY, None, "checks the browser's cookie and the provider's code"),
    ("post", "/api/v5/auth/identity/session", EVERYBODY, None, "checks the browser's cookie and a code"),

    ("get", "/api/v5/me", PEOPLE, PROFILE, ""),
    ("patch", "/api/v5/me", PEOPLE, None, "who the person is, is theirs to say"),
    ("delete", "/api/v5/me", PEOPLE, None, "asks for the password"),
    ("post", "/api/v5/me/restore", PEOPLE, None, "a marked person's keys are none"),
    ("get", "/api/v5/me/usage", PEOPLE, PROFILE, ""),
    ("get", "/api/v5/me/export", PEOPLE, None, "everything at once: for the person alone"),
    ("put", "/api/v5/me/password", PEOPLE, None, "asks for the password"),
    ("put", "/api/v5/me/email", PEOPLE, None, "asks for the password"),
    ("get", "/api/v5/me/second-factor", PEOPLE, None, "sign-ins are the person's own"),
    ("post", "/api/v5/me/second-factor", PEOPLE, None, "asks for the password"),
    ("post", "/api/v5/me/second-factor/confirm", PEOPLE, None, "sign-ins are the person's own"),
    ("delete", "/api/v5/me/second-factor", PEOPLE, None, "asks for the password"),
    ("get", "/api/v5/me/logins", PEOPLE, None, "sign-ins are the person's own"),
    ("delete", "/api/v5/me/logins/{id}", OWNER, None, "sign-ins are the person's own"),
    ("get", "/api/v5/me/connections", PEOPLE, None, "sign-ins are the person's own"),
    ("post", "/api/v5/me/connections/{provider}", PEOPLE, None, "sign-ins are the person's own"),
    ("delete", "/api/v5/me/connections/{provider}", OWNER, None, "the others have none to take away"),
    ("get", "/api/v5/me/api-keys", PEOPLE, None, "no key knows of others"),
    ("post", "/api/v5/me/api-keys", PEOPLE, None, "no key makes another"),
    ("delete", "/api/v5/me/api-keys/{id}", OWNER, None, "no key ends another"),
    ("get", "/api/v5/me/left-behind", PEOPLE, None, "a key is of one tenant"),
    ("get", "/api/v5/me/invitations", PEOPLE, None, "the person joins themselves"),
    ("post", "/api/v5/me/invitations/{id}/accept", INVITED, None, "it is to that one's address"),
    ("post", "/api/v5/me/invitations/{id}/decline", INVITED, None, "it is to that one's address"),

    ("get", "/api/v5/tenant", PEOPLE, TENANT, ""),
    ("patch", "/api/v5/tenant", MANAGERS_SOMEWHERE, MANAGE, ""),
    ("put", "/api/v5/tenant/plan", OWNERS_SOMEWHERE, None, "costs money"),
    ("get", "/api/v5/tenants", PEOPLE, None, "a key is of one tenant"),
    ("post", "/api/v5/tenants/{id}/switch", INSIDERS, None, "is of a sign-in"),
    ("post", "/api/v5/tenant/leave", PEOPLE, None, "the person goes themselves"),
    ("get", "/api/v5/tenant/audit", MANAGERS_SOMEWHERE, TENANT, ""),
    ("get", "/api/v5/tenant/invitations", MANAGERS_SOMEWHERE, TENANT, "holds addresses"),
    ("post", "/api/v5/tenant/invitations", MANAGERS_SOMEWHERE, MANAGE, ""),
    ("delete", "/api/v5/tenant/invitations/{id}", MANAGERS, MANAGE, ""),
    ("get", "/api/v5/tenant/members", PEOPLE, TENANT, "addresses are shown to admins and owners alone"),
    ("patch", "/api/v5/tenant/members/{id}", MANAGERS, MANAGE, ""),
    ("delete", "/api/v5/tenant/members/{id}", MANAGERS, MANAGE, ""),
    ("post", "/api/v5/tenant/members/{id}/restore", MANAGERS, MANAGE, ""),
    ("post", "/api/v5/tenant/members/{id}/hand-over", MANAGERS, None, "gives a person's files away"),

    ("get", "/api/v5/workspaces", PEOPLE, SEE, ""),
    ("post", "/api/v5/workspaces", PEOPLE, RUN, ""),
    ("get", "/api/v5/workspaces/events", PEOPLE, SEE, ""),
    ("get", "/api/v5/workspaces/{id}", OWNER, SEE, ""),
    ("patch", "/api/v5/workspaces/{id}", OWNER, RUN, ""),
    ("delete", "/api/v5/workspaces/{id}", OWNER, RUN, ""),
    ("post", "/api/v5/workspaces/{id}/restore", OWNER, RUN, ""),
    ("post", "/api/v5/workspaces/{id}/erase", OWNER, None, "asks for the password"),
    ("post", "/api/v5/workspaces/{id}/start", OWNER, RUN, ""),
    ("post", "/api/v5/workspaces/{id}/stop", OWNER, RUN, ""),
    ("post", "/api/v5/workspaces/{id}/keep", OWNER, RUN, ""),
    ("post", "/api/v5/workspaces/{id}/connect", OWNER, None, "lets a browser in as the person"),
    ("put", "/api/v5/workspaces/{id}/activity", OWNER, None, "says that a person is there"),
    ("get", "/api/v5/workspaces/{id}/events", OWNER, SEE, ""),
    ("get", "/api/v5/workspaces/{id}/history", OWNER, SEE, ""),
    ("get", "/api/v5/workspaces/{id}/manifests", OWNER, SEE, ""),
    ("get", "/api/v5/workspaces/{id}/files", OWNER, FILES, ""),
    ("delete", "/api/v5/workspaces/{id}/files/{path}", OWNER, BACK, ""),
    ("get", "/api/v5/workspaces/{id}/files/{path}/snapshots", OWNER, FILES, ""),
    ("get", "/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}", OWNER, FILES, ""),
    ("post", "/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}/restore", OWNER, BACK, ""),
    ("get", "/api/v5/workspaces/{id}/restores", OWNER, FILES, ""),

    ("get", "/api/v5/sessions", PEOPLE, TABS, ""),
    ("post", "/api/v5/sessions", OWNER, OPEN, "the body names the owner's workspace"),
    ("get", "/api/v5/sessions/{id}", OWNER, TABS, ""),
    ("put", "/api/v5/sessions/{id}", OWNER, OPEN, ""),
    ("delete", "/api/v5/sessions/{id}", OWNER, OPEN, ""),
    ("post", "/api/v5/sessions/{id}/seen", OWNER, OPEN, ""),

    ("post", "/api/v5/sidecar/credential", POD, None, "what the cluster signed, and nothing that was given for it"),
    ("post", "/api/v5/sidecar/codes/redeem", GATEWAY, None, "the code is for one workspace"),
    ("get", "/api/v5/sidecar/access", GATEWAYS, None, "each asks about its own workspace"),
    ("put", "/api/v5/sidecar/heartbeat", GATEWAYS, None, "each tells of its own workspace"),
    ("post", "/api/v5/sidecar/files", GATEWAYS, None, "each tells of its own workspace"),
    ("post", "/api/v5/sidecar/files/wanted", GATEWAYS, None, "each tells of its own workspace"),
    ("get", "/api/v5/sidecar/restores/{restore}", GATEWAY, None, "a content of one workspace's file"),
    ("post", "/api/v5/sidecar/restores/{restore}", GATEWAYS, None, "of what is not its own nothing changes, and nothing is told"),
    ("get", "/api/v5/sidecar/state", GATEWAYS, None, "each has its own workspace's"),
    ("put", "/api/v5/sidecar/state", GATEWAYS, None, "each has its own workspace's"),
    ("post", "/api/v5/sidecar/llm/chat/completions", GATEWAYS, None, ""),

    ("get", "/api/v5/admin/users", PLATFORM, None, "by their own sign-in alone"),
    ("get", "/api/v5/admin/users/{id}", PLATFORM, None, ""),
    ("get", "/api/v5/admin/users/{id}/audit", PLATFORM, None, ""),
    ("post", "/api/v5/admin/users/{id}/hold", PLATFORM, None, ""),
    ("post", "/api/v5/admin/users/{id}/let-go", PLATFORM, None, ""),
    ("get", "/api/v5/admin/workspaces", PLATFORM, None, ""),
    ("get", "/api/v5/admin/audit", PLATFORM, None, ""),
    ("get", "/api/v5/admin/approvals", PLATFORM, None, ""),
];

/// The decision about an operation.
#[track_caller]
pub(super) fn decided(method: &str, path: &str) -> &'static Row {
    TABLE
        .iter()
        .find(|(of, at, ..)| *of == method && *at == path)
        .unwrap_or_else(|| panic!("decide who may call {method} {path}"))
}
