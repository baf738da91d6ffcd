//! What is known of a person beside their users: forgotten with every index and every mention of their address.

use coditect_core::{AccountId, Email, Error, InvitationId, LoginId, RegistrationId, TenantId};
use jiff::Timestamp;

use super::{
    email::{forget_email_change, forget_password_reset},
    invitation::close,
    login::end_all_but,
    upkeep::forget_registration,
};
use crate::{
    keys::{self, KeyPart},
    record::{Account, Expiring, IdentityHash, Invitation, LinkedIdentity, SignIn},
    tx::{Abort, Tx, trailing_uuid},
};

/// Removes all that is known of a person, and gives the hashes of the identities they had, if the registry has a key
/// for them. An account taken over from Git has no profile.
pub(super) async fn forget_person(
    tx: &mut Tx,
    account: AccountId,
    at: Timestamp,
) -> Result<Vec<IdentityHash>, Abort> {
    let mut identities = Vec::new();
    if let Some(profile) = tx.get::<Account>(&keys::account(account)).await? {
        identities.extend(tx.identity_key().map(|key| key.email(&profile.email)));
        tx.clear(&keys::email(&profile.email));
        forget_address(tx, &profile.email).await?;
        if let Some(mark) = profile.mark {
            tx.clear(&keys::grace(mark.until, account.as_uuid()));
        }
    }
    identities.extend(forget_providers(tx, account).await?);
    end_all_but(tx, account, None, at).await?;
    for (key, sign_in) in tx.scan_all::<SignIn>(&keys::sign_ins(account)).await? {
        let login = LoginId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        tx.keep(
            &Expiring::SignIn { account, login },
            SignIn::end_of(sign_in.at),
        );
    }
    forget_email_change(tx, account).await?;
    forget_password_reset(tx, account).await?;
    for (_, registration) in tx
        .scan_all::<RegistrationId>(&keys::account_registrations(account))
        .await?
    {
        forget_registration(tx, registration).await?;
    }
    tx.clear_range(&keys::account_all(account));
    tx.clear_range(&keys::memberships(account));
    tx.clear_range(&keys::custodies(account));
    Ok(identities)
}

/// Removes the indexes of an account's linked identities, and gives the hashes of these.
pub(super) async fn forget_providers(
    tx: &mut Tx,
    account: AccountId,
) -> Result<Vec<IdentityHash>, Abort> {
    let mut identities = Vec::new();
    for (key, linked) in tx
        .scan_all::<LinkedIdentity>(&keys::providers(account))
        .await?
    {
        let Some(KeyPart::Text(provider)) = last_part(&key) else {
            return Err(Error::internal("a linked identity without its provider").into());
        };
        let provider = provider.parse()?;
        tx.clear(&keys::oauth(&provider, &linked.subject));
        identities.extend(
            tx.identity_key()
                .map(|key| key.provider(&provider, &linked.subject)),
        );
    }
    Ok(identities)
}

/// Removes sign-ups and invitations that name an address.
pub(super) async fn forget_address(tx: &mut Tx, email: &Email) -> Result<(), Abort> {
    for (_, registration) in tx
        .scan_all::<RegistrationId>(&keys::address_registrations(email))
        .await?
    {
        forget_registration(tx, registration).await?;
    }
    for (key, tenant) in tx
        .scan_all::<TenantId>(&keys::address_invitations(email))
        .await?
    {
        let id = InvitationId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        match tx.get::<Invitation>(&keys::invitation(tenant, id)).await? {
            Some(record) => close(tx, tenant, id, &record),
            None => tx.clear(&key),
        }
    }
    Ok(())
}

fn last_part(key: &[u8]) -> Option<KeyPart> {
    keys::parse(key).ok()?.parts.pop()
}
