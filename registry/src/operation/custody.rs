//! Users that somebody left behind: handed over to another member or to the organisation.

use async_trait::async_trait;
use coditect_core::{AccountId, Error, TenantId, UserId};
use jiff::Timestamp;

use super::{
    account_deletion::set_user_mark,
    api_key::revoke_all,
    member::{above, users},
    session::end_sessions,
    who,
};
use crate::{
    keys,
    record::{Action, Custody, Role, User},
    registry::Operation,
    tx::{Abort, Tx, no_such_user},
};

/// To whom a user goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heir {
    /// The account of this member.
    Member(UserId),
    /// Whoever owns the tenant: the owner who joined first, and another when that one leaves.
    Organisation,
}

/// Hands a leaver's user over: its workspaces and their files, off until somebody starts them, go to somebody who
/// stays. What was the leaver's own (sessions, API keys, conversations) goes away; from then on their erasure does
/// not reach the user.
pub struct HandOver {
    /// Who decides: an owner or an admin, whose role is at least the leaver's.
    pub by: AccountId,
    /// In which tenant.
    pub tenant: TenantId,
    /// Whose user: of a member who was removed or left, or one that was handed over before.
    pub user: UserId,
    /// To whom.
    pub to: Heir,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for HandOver {
    const NAME: &'static str = "hand_over";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (_, by) = who::member(tx, self.tenant, self.by, Role::Admin).await?;
        let user: User = tx
            .get(&keys::user(self.tenant, self.user))
            .await?
            .ok_or_else(no_such_user)?;
        if by.role < user.role {
            return Err(above().into());
        }
        let to = self.heir(tx).await?;
        if user.custody.is_none() {
            self.take(tx, &user).await?;
        }
        let user: User = tx
            .get(&keys::user(self.tenant, self.user))
            .await?
            .ok_or_else(no_such_user)?;
        let organisation = self.to == Heir::Organisation;
        give(tx, self.tenant, self.user, user, to, organisation, self.at)?;
        let action = Action::UserHandedOver {
            user: self.user,
            to,
            organisation,
        };
        tx.audit(self.tenant, self.at, Some(self.by), action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl HandOver {
    async fn heir(&self, tx: &mut Tx) -> Result<AccountId, Abort> {
        match self.to {
            Heir::Member(member) => {
                let user: User = tx
                    .get(&keys::user(self.tenant, member))
                    .await?
                    .ok_or_else(no_such_user)?;
                if user.mark.is_some() || user.custody.is_some() || member == self.user {
                    return Err(Error::conflict("only a member who stays can take it over").into());
                }
                Ok(user.account)
            }
            Heir::Organisation => pass_on(tx, self.tenant)
                .await?
                .ok_or_else(|| Error::conflict("the tenant has no owner who stays").into()),
        }
    }

    /// Ends the membership of the leaver and removes what was theirs alone.
    async fn take(&self, tx: &mut Tx, user: &User) -> Result<(), Abort> {
        match &user.mark {
            None => {
                return Err(Error::conflict("this member has not left; remove them first").into());
            }
            Some(mark) if mark.requested => {
                return Err(Error::conflict(
                    "the person asked for their account's erasure; only they can take that back",
                )
                .into());
            }
            Some(_) => {}
        }
        set_user_mark(tx, self.user, None, self.at).await?;
        tx.clear(&keys::membership(user.account, self.tenant));
        end_sessions(tx, self.tenant, self.user, None).await?;
        revoke_all(tx, self.tenant, self.user).await?;
        tx.clear_range(&keys::conversations(self.tenant, self.user));
        tx.clear_range(&keys::llm_history(self.tenant, self.user));
        Ok(())
    }
}

/// Gives a user into an account's custody.
pub(super) fn give(
    tx: &mut Tx,
    tenant: TenantId,
    id: UserId,
    mut user: User,
    to: AccountId,
    organisation: bool,
    at: Timestamp,
) -> Result<(), Abort> {
    if user.custody.is_some() {
        tx.clear(&keys::custody(user.account, id));
    }
    user.account = to;
    user.role = Role::Member;
    user.custody = Some(Custody {
        since: at,
        organisation,
    });
    tx.put(&keys::user(tenant, id), &user)?;
    tx.put(&keys::member(tenant, id), &to)?;
    tx.put(&keys::custody(to, id), &tenant)?;
    Ok(())
}

/// Who has what belongs to the organisation: the owner who stays and joined first.
pub(super) async fn pass_on(tx: &mut Tx, tenant: TenantId) -> Result<Option<AccountId>, Abort> {
    let owner = users(tx, tenant)
        .await?
        .into_iter()
        .filter(|(_, user)| {
            user.role == Role::Owner && user.mark.is_none() && user.custody.is_none()
        })
        .min_by_key(|(id, user)| (user.joined_at, *id));
    Ok(owner.map(|(_, user)| user.account))
}
