//! A tenant and its users: what lies below `tenant/{t}`, but for workspaces.

use coditect_core::{ApiKeyId, ConversationId, InvitationId, SessionId, TenantId, UserId};
use foundationdb_tuple::pack;
use jiff::Timestamp;

use super::key;
use crate::{
    record::Role,
    store::{Key, KeyRange},
};

/// `tenant/{t}/profile`.
#[must_use]
pub fn tenant(tenant: TenantId) -> Key {
    key(&("tenant", tenant.as_uuid(), "profile"))
}
/// Everything of the tenant.
#[must_use]
pub fn tenant_all(tenant: TenantId) -> KeyRange {
    KeyRange::below(&key(&("tenant", tenant.as_uuid())))
}
/// `tenant/{t}/member/{u}` → account.
#[must_use]
pub fn member(tenant: TenantId, user: UserId) -> Key {
    key(&("tenant", tenant.as_uuid(), "member", user.as_uuid()))
}
/// Every user of the tenant.
#[must_use]
pub fn members(tenant: TenantId) -> KeyRange {
    KeyRange::below(&key(&("tenant", tenant.as_uuid(), "member")))
}
/// `tenant/{t}/staying/{n}/{ts}/{u}` → account: a member who stays. In order of who has the tenant when others leave:
/// `n` is 0 for an owner, 1 for an admin, 2 for a member; `ts` is when they joined, in microseconds since 1970.
#[must_use]
pub fn staying(tenant: TenantId, role: Role, joined_at: Timestamp, user: UserId) -> Key {
    [
        staying_as(tenant, role),
        pack(&(joined_at.as_microsecond(), user.as_uuid())),
    ]
    .concat()
}
fn staying_as(tenant: TenantId, role: Role) -> Key {
    let place = match role {
        Role::Owner => 0,
        Role::Admin => 1,
        Role::Member => 2,
    };
    key(&("tenant", tenant.as_uuid(), "staying", place))
}
/// Every member of the tenant who stays.
#[must_use]
pub fn all_staying(tenant: TenantId) -> KeyRange {
    KeyRange::below(&key(&("tenant", tenant.as_uuid(), "staying")))
}
/// Every owner of the tenant who stays.
#[must_use]
pub fn owners_staying(tenant: TenantId) -> KeyRange {
    KeyRange::below(&staying_as(tenant, Role::Owner))
}
/// `tenant/{t}/invitation/{i}`.
#[must_use]
pub fn invitation(tenant: TenantId, invitation: InvitationId) -> Key {
    key(&(
        "tenant",
        tenant.as_uuid(),
        "invitation",
        invitation.as_uuid(),
    ))
}
/// Every open invitation of the tenant.
#[must_use]
pub fn invitations(tenant: TenantId) -> KeyRange {
    KeyRange::below(&key(&("tenant", tenant.as_uuid(), "invitation")))
}
/// `tenant/{t}/license`: what the tenant may use now.
#[must_use]
pub fn license(tenant: TenantId) -> Key {
    key(&("tenant", tenant.as_uuid(), "license"))
}
/// `tenant/{t}/license_history/{n}`: what it might use before, from 1.
#[must_use]
pub fn license_history(tenant: TenantId, number: u64) -> Key {
    key(&("tenant", tenant.as_uuid(), "license_history", number))
}
/// Every licence the tenant ever had, oldest first.
#[must_use]
pub fn license_histories(tenant: TenantId) -> KeyRange {
    KeyRange::below(&key(&("tenant", tenant.as_uuid(), "license_history")))
}
/// `tenant/{t}/billing`: the tenant at Stripe.
#[must_use]
pub fn billing(tenant: TenantId) -> Key {
    key(&("tenant", tenant.as_uuid(), "billing"))
}

