//! Accounts and how they are found.

use coditect_core::{AccountId, Email, ExternalId, ProviderName, TenantId, UserId};

use super::{super::Problem, At};
use crate::{
    keys,
    record::{Account, Grace, LinkedIdentity, User},
    store::StoreError,
};

const ONE_ADDRESS: &str =
    "two accounts say that they have it: ask the persons, then change one's address";

pub(super) async fn account(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let (id, account) = (AccountId::from_bytes(id), at.record::<Account>()?);
    let index = keys::email(&account.email);
    match at.get::<AccountId>(&index).await? {
        Some(found) if found == id => {}
        Some(_) => at.by_hand(
            Problem::Differs,
            index,
            "its address leads to another account",
            ONE_ADDRESS,
        ),
        None => at.missing(
            index,
            &id,
            "its address leads nowhere: its person cannot sign in",
        )?,
    }
    at.graced(
        account.mark.as_ref(),
        id.as_uuid(),
        &Grace::Account { account: id },
        "the account is marked for deletion, and nothing ends the grace period",
    )
    .await
}

pub(super) async fn email(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let (email, id): (Email, AccountId) = (at.text(1)?, at.record()?);
    let other = keys::account(id);
    match at.get::<Account>(&other).await? {
        Some(account) if account.email == email => {}
        Some(_) => at.dangling(
            other,
            "its account has another address: nobody else can take this one",
        ),
        None => at.dangling(
            other,
            "there is no such account: nobody else can take the address",
        ),
    }
    Ok(())
}

pub(super) async fn provider(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let (id, provider, linked) = (
        AccountId::from_bytes(id),
        at.text::<ProviderName>(3)?,
        at.record::<LinkedIdentity>()?,
    );
    let index = keys::oauth(&provider, &linked.subject);
    match at.get::<AccountId>(&index).await? {
        Some(found) if found == id => {}
        Some(_) => at.by_hand(
            Problem::Differs,
            index,
            "the identity leads to another account",
            "unlink it from one of the two accounts",
        ),
        None => at.missing(
            index,
            &id,
            "the identity leads nowhere: its person cannot sign in with it",
        )?,
    }
    Ok(())
}

pub(super) async fn oauth(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let (provider, subject): (ProviderName, ExternalId) = (at.text(1)?, at.text(2)?);
    let other = keys::provider(at.record()?, &provider);
    let linked = at.get::<LinkedIdentity>(&other).await?;
    if linked.is_none_or(|linked| linked.subject != subject) {
        at.dangling(other, "its account has no such identity");
    }
    Ok(())
}

pub(super) async fn membership(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [account, tenant] = at.ids()?;
    let other = keys::user(TenantId::from_bytes(tenant), at.record::<UserId>()?);
    let user = at.get::<User>(&other).await?;
    let account = AccountId::from_bytes(account);
    if user.is_none_or(|user| user.account != account || user.custody.is_some()) {
        at.dangling(other, "the account is no such member of the tenant");
    }
    Ok(())
}

pub(super) async fn custody(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [account, user] = at.ids()?;
    let other = keys::user(at.record::<TenantId>()?, UserId::from_bytes(user));
    let user = at.get::<User>(&other).await?;
    let account = AccountId::from_bytes(account);
    if user.is_none_or(|user| user.account != account || user.custody.is_none()) {
        at.dangling(other, "the account was given no such user of that tenant");
    }
    Ok(())
}
