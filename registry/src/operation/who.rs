//! Who asks, and whether what they ask for is theirs. Whatever writes below an account or a user reads its record
//! first, in the same transaction: an erasure meanwhile is then a conflict, and nothing comes back.

use coditect_core::{AccountId, Error, Kind, TenantId, UserId};

use crate::{
    keys,
    record::{Account, Role, User, UserPlace},
    tx::{Abort, Tx, no_such_account, no_such_user},
};

/// The account's record.
pub(super) async fn account(tx: &mut Tx, account: AccountId) -> Result<Account, Abort> {
    Ok(tx
        .get(&keys::account(account))
        .await?
        .ok_or_else(no_such_account)?)
}

/// A user and where they are.
pub(super) async fn user(tx: &mut Tx, user: UserId) -> Result<(UserPlace, User), Abort> {
    let place: UserPlace = tx
        .get(&keys::user_place(user))
        .await?
        .ok_or_else(no_such_user)?;
    let record: User = tx
        .get(&keys::user(place.tenant, user))
        .await?
        .ok_or_else(no_such_user)?;
    Ok((place, record))
}

/// A user of this tenant.
pub(super) async fn in_tenant(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<User, Abort> {
    Ok(tx
        .get(&keys::user(tenant, id))
        .await?
        .ok_or_else(no_such_user)?)
}

/// A user of this account. Somebody else's is answered like one that does not exist.
pub(super) async fn own_user(
    tx: &mut Tx,
    account: AccountId,
    id: UserId,
) -> Result<(UserPlace, User), Abort> {
    let (place, record) = user(tx, id).await?;
    if record.account != account {
        return Err(no_such_user().into());
    }
    Ok((place, record))
}

/// As [`own_user`], and not on its way out.
pub(super) async fn own_active_user(
    tx: &mut Tx,
    account: AccountId,
    id: UserId,
) -> Result<(UserPlace, User), Abort> {
    let (place, record) = own_user(tx, account, id).await?;
    refuse_marked(&record)?;
    Ok((place, record))
}

/// Refuses who is on the way out: their work waits for whoever decides what becomes of it.
pub(super) fn refuse_marked(user: &User) -> Result<(), Error> {
    if user.removal.is_some() {
        return Err(Error::conflict(
            "this membership has ended; ask an owner or an admin of the tenant to restore it",
        ));
    }
    if user.mark.is_some() {
        return Err(Error::conflict(
            "this user is marked for deletion; restore it first",
        ));
    }
    Ok(())
}

/// The account's own user in the tenant, who must at least have this role and stay.
pub(super) async fn member(
    tx: &mut Tx,
    tenant: TenantId,
    account: AccountId,
    role: Role,
) -> Result<(UserId, User), Abort> {
    let no_such_tenant = || Error::not_found("there is no tenant of that id");
    let id: UserId = tx
        .get(&keys::membership(account, tenant))
        .await?
        .ok_or_else(no_such_tenant)?;
    let record: User = tx
        .get(&keys::user(tenant, id))
        .await?
        .ok_or_else(no_such_tenant)?;
    if record.mark.is_some() || record.role < role {
        let message = match role {
            Role::Owner => "only an owner may do this; ask one",
            Role::Admin => "only an owner or an admin may do this; ask one",
            Role::Member => "only a member may do this",
        };
        return Err(Error::new(Kind::Forbidden, message).into());
    }
    Ok((id, record))
}
