//! Who belongs to a tenant: invited, joined, given another role, removed, handed over.

use async_trait::async_trait;
use coditect_core::{AccountId, Error, Kind, TenantId, UserId};
use jiff::Timestamp;

use super::{account_deletion::set_user_mark, who};
use crate::{
    keys,
    record::{Action, Mark, Role, User},
    registry::Operation,
    tx::{Abort, Tx, no_such_user, trailing_uuid},
};

/// Gives a member another role.
pub struct ChangeRole {
    /// Who decides. Nobody gives or takes a role above their own.
    pub by: AccountId,
    /// In which tenant.
    pub tenant: TenantId,
    /// Whose role.
    pub user: UserId,
    /// The role.
    pub role: Role,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ChangeRole {
    const NAME: &'static str = "change_role";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (_, by) = who::member(tx, self.tenant, self.by, Role::Admin).await?;
        let key = keys::user(self.tenant, self.user);
        let mut user: User = tx.get(&key).await?.ok_or_else(no_such_user)?;
        if user.custody.is_some() {
            return Err(Error::conflict("this user was left behind and has no role").into());
        }
        if by.role < user.role || by.role < self.role {
            return Err(above().into());
        }
        if user.role == self.role {
            return Ok(());
        }
        if user.role == Role::Owner {
            refuse_last_owner(tx, self.tenant, self.user).await?;
        }
        user.role = self.role;
        tx.put(&key, &user)?;
        let action = Action::RoleChanged {
            user: self.user,
            role: self.role,
        };
        tx.audit(self.tenant, self.at, Some(self.by), action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

pub(super) fn above() -> Error {
    let message = "this needs a role that is at least the other's; ask an owner";
    Error::new(Kind::Forbidden, message)
}

/// Every user of the tenant, with their records.
pub(super) async fn users(tx: &mut Tx, tenant: TenantId) -> Result<Vec<(UserId, User)>, Abort> {
    let mut users = Vec::new();
    for (key, _) in tx.scan_all::<AccountId>(&keys::members(tenant)).await? {
        let id = UserId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        if let Some(user) = tx.get::<User>(&keys::user(tenant, id)).await? {
            users.push((id, user));
        }
    }
    Ok(users)
}

/// A tenant has an owner who stays, always.
async fn refuse_last_owner(tx: &mut Tx, tenant: TenantId, leaves: UserId) -> Result<(), Abort> {
    if others_stay(tx, tenant, leaves, Role::Owner).await? {
        return Ok(());
    }
    Err(
        Error::conflict("this is the tenant's last owner; make somebody else an owner first")
            .into(),
    )
}

/// True if somebody else of at least this role stays in the tenant. Reads no further than to the first.
async fn others_stay(
    tx: &mut Tx,
    tenant: TenantId,
    leaves: UserId,
    role: Role,
) -> Result<bool, Abort> {
    for (key, _) in tx.scan_all::<AccountId>(&keys::members(tenant)).await? {
        let id = UserId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        let user = tx.get::<User>(&keys::user(tenant, id)).await?;
        if id != leaves
            && user.is_some_and(|user| {
                user.role >= role && user.mark.is_none() && user.custody.is_none()
            })
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// As [`refuse_last_owner`], for a person who goes altogether: a tenant of their own may go with them.
pub(super) async fn refuse_ownerless(
    tx: &mut Tx,
    tenant: TenantId,
    leaves: UserId,
) -> Result<(), Abort> {
    let user: User = tx
        .get(&keys::user(tenant, leaves))
        .await?
        .ok_or_else(no_such_user)?;
    let owns = user.role == Role::Owner && user.custody.is_none();
    if owns && others_stay(tx, tenant, leaves, Role::Member).await? {
        refuse_last_owner(tx, tenant, leaves).await?;
    }
    Ok(())
}

/// Removes a member, or lets one leave: their user is suspended and marked, and can be handed over
/// ([`super::HandOver`]) or restored until then.
pub struct RemoveMember {
    /// Who decides: the member, or somebody whose role is at least the member's.
    pub by: AccountId,
    /// From which tenant.
    pub tenant: TenantId,
    /// Whose membership ends.
    pub user: UserId,
    /// When the user is deleted.
    pub until: Timestamp,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RemoveMember {
    const NAME: &'static str = "remove_member";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let user: User = tx
            .get(&keys::user(self.tenant, self.user))
            .await?
            .ok_or_else(no_such_user)?;
        let leaves = user.account == self.by && user.custody.is_none();
        if !leaves {
            let (_, by) = who::member(tx, self.tenant, self.by, Role::Admin).await?;
            if by.role < user.role {
                return Err(above().into());
            }
        }
        if user.mark.is_some() {
            return Ok(());
        }
        if user.role == Role::Owner {
            refuse_last_owner(tx, self.tenant, self.user).await?;
        }
        let mark = Mark {
            at: self.at,
            until: self.until,
            requested: false,
        };
        set_user_mark(tx, self.user, Some(mark), self.at).await?;
        super::api_key::revoke_all(tx, self.tenant, self.user).await?;
        let action = if leaves {
            Action::MemberLeft { user: self.user }
        } else {
            Action::MemberRemoved { user: self.user }
        };
        tx.audit(self.tenant, self.at, Some(self.by), action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
