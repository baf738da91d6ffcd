//! Users that somebody left behind: handed over to another member or to the organisation.

use async_trait::async_trait;
use coditect_core::{AccountId, Error, Power, TenantId, UserId};
use jiff::Timestamp;

use super::{
    api_key::revoke_all,
    mark::{asked, unmark},
    purge::clear_history,
    removal::{ASKED, decides},
    session::end_sessions,
    staying::{first_owner, may_come_back, put_user},
    who,
    workspace::stop_all,
};
use crate::{
    keys,
    record::{Action, Custody, PowerCause, PowerState, Role, User},
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
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
        let user = who::in_tenant(tx, self.tenant, self.user).await?;
        decides(tx, self.tenant, self.by, &user).await?;
        let to = self.heir(tx).await?;
        if user.custody.is_none() {
            self.refuse_who_has_not_left(tx, &user).await?;
            let left = pass_on(tx, self.tenant, user.account, self.at).await?;
            if !left.is_empty() {
                return Err(no_owner());
            }
        }
        // One that was left behind and removed is kept, too: that is what handing it over means.
        unmark(tx, (self.tenant, self.user), self.by, self.at).await?;
        let user = who::in_tenant(tx, self.tenant, self.user).await?;
        let organisation = self.to == Heir::Organisation;
        give(
            tx,
            (self.tenant, self.user),
            user,
            to,
            organisation,
            self.at,
        )
        .await?;
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
                let user = who::in_tenant(tx, self.tenant, member).await?;
                if !user.stays() || member == self.user {
                    return Err(Error::conflict("only a member who stays can take it over").into());
                }
                Ok(user.account)
            }
            Heir::Organisation => first_owner(tx, self.tenant).await?.ok_or_else(no_owner),
        }
    }

    async fn refuse_who_has_not_left(&self, tx: &mut Tx, user: &User) -> Result<(), Abort> {
        let Some(mark) = &user.mark else {
            let message = "this member has not left; remove them first";
            return Err(Error::conflict(message).into());
        };
        if mark.requested || asked(tx, user.account).await?.is_some() {
            return Err(Error::conflict(ASKED).into());
        }
        Ok(())
    }
}

fn no_owner() -> Abort {
    Error::conflict("the tenant has no owner who stays").into()
}

/// Gives a user to an account. What was of whoever had it before goes away, and its workspaces stop.
async fn give(
    tx: &mut Tx,
    (tenant, id): (TenantId, UserId),
    mut user: User,
    to: AccountId,
    organisation: bool,
    at: Timestamp,
) -> Result<(), Abort> {
    if user.account != to {
        clear_traces(tx, (tenant, id), &user, at).await?;
    }
    if user.custody.is_some() {
        tx.clear(&keys::custody(user.account, id));
    } else {
        tx.clear(&keys::membership(user.account, tenant));
    }
    user.custody = Some(Custody {
        since: at,
        organisation,
        role: user.rank(),
    });
    user.account = to;
    user.role = Role::Member;
    put_user(tx, tenant, id, &user).await?;
    tx.put(&keys::member(tenant, id), &to)?;
    tx.put(&keys::custody(to, id), &tenant)?;
    Ok(())
}

/// Ends what the account that has a user does there, and removes what it said there.
async fn clear_traces(
    tx: &mut Tx,
    (tenant, id): (TenantId, UserId),
    user: &User,
    at: Timestamp,
) -> Result<(), Abort> {
    end_sessions(tx, tenant, id, None).await?;
    revoke_all(tx, tenant, id).await?;
    clear_history(tx, tenant, id).await?;
    let off = PowerState {
        power: Power::Off,
        since: at,
        cause: PowerCause::HandedOver,
    };
    match tx.get(&keys::intent(&user.cell, id)).await? {
        Some(row) => stop_all(tx, (tenant, id), &row, &off).await,
        None => Ok(()),
    }
}

/// Gives what the account has in its custody in this tenant to the organisation, because the account leaves. What
/// nobody is left to take stays as it is, and is returned. Reads no members if there is nothing to give.
pub(super) async fn pass_on(
    tx: &mut Tx,
    tenant: TenantId,
    from: AccountId,
    at: Timestamp,
) -> Result<Vec<(UserId, User)>, Abort> {
    let mut kept = Vec::new();
    for (key, in_tenant) in tx.scan_all::<TenantId>(&keys::custodies(from)).await? {
        if in_tenant != tenant {
            continue;
        }
        let id = UserId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        let Some(user) = tx.get::<User>(&keys::user(tenant, id)).await? else {
            tx.clear(&key);
            continue;
        };
        kept.push((id, user));
    }
    if kept.is_empty() {
        return Ok(kept);
    }
    let Some(heir) = heir(tx, tenant, from).await? else {
        return Ok(kept);
    };
    for (id, user) in kept {
        give(tx, (tenant, id), user, heir, true, at).await?;
    }
    Ok(Vec::new())
}

/// The owner who stays, or else the one who may come back.
async fn heir(
    tx: &mut Tx,
    tenant: TenantId,
    leaves: AccountId,
) -> Result<Option<AccountId>, Abort> {
    if let Some(owner) = first_owner(tx, tenant).await? {
        return Ok(Some(owner));
    }
    Ok(may_come_back(tx, tenant)
        .await?
        .filter(|(_, user)| user.role == Role::Owner && user.account != leaves)
        .map(|(_, user)| user.account))
}
