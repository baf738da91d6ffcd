//! A user on its way out, for either of two reasons or both: the membership was ended, or the person asked for the
//! end of their account. Each is taken back by itself, and by other people.

use coditect_core::{AccountId, Standing, TenantId, UserId, WorkspaceId};
use jiff::Timestamp;

use super::{deletion::off, staying::put_user, who, workspace::stop_all};
use crate::{
    keys,
    record::{Account, Action, Grace, IntentRow, Mark, User},
    tx::{Abort, Tx},
};

/// Ends a membership, or takes its end back. The person's own request stays as it is.
pub(super) async fn set_removal(
    tx: &mut Tx,
    (tenant, id): (TenantId, UserId),
    removal: Option<Mark>,
    by: AccountId,
    at: Timestamp,
) -> Result<(), Abort> {
    let user = who::in_tenant(tx, tenant, id).await?;
    // A custodian's request for the end of their account does not reach what others left behind.
    let asked = match user.custody {
        None => asked(tx, user.account).await?,
        Some(_) => None,
    };
    set(tx, (tenant, id), user, (removal, asked), by, at).await
}

/// Notes that the person asked for the end of their account, or takes that back. The end of the membership stays as
/// it is.
pub(super) async fn set_asked(
    tx: &mut Tx,
    (tenant, id): (TenantId, UserId),
    asked: Option<Mark>,
    at: Timestamp,
) -> Result<(), Abort> {
    let user = who::in_tenant(tx, tenant, id).await?;
    let (removal, by) = (user.removal.clone(), user.account);
    set(tx, (tenant, id), user, (removal, asked), by, at).await
}

/// Keeps a user whose person does not come back.
pub(super) async fn unmark(
    tx: &mut Tx,
    (tenant, id): (TenantId, UserId),
    by: AccountId,
    at: Timestamp,
) -> Result<(), Abort> {
    let user = who::in_tenant(tx, tenant, id).await?;
    set(tx, (tenant, id), user, (None, None), by, at).await
}

/// The mark of the account's own request. An account taken over from Git has no profile, and nobody who could ask.
pub(super) async fn asked(tx: &mut Tx, account: AccountId) -> Result<Option<Mark>, Abort> {
    let profile: Option<Account> = tx.get(&keys::account(account)).await?;
    Ok(profile.and_then(|profile| profile.mark))
}

/// What is due first. At the same time the person's own request is what is said to be behind it.
fn first_due(removal: Option<&Mark>, asked: Option<Mark>) -> Option<Mark> {
    match (removal, asked) {
        (Some(removal), Some(asked)) if removal.until < asked.until => Some(removal.clone()),
        (removal, asked) => asked.or_else(|| removal.cloned()),
    }
}

async fn set(
    tx: &mut Tx,
    (tenant, id): (TenantId, UserId),
    mut user: User,
    (removal, asked): (Option<Mark>, Option<Mark>),
    by: AccountId,
    at: Timestamp,
) -> Result<(), Abort> {
    let mark = first_due(removal.as_ref(), asked);
    if (&user.mark, &user.removal) == (&mark, &removal) {
        return Ok(());
    }
    if let Some(old) = &user.mark {
        tx.clear(&keys::grace(old.until, id.as_uuid()));
    }
    if let Some(mark) = &mark {
        let due = Grace::User { user: id };
        tx.put(&keys::grace(mark.until, id.as_uuid()), &due)?;
    }
    let was_marked = user.mark.is_some();
    user.mark = mark;
    user.removal = removal;
    put_user(tx, tenant, id, &user).await?;
    if was_marked != user.mark.is_some() {
        set_standing(tx, (tenant, id), &user, at).await?;
        let action = match user.mark {
            Some(_) => Action::UserMarked { user: id },
            None => Action::UserRestored { user: id },
        };
        tx.audit(tenant, at, Some(by), action)?;
    }
    Ok(())
}

/// Whether the user's workspaces may run. They stop with the mark, and stay off when it is taken back.
async fn set_standing(
    tx: &mut Tx,
    (tenant, id): (TenantId, UserId),
    user: &User,
    at: Timestamp,
) -> Result<(), Abort> {
    let row: Option<IntentRow> = tx.get(&keys::intent(&user.cell, id)).await?;
    // Of a user without an intent nothing runs.
    let Some(mut row) = row else {
        return Ok(());
    };
    let touched: Vec<WorkspaceId> = row
        .intent
        .workspaces
        .iter()
        .map(|workspace| workspace.id)
        .collect();
    if user.mark.is_some() {
        row.intent.standing = Standing::Marked;
        stop_all(tx, (tenant, id), &row, &off(at)).await?;
    } else {
        row.intent.standing = match user.held {
            Some(_) => Standing::Suspended,
            None => Standing::Active,
        };
    }
    tx.put_intent(&mut row, &touched, at)?;
    Ok(())
}