fn of_user(tenant: TenantId, user: UserId, what: &str) -> Key {
    key(&("tenant", tenant.as_uuid(), "user", user.as_uuid(), what))
}
/// `tenant/{t}/user/{u}/profile`.
#[must_use]
pub fn user(tenant: TenantId, user: UserId) -> Key {
    of_user(tenant, user, "profile")
}
/// Everything of the user.
#[must_use]
pub fn user_all(tenant: TenantId, user: UserId) -> KeyRange {
    KeyRange::below(&key(&("tenant", tenant.as_uuid(), "user", user.as_uuid())))
}
/// `tenant/{t}/user/{u}/sessions/{s}`.
#[must_use]
pub fn session(tenant: TenantId, user: UserId, session: SessionId) -> Key {
    [
        of_user(tenant, user, "sessions"),
        pack(&(session.as_uuid(),)),
    ]
    .concat()
}
/// Every session of the user.
#[must_use]
pub fn sessions(tenant: TenantId, user: UserId) -> KeyRange {
    KeyRange::below(&of_user(tenant, user, "sessions"))
}
/// `tenant/{t}/user/{u}/api_keys/{k}`.
#[must_use]
pub fn api_key(tenant: TenantId, user: UserId, api_key: ApiKeyId) -> Key {
    [
        of_user(tenant, user, "api_keys"),
        pack(&(api_key.as_uuid(),)),
    ]
    .concat()
}
/// Every API key of the user.
#[must_use]
pub fn api_keys(tenant: TenantId, user: UserId) -> KeyRange {
    KeyRange::below(&of_user(tenant, user, "api_keys"))
}
/// `tenant/{t}/user/{u}/usage/{YYYY-MM}/{kind}`: how much the user used in that month (atomic).
#[must_use]
pub fn usage(tenant: TenantId, user: UserId, month: &str, kind: &str) -> Key {
    [of_user(tenant, user, "usage"), pack(&(month, kind))].concat()
}
/// `tenant/{t}/user/{u}/usage/{YYYY-MM}/seconds`: how long the user's workspaces ran in that month (atomic).
#[must_use]
pub fn usage_seconds(tenant: TenantId, user: UserId, month: &str) -> Key {
    usage(tenant, user, month, "seconds")
}
/// Every number of every month of the user.
#[must_use]
pub fn usages(tenant: TenantId, user: UserId) -> KeyRange {
    KeyRange::below(&of_user(tenant, user, "usage"))
}
/// `tenant/{t}/user/{u}/conversations/{conversation}`: what a list of them shows.
#[must_use]
pub fn conversation(tenant: TenantId, user: UserId, conversation: ConversationId) -> Key {
    [
        of_user(tenant, user, "conversations"),
        pack(&(conversation.as_uuid(),)),
    ]
    .concat()
}
/// Every conversation of the user.
#[must_use]
pub fn conversations(tenant: TenantId, user: UserId) -> KeyRange {
    KeyRange::below(&of_user(tenant, user, "conversations"))
}
fn messages_of(tenant: TenantId, user: UserId, conversation: ConversationId) -> Key {
    [
        of_user(tenant, user, "llm_history"),
        pack(&(conversation.as_uuid(), "messages")),
    ]
    .concat()
}
/// `tenant/{t}/user/{u}/llm_history/{conversation}/messages/{n}`, from 1.
#[must_use]
pub fn message(tenant: TenantId, user: UserId, conversation: ConversationId, number: u64) -> Key {
    [messages_of(tenant, user, conversation), pack(&(number,))].concat()
}
/// `tenant/{t}/user/{u}/llm_history/{conversation}/messages/{n}/{chunk}`: the rest of a long message, from 1.
#[must_use]
pub fn message_chunk(
    tenant: TenantId,
    user: UserId,
    conversation: ConversationId,
    number: u64,
    chunk: u32,
) -> Key {
    [
        messages_of(tenant, user, conversation),
        pack(&(number, chunk)),
    ]
    .concat()
}
/// Every message of the conversation with all its chunks, in order.
#[must_use]
pub fn messages(tenant: TenantId, user: UserId, conversation: ConversationId) -> KeyRange {
    KeyRange::below(&messages_of(tenant, user, conversation))
}
/// The messages of the conversation from `number` on.
#[must_use]
pub fn messages_from(
    tenant: TenantId,
    user: UserId,
    conversation: ConversationId,
    number: u64,
) -> KeyRange {
    KeyRange {
        begin: message(tenant, user, conversation, number),
        end: messages(tenant, user, conversation).end,
    }
}
/// Every message of every conversation of the user.
#[must_use]
pub fn llm_history(tenant: TenantId, user: UserId) -> KeyRange {
    KeyRange::below(&of_user(tenant, user, "llm_history"))
}
