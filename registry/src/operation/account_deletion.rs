//! An account on its way out: suspended and marked for a grace period, in which it can be restored.

use async_trait::async_trait;
use coditect_core::{AccountId, Standing, TenantId, UserId, WorkspaceId};
use jiff::Timestamp;

use super::{deletion::off, member::refuse_ownerless, workspace::set_power};
use crate::{
    keys,
    record::{Account, Action, Grace, IntentRow, Mark, User, UserPlace, WorkspacePlace},
    registry::Operation,
    tx::{Abort, Tx, no_such_user, trailing_uuid},
};

/// Suspends all of an account's users and marks them for deletion.
pub struct MarkAccount {
    /// Which account.
    pub account: AccountId,
    /// Until when it can be restored.
    pub until: Timestamp,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for MarkAccount {
    const NAME: &'static str = "mark_account";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let mark = Mark {
            at: self.at,
            until: self.until,
            requested: true,
        };
        for (tenant, user) in memberships(tx, self.account).await? {
            refuse_ownerless(tx, tenant, user).await?;
            set_user_mark(tx, user, Some(mark.clone()), self.at).await?;
        }
        set_account_mark(tx, self.account, Some(mark)).await
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Takes the marks off all of an account's users. Workspaces stay off until somebody starts them.
pub struct RestoreAccount {
    /// Which account.
    pub account: AccountId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RestoreAccount {
    const NAME: &'static str = "restore_account";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        for (tenant, id) in memberships(tx, self.account).await? {
            // Whom somebody else removed does not come back by their own decision.
            let user: User = tx
                .get(&keys::user(tenant, id))
                .await?
                .ok_or_else(no_such_user)?;
            if user.mark.is_some_and(|mark| mark.requested) {
                set_user_mark(tx, id, None, self.at).await?;
            }
        }
        set_account_mark(tx, self.account, None).await
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// The tenants an account belongs to, each with its user there.
pub(super) async fn memberships(
    tx: &mut Tx,
    account: AccountId,
) -> Result<Vec<(TenantId, UserId)>, Abort> {
    let found = tx.scan_all::<UserId>(&keys::memberships(account)).await?;
    let mut memberships = Vec::with_capacity(found.len());
    for (key, user) in found {
        memberships.push((TenantId::from_bytes(*trailing_uuid(&key)?.as_bytes()), user));
    }
    Ok(memberships)
}

/// Sets or takes off the account's own mark, by which it is forgotten when its last user is deleted, or if it has
/// none.
async fn set_account_mark(
    tx: &mut Tx,
    account: AccountId,
    mark: Option<Mark>,
) -> Result<(), Abort> {
    let key = keys::account(account);
    // An account taken over from Git has no profile.
    let Some(mut record) = tx.get::<Account>(&key).await? else {
        return Ok(());
    };
    if record.mark.is_some() == mark.is_some() {
        return Ok(());
    }
    if let Some(old) = &record.mark {
        tx.clear(&keys::grace(old.until, account.as_uuid()));
    }
    if let Some(mark) = &mark {
        tx.put(
            &keys::grace(mark.until, account.as_uuid()),
            &Grace::Account { account },
        )?;
    }
    record.mark = mark;
    tx.put(&key, &record)?;
    Ok(())
}

/// Sets or takes off a user's mark, and with it whether their workspaces may run.
pub(super) async fn set_user_mark(
    tx: &mut Tx,
    id: UserId,
    mark: Option<Mark>,
    at: Timestamp,
) -> Result<(), Abort> {
    let place: UserPlace = tx
        .require(&keys::user_place(id), "there is no user of that id")
        .await?;
    let key = keys::user(place.tenant, id);
    let mut user: User = tx.require(&key, "there is no user of that id").await?;
    if user.mark.is_some() == mark.is_some() {
        return Ok(());
    }
    if let Some(old) = &user.mark {
        tx.clear(&keys::grace(old.until, id.as_uuid()));
    }
    let mut row: IntentRow = tx
        .require(
            &keys::intent(&place.cell, id),
            "there is no user of that id",
        )
        .await?;
    let touched: Vec<WorkspaceId> = row
        .intent
        .workspaces
        .iter()
        .map(|workspace| workspace.id)
        .collect();
    let action = if let Some(mark) = &mark {
        tx.put(
            &keys::grace(mark.until, id.as_uuid()),
            &Grace::User { user: id },
        )?;
        for workspace in &touched {
            let place = WorkspacePlace {
                tenant: place.tenant,
                user: id,
                cell: place.cell.clone(),
            };
            set_power(tx, &place, *workspace, off(at)).await?;
        }
        Action::UserMarked { user: id }
    } else {
        Action::UserRestored { user: id }
    };
    row.intent.standing = if mark.is_some() {
        Standing::Marked
    } else {
        Standing::Active
    };
    user.mark = mark;
    tx.put(&key, &user)?;
    tx.put_intent(&mut row, &touched, at)?;
    tx.audit(place.tenant, at, Some(user.account), action)?;
    Ok(())
}
