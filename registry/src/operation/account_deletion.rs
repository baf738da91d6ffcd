//! An account on its way out: suspended and marked for a grace period, in which it can be restored.

use async_trait::async_trait;
use coditect_core::{AccountId, TenantId, UserId};
use jiff::Timestamp;

use super::{
    mark::{asked, set_asked},
    staying::refuse_ownerless,
};
use crate::{
    keys,
    record::{Account, Grace, Mark, User},
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
};

/// Suspends all of an account's users and marks them for deletion. Asked again, the first request stands.
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
        if asked(tx, self.account).await?.is_some() {
            return Ok(());
        }
        let mark = Mark {
            at: self.at,
            until: self.until,
            requested: true,
        };
        for (tenant, user) in memberships(tx, self.account).await? {
            refuse_ownerless(tx, tenant, user).await?;
            set_asked(tx, (tenant, user), Some(mark.clone()), self.at).await?;
        }
        set_account_mark(tx, self.account, Some(mark)).await
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Takes the person's request off all of an account's users. Whose membership was ended is deleted when that is due:
/// nobody comes back by their own decision. Workspaces stay off until somebody starts them.
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
        for (tenant, user) in memberships(tx, self.account).await? {
            set_asked(tx, (tenant, user), None, self.at).await?;
        }
        set_account_mark(tx, self.account, None).await
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// The tenants an account belongs to, each with its user there. An entry that leads to nobody, or to a user that is
/// not the account's own, is not among them: it must not keep a person from being forgotten, nor take others along.
pub(super) async fn memberships(
    tx: &mut Tx,
    account: AccountId,
) -> Result<Vec<(TenantId, UserId)>, Abort> {
    let found = tx.scan_all::<UserId>(&keys::memberships(account)).await?;
    let mut memberships = Vec::with_capacity(found.len());
    for (key, user) in found {
        let tenant = TenantId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        let record: Option<User> = tx.get(&keys::user(tenant, user)).await?;
        if record.is_some_and(|record| record.account == account && record.custody.is_none()) {
            memberships.push((tenant, user));
        }
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
