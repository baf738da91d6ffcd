//! What members may do in a tenant.

use async_trait::async_trait;
use coditect_core::{AccountId, Error, Kind, TenantId, UserId};
use jiff::Timestamp;

use super::{
    staying::{first_owner, put_user, refuse_last_owner},
    who,
};
use crate::{
    record::{Action, Role, UserPlace},
    registry::Operation,
    tx::{Abort, Tx},
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
        let mut user = who::in_tenant(tx, self.tenant, self.user).await?;
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
        put_user(tx, self.tenant, self.user, &user).await?;
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

/// Makes a member an owner of a tenant in which no owner stays: an operator's, for a tenant of several users that was
/// taken over from Git, which does not know who owned it.
pub struct AppointOwner {
    /// Who: a member who stays.
    pub user: UserId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for AppointOwner {
    const NAME: &'static str = "appoint_owner";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (UserPlace { tenant, .. }, mut user) = who::user(tx, self.user).await?;
        if !user.stays() {
            return Err(Error::conflict("only a member who stays can own the tenant").into());
        }
        if user.role == Role::Owner {
            return Ok(());
        }
        if first_owner(tx, tenant).await?.is_some() {
            let message = "the tenant has an owner, who decides who else is one";
            return Err(Error::conflict(message).into());
        }
        user.role = Role::Owner;
        put_user(tx, tenant, self.user, &user).await?;
        let action = Action::RoleChanged {
            user: self.user,
            role: Role::Owner,
        };
        tx.audit(tenant, self.at, None, action)?;
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
