//! What there is only once, and where an id is found.

use coditect_core::{
    Email, ExternalId, InvitationId, ProviderName, RegistrationId, Slug, TenantId, UserId,
    WorkspaceId,
};

use super::key;
use crate::store::{Key, KeyRange};

/// `email/{normalised}` → account.
#[must_use]
pub fn email(email: &Email) -> Key {
    key(&("email", email.as_str()))
}
/// `oauth/{provider}/{subject}` → account.
#[must_use]
pub fn oauth(provider: &ProviderName, subject: &ExternalId) -> Key {
    key(&("oauth", provider.as_str(), subject.as_str()))
}
/// `slug/{dns label}` → workspace; permanent, so that a host name is never given out again.
#[must_use]
pub fn slug(slug: &Slug) -> Key {
    key(&("slug", slug.as_str()))
}
/// `stripe_customer/{id}` → tenant.
#[must_use]
pub fn stripe_customer(customer: &ExternalId) -> Key {
    key(&("stripe_customer", customer.as_str()))
}
/// `api_key/{hash}` → where the key's record is. The hash is in lower-case hexadecimal.
#[must_use]
pub fn api_key_hash(hash: &str) -> Key {
    key(&("api_key", hash))
}

/// `address/{email}/registration/{id}`: a sign-up that names the address.
#[must_use]
pub fn address_registration(email: &Email, registration: RegistrationId) -> Key {
    key(&(
        "address",
        email.as_str(),
        "registration",
        registration.as_uuid(),
    ))
}
/// Every sign-up that names the address.
#[must_use]
pub fn address_registrations(email: &Email) -> KeyRange {
    KeyRange::below(&key(&("address", email.as_str(), "registration")))
}
/// `address/{email}/invitation/{t}/{i}`: an invitation that was sent to the address.
#[must_use]
pub fn address_invitation(email: &Email, tenant: TenantId, invitation: InvitationId) -> Key {
    key(&(
        "address",
        email.as_str(),
        "invitation",
        tenant.as_uuid(),
        invitation.as_uuid(),
    ))
}
/// Every invitation that was sent to the address.
#[must_use]
pub fn address_invitations(email: &Email) -> KeyRange {
    KeyRange::below(&key(&("address", email.as_str(), "invitation")))
}

/// `user/{u}` → tenant and cell.
#[must_use]
pub fn user_place(user: UserId) -> Key {
    key(&("user", user.as_uuid()))
}
/// Where every user is.
#[must_use]
pub fn user_places() -> KeyRange {
    KeyRange::below(&key(&("user",)))
}
/// Where every workspace is.
#[must_use]
pub fn workspace_places() -> KeyRange {
    KeyRange::below(&key(&("workspace",)))
}
/// `workspace/{w}` → tenant, user and cell.
#[must_use]
pub fn workspace_place(workspace: WorkspaceId) -> Key {
    key(&("workspace", workspace.as_uuid()))
}
