//! Tenants, their users and workspaces.

use coditect_core::{ApiKeyId, ExternalId, TenantId, UserId, WorkspaceId};

use super::{super::Problem, At};
use crate::{
    keys::{self, WorkspacePart},
    operation::staying::listed,
    record::{
        ApiKey, ApiKeyPlace, Billing, Grace, IntentRow, User, UserPlace, Workspace, WorkspacePlace,
    },
    store::StoreError,
};

const FROM_GIT: &str = "`coditect restore registry` reads intents back from Git";

pub(super) async fn member(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant, user] = at.ids()?;
    let other = keys::user(TenantId::from_bytes(tenant), UserId::from_bytes(user));
    let account = at.record()?;
    let user = at.get::<User>(&other).await?;
    if user.is_none_or(|user| user.account != account) {
        at.dangling(other, "the tenant has no such user of that account");
    }
    Ok(())
}

pub(super) async fn user(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant, id] = at.ids()?;
    let (tenant, id) = (TenantId::from_bytes(tenant), UserId::from_bytes(id));
    let user = at.record::<User>()?;
    let place = UserPlace {
        tenant,
        cell: user.cell.clone(),
    };
    let key = keys::user_place(id);
    match at.get::<UserPlace>(&key).await? {
        Some(found) if found == place => {}
        Some(_) => at.by_hand(
            Problem::Differs,
            key,
            "the user is found in another tenant or cell",
            "compare with the intent of each cell",
        ),
        None => at.missing(key, &place, "the user is found nowhere by its id")?,
    }
    let key = keys::member(tenant, id);
    if at.get(&key).await? != Some(user.account) {
        at.missing(
            key,
            &user.account,
            "the tenant does not count the user among its own",
        )?;
    }
    account_of(at, tenant, id, &user).await?;
    if let Some(key) = listed(tenant, id, &user)
        && !at.is_there(&key).await?
    {
        at.missing(
            key,
            &user.account,
            "the tenant does not know that the user stays, and might be left without an owner",
        )?;
    }
    let key = keys::intent(&user.cell, id);
    if at.get::<IntentRow>(&key).await?.is_none() {
        at.by_hand(
            Problem::Missing,
            key,
            "the user has no intent: nothing of theirs is in Git",
            FROM_GIT,
        );
    }
    at.graced(
        user.mark.as_ref(),
        id.as_uuid(),
        &Grace::User { user: id },
        "the user is marked for deletion, and nothing ends the grace period",
    )
    .await
}

/// How the account knows of the user: as itself, or as somebody who left.
async fn account_of(
    at: &mut At<'_, '_>,
    tenant: TenantId,
    id: UserId,
    user: &User,
) -> Result<(), StoreError> {
    if user.custody.is_some() {
        let key = keys::custody(user.account, id);
        if at.get::<TenantId>(&key).await? != Some(tenant) {
            at.missing(
                key,
                &tenant,
                "the account does not know that it was given the user",
            )?;
        }
        return Ok(());
    }
    let key = keys::membership(user.account, tenant);
    match at.get::<UserId>(&key).await? {
        Some(found) if found == id => {}
        Some(_) => at.by_hand(
            Problem::Differs,
            key,
            "the account is another user of the same tenant",
            "delete one of the two users",
        ),
        None => at.missing(
            key,
            &id,
            "the account does not know that it belongs to the tenant",
        )?,
    }
    Ok(())
}

/// A member on the list of those who stay.
pub(super) async fn staying(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant, id] = at.ids()?;
    let (tenant, id) = (TenantId::from_bytes(tenant), UserId::from_bytes(id));
    let account = at.record()?;
    let other = keys::user(tenant, id);
    let user = at.get::<User>(&other).await?;
    let right = user.is_some_and(|user| {
        user.account == account && listed(tenant, id, &user).as_deref() == Some(at.entry.key)
    });
    if !right {
        at.dangling(other, "the tenant has no such member who stays");
    }
    Ok(())
}

pub(super) async fn user_place(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let (id, place) = (UserId::from_bytes(id), at.record::<UserPlace>()?);
    let other = keys::user(place.tenant, id);
    if at.get::<User>(&other).await?.is_some() {
        return Ok(());
    }
    // With an intent there may be a person behind it; without, nothing is.
    let intent = keys::intent(&place.cell, id);
    if at.get::<IntentRow>(&intent).await?.is_some() {
        at.by_hand(
            Problem::Dangling,
            other,
            "the user has an intent and no profile",
            "take the profile from a backup, or delete the user",
        );
    } else {
        at.dangling(other, "there is no such user");
    }
    Ok(())
}

