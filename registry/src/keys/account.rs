//! A person: what lies below `account/{a}`, and where they belong.

use coditect_core::{AccountId, LoginId, ProviderName, RegistrationId, TenantId, UserId};

use super::key;
use crate::store::{Key, KeyRange};

/// `account/{a}`: all that is known of a person.
#[must_use]
pub fn account_all(account: AccountId) -> KeyRange {
    KeyRange::below(&key(&("account", account.as_uuid())))
}
/// `account/{a}/profile`.
#[must_use]
pub fn account(account: AccountId) -> Key {
    key(&("account", account.as_uuid(), "profile"))
}
/// `account/{a}/credential`.
#[must_use]
pub fn credential(account: AccountId) -> Key {
    key(&("account", account.as_uuid(), "credential"))
}
/// `account/{a}/second_factor`.
#[must_use]
pub fn second_factor(account: AccountId) -> Key {
    key(&("account", account.as_uuid(), "second_factor"))
}
/// `account/{a}/email_change`: an address that waits for its proof.
#[must_use]
pub fn email_change(account: AccountId) -> Key {
    key(&("account", account.as_uuid(), "email_change"))
}
/// `account/{a}/password_reset`: a forgotten password that waits for its proof.
#[must_use]
pub fn password_reset(account: AccountId) -> Key {
    key(&("account", account.as_uuid(), "password_reset"))
}
/// `account/{a}/provider/{provider}`: a linked identity.
#[must_use]
pub fn provider(account: AccountId, provider: &ProviderName) -> Key {
    key(&("account", account.as_uuid(), "provider", provider.as_str()))
}
/// Every linked identity of the account.
#[must_use]
pub fn providers(account: AccountId) -> KeyRange {
    KeyRange::below(&key(&("account", account.as_uuid(), "provider")))
}
/// `account/{a}/refresh/{family}`: one sign-in.
#[must_use]
pub fn login(account: AccountId, login: LoginId) -> Key {
    key(&("account", account.as_uuid(), "refresh", login.as_uuid()))
}
/// Every sign-in of the account.
#[must_use]
pub fn logins(account: AccountId) -> KeyRange {
    KeyRange::below(&key(&("account", account.as_uuid(), "refresh")))
}
/// `account/{a}/sign_in/{family}`: from where somebody signed in.
#[must_use]
pub fn sign_in(account: AccountId, login: LoginId) -> Key {
    key(&("account", account.as_uuid(), "sign_in", login.as_uuid()))
}
/// From where the account was signed in to, newest and oldest alike.
#[must_use]
pub fn sign_ins(account: AccountId) -> KeyRange {
    KeyRange::below(&key(&("account", account.as_uuid(), "sign_in")))
}

/// `account/{a}/registration/{id}`: the sign-up that made the account, while it is remembered.
#[must_use]
pub fn account_registration(account: AccountId, registration: RegistrationId) -> Key {
    key(&(
        "account",
        account.as_uuid(),
        "registration",
        registration.as_uuid(),
    ))
}
/// The sign-ups that made the account.
#[must_use]
pub fn account_registrations(account: AccountId) -> KeyRange {
    KeyRange::below(&key(&("account", account.as_uuid(), "registration")))
}

/// `membership/{a}/{t}` → user.
#[must_use]
pub fn membership(account: AccountId, tenant: TenantId) -> Key {
    key(&("membership", account.as_uuid(), tenant.as_uuid()))
}
/// Every tenant the account belongs to.
#[must_use]
pub fn memberships(account: AccountId) -> KeyRange {
    KeyRange::below(&key(&("membership", account.as_uuid())))
}
/// `custody/{a}/{u}` → tenant: a user that somebody left behind and this account was given.
#[must_use]
pub fn custody(account: AccountId, user: UserId) -> Key {
    key(&("custody", account.as_uuid(), user.as_uuid()))
}
/// Every user that was given into the account's custody.
#[must_use]
pub fn custodies(account: AccountId) -> KeyRange {
    KeyRange::below(&key(&("custody", account.as_uuid())))
}
