//! The end of a membership, for a grace period in which it can be taken back.

use async_trait::async_trait;
use coditect_core::{AccountId, Error, TenantId, UserId};
use jiff::Timestamp;

use super::{
    api_key::revoke_all, custody::pass_on, mark::set_removal, member::above,
    staying::refuse_last_owner, who,
};
use crate::{
    record::{Action, Mark, Role, User},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Removes a member, or lets one leave: their user is suspended and marked, and can be handed over
/// ([`super::HandOver`]) or restored ([`RestoreMember`]) until then. Their API keys end, and what others left to them
/// goes to the organisation. A user that was left behind is removed alike.
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
        let user = who::in_tenant(tx, self.tenant, self.user).await?;
        let is_member = user.custody.is_none();
        let leaves = user.account == self.by && is_member;
        if !leaves {
            decides(tx, self.tenant, self.by, &user).await?;
        }
        if user.removal.is_some() {
            return Ok(());
        }
        if user.role == Role::Owner {
            refuse_last_owner(tx, self.tenant, self.user).await?;
        }
        let removal = Mark {
            at: self.at,
            until: self.until,
            requested: false,
        };
        let of = (self.tenant, self.user);
        set_removal(tx, of, Some(removal), self.by, self.at).await?;
        revoke_all(tx, self.tenant, self.user).await?;
        if is_member {
            // Where nobody is left to have it, it waits with the member.
            pass_on(tx, self.tenant, user.account, self.at).await?;
        }
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

/// Takes the end of a membership back while its grace period lasts. Workspaces stay off until they are started; API
/// keys and what others had left to the member do not come back.
pub struct RestoreMember {
    /// Who decides: an owner or an admin, whose role is at least the member's.
    pub by: AccountId,
    /// In which tenant.
    pub tenant: TenantId,
    /// Whose membership goes on. What only the person's own request ends, only they restore.
    pub user: UserId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RestoreMember {
    const NAME: &'static str = "restore_member";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let user = who::in_tenant(tx, self.tenant, self.user).await?;
        decides(tx, self.tenant, self.by, &user).await?;
        match &user.mark {
            None => return Ok(()),
            Some(mark) if user.removal.is_none() && mark.requested => {
                return Err(Error::conflict(ASKED).into());
            }
            Some(_) => {}
        }
        set_removal(tx, (self.tenant, self.user), None, self.by, self.at).await?;
        let action = Action::MemberRestored { user: self.user };
        tx.audit(self.tenant, self.at, Some(self.by), action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Why nobody else decides about a person who wants to be forgotten.
pub(super) const ASKED: &str =
    "the person asked for their account's erasure; only they can take that back";

/// Refuses whoever may not decide about this user.
pub(super) async fn decides(
    tx: &mut Tx,
    tenant: TenantId,
    by: AccountId,
    user: &User,
) -> Result<(), Abort> {
    let (_, by) = who::member(tx, tenant, by, Role::Admin).await?;
    if by.role < user.rank() {
        return Err(above().into());
    }
    Ok(())
}