pub(super) async fn workspace(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant, user, id] = at.ids()?;
    let (tenant, user, id) = (
        TenantId::from_bytes(tenant),
        UserId::from_bytes(user),
        WorkspaceId::from_bytes(id),
    );
    let record = at.record::<Workspace>()?;
    at.graced(
        record.mark.as_ref(),
        id.as_uuid(),
        &Grace::Workspace { workspace: id },
        "the workspace is marked for deletion, and nothing ends the grace period",
    )
    .await?;
    let Some(owner) = at.get::<UserPlace>(&keys::user_place(user)).await? else {
        at.by_hand(
            Problem::Dangling,
            keys::user_place(user),
            "its user is found nowhere",
            "repair the user first, then check again",
        );
        return Ok(());
    };
    let place = WorkspacePlace {
        tenant,
        user,
        cell: owner.cell.clone(),
    };
    let key = keys::workspace_place(id);
    match at.get::<WorkspacePlace>(&key).await? {
        Some(found) if found == place => {}
        Some(_) => at.by_hand(
            Problem::Differs,
            key,
            "the workspace is found with another user or in another cell",
            "compare with the intents of both",
        ),
        None => at.missing(key, &place, "the workspace is found nowhere by its id")?,
    }
    let key = keys::intent(&owner.cell, user);
    let row = at.get::<IntentRow>(&key).await?;
    if row.is_some_and(|row| row.intent.workspace(id).is_none()) {
        at.by_hand(
            Problem::Missing,
            key,
            "the user's intent has no such workspace",
            FROM_GIT,
        );
    }
    Ok(())
}

/// Status, power, metering and the like of a workspace that is no more.
pub(super) async fn workspace_part(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant, user, id] = at.ids()?;
    let other = keys::workspace(
        TenantId::from_bytes(tenant),
        UserId::from_bytes(user),
        WorkspaceId::from_bytes(id),
        WorkspacePart::Profile,
    );
    if at.get::<Workspace>(&other).await?.is_none() {
        at.dangling(other, "there is no such workspace");
    }
    Ok(())
}

pub(super) async fn workspace_place(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let (id, place) = (WorkspaceId::from_bytes(id), at.record::<WorkspacePlace>()?);
    let other = keys::workspace(place.tenant, place.user, id, WorkspacePart::Profile);
    if at.get::<Workspace>(&other).await?.is_some() {
        return Ok(());
    }
    let intent = keys::intent(&place.cell, place.user);
    let row = at.get::<IntentRow>(&intent).await?;
    if row.is_some_and(|row| row.intent.workspace(id).is_some()) {
        at.by_hand(
            Problem::Dangling,
            other,
            "the workspace is in an intent and has no profile",
            "take the profile from a backup, or delete the workspace",
        );
    } else {
        at.dangling(other, "there is no such workspace");
    }
    Ok(())
}

pub(super) async fn stripe_customer(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let (customer, tenant): (ExternalId, TenantId) = (at.text(1)?, at.record()?);
    let other = keys::billing(tenant);
    let billing = at.get::<Billing>(&other).await?;
    if billing.is_none_or(|billing| billing.customer != customer) {
        at.dangling(other, "its tenant is no such customer");
    }
    Ok(())
}

pub(super) async fn billing(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant] = at.ids()?;
    let tenant = TenantId::from_bytes(tenant);
    let key = keys::stripe_customer(&at.record::<Billing>()?.customer);
    match at.get::<TenantId>(&key).await? {
        Some(found) if found == tenant => {}
        Some(_) => at.by_hand(
            Problem::Differs,
            key,
            "the customer leads to another tenant",
            "look at the customer's metadata at Stripe",
        ),
        None => at.missing(
            key,
            &tenant,
            "the customer leads nowhere: payments do not arrive",
        )?,
    }
    Ok(())
}

pub(super) async fn api_key_hash(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let hash = at.text::<String>(1)?;
    let place = at.record::<ApiKeyPlace>()?;
    let other = keys::api_key(place.tenant, place.user, place.api_key);
    let record = at.get::<ApiKey>(&other).await?;
    if record.is_none_or(|record| record.hash != hash) {
        at.dangling(other, "there is no such API key");
    }
    Ok(())
}

pub(super) async fn api_key(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [tenant, user, api_key] = at.ids()?;
    let (tenant, user) = (TenantId::from_bytes(tenant), UserId::from_bytes(user));
    let key = keys::api_key_hash(&at.record::<ApiKey>()?.hash);
    if at.get::<ApiKeyPlace>(&key).await?.is_some() {
        return Ok(());
    }
    let owner = keys::user(tenant, user);
    match at.get::<User>(&owner).await? {
        Some(User { account, .. }) => {
            let place = ApiKeyPlace {
                account,
                tenant,
                user,
                api_key: ApiKeyId::from_bytes(api_key),
            };
            at.missing(
                key,
                &place,
                "the API key leads nowhere: calls with it are refused",
            )?;
        }
        None => at.dangling(owner, "there is no such user"),
    }
    Ok(())
}
