//! Who stays in a tenant: the list by which its last owner and their successor are found without reading everybody.

use coditect_core::{AccountId, Error, TenantId, UserId};
use jiff::Timestamp;

use crate::{
    keys,
    record::{Action, Role, User},
    store::Key,
    tx::{Abort, Tx, trailing_uuid},
};

/// Writes a user's record, and with it whether they are on the list.
pub(super) async fn put_user(
    tx: &mut Tx,
    tenant: TenantId,
    id: UserId,
    user: &User,
) -> Result<(), Abort> {
    let key = keys::user(tenant, id);
    let before = tx
        .get::<User>(&key)
        .await?
        .and_then(|before| listed(tenant, id, &before));
    let now = listed(tenant, id, user);
    if let Some(before) = before
        && now.as_ref() != Some(&before)
    {
        tx.clear(&before);
    }
    if let Some(now) = now {
        tx.put(&now, &user.account)?;
    }
    tx.put(&key, user)?;
    Ok(())
}

/// Where a user is on the list; nowhere if they do not stay.
pub(crate) fn listed(tenant: TenantId, id: UserId, user: &User) -> Option<Key> {
    user.stays()
        .then(|| keys::staying(tenant, user.role, user.joined_at, id))
}

/// The owner who stays and joined first: who has what belongs to the organisation.
pub(super) async fn first_owner(tx: &mut Tx, tenant: TenantId) -> Result<Option<AccountId>, Abort> {
    let (owners, _) = tx
        .scan::<AccountId>(&keys::owners_staying(tenant), 1)
        .await?;
    Ok(owners.into_iter().next().map(|(_, account)| account))
}

/// Refuses that the last owner who stays leaves.
pub(super) async fn refuse_last_owner(
    tx: &mut Tx,
    tenant: TenantId,
    leaves: UserId,
) -> Result<(), Abort> {
    // Of two, one is another.
    let (owners, _) = tx
        .scan::<AccountId>(&keys::owners_staying(tenant), 2)
        .await?;
    if another(&owners, leaves)? {
        return Ok(());
    }
    let message = "this is the tenant's last owner; make somebody else an owner first";
    Err(Error::conflict(message).into())
}

/// As [`refuse_last_owner`], for a person who goes altogether: a tenant of their own may go with them.
pub(super) async fn refuse_ownerless(
    tx: &mut Tx,
    tenant: TenantId,
    leaves: UserId,
) -> Result<(), Abort> {
    let user: Option<User> = tx.get(&keys::user(tenant, leaves)).await?;
    if user.is_none_or(|user| user.role != Role::Owner || user.custody.is_some()) {
        return Ok(());
    }
    let (stay, _) = tx.scan::<AccountId>(&keys::all_staying(tenant), 2).await?;
    if another(&stay, leaves)? {
        refuse_last_owner(tx, tenant, leaves).await?;
    }
    Ok(())
}

fn another(stay: &[(Key, AccountId)], leaves: UserId) -> Result<bool, Abort> {
    for (key, _) in stay {
        if trailing_uuid(key)? != leaves.as_uuid() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes sure that a tenant whose owner is no more has another: of those who stay the one with the greatest role, and
/// of these the one who joined first. If nobody stays, whoever may still come back by their own decision.
pub(super) async fn succeed(tx: &mut Tx, tenant: TenantId, at: Timestamp) -> Result<(), Abort> {
    let (stay, _) = tx.scan::<AccountId>(&keys::all_staying(tenant), 1).await?;
    let heir = match stay.first() {
        Some((key, _)) => {
            let id = UserId::from_bytes(*trailing_uuid(key)?.as_bytes());
            let user: Option<User> = tx.get(&keys::user(tenant, id)).await?;
            user.map(|user| (id, user))
        }
        None => may_come_back(tx, tenant).await?,
    };
    let Some((id, user)) = heir else {
        return Ok(());
    };
    if user.role == Role::Owner {
        return Ok(());
    }
    let owner = User {
        role: Role::Owner,
        ..user
    };
    put_user(tx, tenant, id, &owner).await?;
    tx.audit(tenant, at, None, Action::OwnerSucceeded { user: id })?;
    Ok(())
}

/// Of the members whose own request alone is behind their mark, the one with the greatest role who joined first. For a
/// tenant in which nobody stays: reads all who are left.
pub(super) async fn may_come_back(
    tx: &mut Tx,
    tenant: TenantId,
) -> Result<Option<(UserId, User)>, Abort> {
    let mut first: Option<(UserId, User)> = None;
    for (key, _) in tx.scan_all::<AccountId>(&keys::members(tenant)).await? {
        let id = UserId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        let Some(user) = tx.get::<User>(&keys::user(tenant, id)).await? else {
            continue;
        };
        if user.removal.is_some() || user.custody.is_some() {
            continue;
        }
        let order = |id: &UserId, user: &User| (std::cmp::Reverse(user.role), user.joined_at, *id);
        if first
            .as_ref()
            .is_none_or(|(other, before)| order(&id, &user) < order(other, before))
        {
            first = Some((id, user));
        }
    }
    Ok(first)
}
