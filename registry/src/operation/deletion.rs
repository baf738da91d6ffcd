//! Deleting in two steps: suspend and mark for a grace period, then the tombstone. At once only when the
//! person asks for erasure.

use async_trait::async_trait;
use coditect_core::{AccountId, CellName, Power, Standing, UserId, WorkspaceId};
use jiff::Timestamp;

use super::workspace::{owned, set_power};
use crate::{
    keys::{self, WorkspacePart},
    record::{
        Account, Action, AuditEntry, Grace, IntentRow, Mark, PowerCause, PowerState, ReapEntry,
        Tombstone, User, UserPlace, Workspace, WorkspacePlace,
    },
    registry::Operation,
    tx::{Abort, Tx, no_such_workspace},
};

/// Suspends a workspace and marks it for deletion.
pub struct MarkWorkspace {
    /// Who asks.
    pub account: AccountId,
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// Until when it can be restored.
    pub until: Timestamp,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for MarkWorkspace {
    const NAME: &'static str = "mark_workspace";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = owned(tx, self.account, self.workspace).await?;
        let mark = Mark {
            at: self.at,
            until: self.until,
            requested: true,
        };
        if !set_workspace_mark(tx, &place, self.workspace, Some(mark), self.at).await? {
            return Ok(());
        }
        set_power(tx, &place, self.workspace, off(self.at)).await?;
        tx.put(
            &keys::grace(self.until, self.workspace.as_uuid()),
            &Grace::Workspace {
                workspace: self.workspace,
            },
        )?;
        let action = Action::WorkspaceMarked {
            workspace: self.workspace,
        };
        tx.audit(
            place.tenant,
            &AuditEntry {
                at: self.at,
                actor: Some(self.account),
                action,
            },
        )?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// What is marked does not run.
fn off(at: Timestamp) -> PowerState {
    PowerState {
        power: Power::Off,
        since: at,
        cause: PowerCause::Deletion,
    }
}

/// Takes the mark off a workspace. It stays off until somebody starts it.
pub struct RestoreWorkspace {
    /// Who asks.
    pub account: AccountId,
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RestoreWorkspace {
    const NAME: &'static str = "restore_workspace";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = owned(tx, self.account, self.workspace).await?;
        if set_workspace_mark(tx, &place, self.workspace, None, self.at).await? {
            let action = Action::WorkspaceRestored {
                workspace: self.workspace,
            };
            tx.audit(
                place.tenant,
                &AuditEntry {
                    at: self.at,
                    actor: Some(self.account),
                    action,
                },
            )?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Sets or takes off a workspace's mark, in its record and its intent; false if nothing changed.
async fn set_workspace_mark(
    tx: &mut Tx,
    place: &WorkspacePlace,
    workspace: WorkspaceId,
    mark: Option<Mark>,
    at: Timestamp,
) -> Result<bool, Abort> {
    let key = keys::workspace(place.tenant, place.user, workspace, WorkspacePart::Profile);
    let mut record: Workspace = tx.get(&key).await?.ok_or_else(no_such_workspace)?;
    let mut row: IntentRow = tx
        .get(&keys::intent(&place.cell, place.user))
        .await?
        .ok_or_else(no_such_workspace)?;
    let mut wanted = row
        .intent
        .workspace(workspace)
        .cloned()
        .ok_or_else(no_such_workspace)?;
    if record.mark.is_some() == mark.is_some() {
        return Ok(false);
    }
    if let Some(old) = &record.mark {
        tx.clear(&keys::grace(old.until, workspace.as_uuid()));
    }
    wanted.standing = if mark.is_some() {
        Standing::Marked
    } else {
        Standing::Active
    };
    record.mark = mark;
    record.revision += 1;
    tx.put(&key, &record)?;
    row.intent.put_workspace(wanted);
    tx.put_intent(&mut row, &[workspace], at)?;
    Ok(true)
}

/// Deletes a workspace for good: removes it from the intent and writes its tombstone.
pub struct DeleteWorkspace {
    /// Who asks.
    pub account: AccountId,
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for DeleteWorkspace {
    const NAME: &'static str = "delete_workspace";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = owned(tx, self.account, self.workspace).await?;
        bury_workspace(tx, &place, self.workspace, true, self.at).await?;
        let action = Action::WorkspaceDeleted {
            workspace: self.workspace,
        };
        tx.audit(
            place.tenant,
            &AuditEntry {
                at: self.at,
                actor: Some(self.account),
                action,
            },
        )?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

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
        for (_, user) in tx
            .scan_all::<UserId>(&keys::memberships(self.account))
            .await?
        {
            set_user_mark(tx, user, Some(mark.clone()), self.at).await?;
        }
        Ok(())
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
        for (_, user) in tx
            .scan_all::<UserId>(&keys::memberships(self.account))
            .await?
        {
            set_user_mark(tx, user, None, self.at).await?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

async fn set_user_mark(
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
    tx.audit(
        place.tenant,
        &AuditEntry {
            at,
            actor: Some(user.account),
            action,
        },
    )?;
    Ok(())
}

/// Deletes an account at once and for good, with everything that is known of the person. What stays: ids in
/// audit and tombstones, and slugs that nobody may have again.
pub struct DeleteAccount {
    /// Which account.
    pub account: AccountId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for DeleteAccount {
    const NAME: &'static str = "delete_account";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let _: Account = tx
            .require(
                &keys::account(self.account),
                "there is no account of that id",
            )
            .await?;
        for (_, user) in tx
            .scan_all::<UserId>(&keys::memberships(self.account))
            .await?
        {
            let place: UserPlace = tx
                .require(&keys::user_place(user), "there is no user of that id")
                .await?;
            bury_user(tx, &place, user, true, Some(self.account), self.at).await?;
        }
        forget_person(tx, self.account).await
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Deletes one user for good on somebody else's decision (a leaver whose grace period is over). Counts
/// against the cell's budget of unrequested deletions.
pub struct DeleteUser {
    /// Which user.
    pub user: UserId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for DeleteUser {
    const NAME: &'static str = "delete_user";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place: UserPlace = tx
            .require(&keys::user_place(self.user), "there is no user of that id")
            .await?;
        bury_user(tx, &place, self.user, false, None, self.at).await
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Removes a workspace from the registry and writes its tombstone.
pub(super) async fn bury_workspace(
    tx: &mut Tx,
    place: &WorkspacePlace,
    workspace: WorkspaceId,
    requested: bool,
    at: Timestamp,
) -> Result<(), Abort> {
    let mut row: IntentRow = tx
        .get(&keys::intent(&place.cell, place.user))
        .await?
        .ok_or_else(no_such_workspace)?;
    clear_workspace(tx, place, workspace).await?;
    write_workspace_tombstone(tx, &place.cell, place.user, workspace, requested, at)?;
    row.intent.workspaces.retain(|have| have.id != workspace);
    tx.put_intent(&mut row, &[], at)?;
    tx.announce_power(&place.cell, workspace)?;
    Ok(())
}

/// Removes a workspace's records; its slug stays taken.
async fn clear_workspace(
    tx: &mut Tx,
    place: &WorkspacePlace,
    workspace: WorkspaceId,
) -> Result<(), Abort> {
    let profile: Option<Workspace> = tx
        .get(&keys::workspace(
            place.tenant,
            place.user,
            workspace,
            WorkspacePart::Profile,
        ))
        .await?;
    if let Some(mark) = profile.and_then(|profile| profile.mark) {
        tx.clear(&keys::grace(mark.until, workspace.as_uuid()));
    }
    tx.clear_range(&keys::workspace_all(place.tenant, place.user, workspace));
    tx.clear(&keys::workspace_place(workspace));
    tx.clear(&keys::activity(&place.cell, workspace));
    Ok(())
}

/// Writes a workspace's tombstone and puts its volume on the reaper's list.
pub(super) fn write_workspace_tombstone(
    tx: &mut Tx,
    cell: &CellName,
    user: UserId,
    workspace: WorkspaceId,
    requested: bool,
    at: Timestamp,
) -> Result<(), Abort> {
    tx.put(
        &keys::workspace_tombstone(cell, workspace),
        &Tombstone { at, requested },
    )?;
    put_reap(
        tx,
        cell,
        &ReapEntry {
            user,
            workspace: Some(workspace),
            at,
        },
    )
}

fn put_reap(tx: &mut Tx, cell: &CellName, entry: &ReapEntry) -> Result<(), Abort> {
    tx.put(&keys::reap(cell, entry.id()), entry)?;
    Ok(())
}

/// Removes a user from the registry and writes the tombstones of the user and of every workspace.
pub(super) async fn bury_user(
    tx: &mut Tx,
    place: &UserPlace,
    id: UserId,
    requested: bool,
    actor: Option<AccountId>,
    at: Timestamp,
) -> Result<(), Abort> {
    let UserPlace { tenant, cell } = place;
    let user: User = tx
        .require(&keys::user(*tenant, id), "there is no user of that id")
        .await?;
    let row: Option<IntentRow> = tx.get(&keys::intent(cell, id)).await?;
    for workspace in row.iter().flat_map(|row| &row.intent.workspaces) {
        let place = WorkspacePlace {
            tenant: *tenant,
            user: id,
            cell: cell.clone(),
        };
        clear_workspace(tx, &place, workspace.id).await?;
        tx.put(
            &keys::workspace_tombstone(cell, workspace.id),
            &Tombstone { at, requested },
        )?;
        tx.announce_power(cell, workspace.id)?;
    }
    if let Some(mark) = &user.mark {
        tx.clear(&keys::grace(mark.until, id.as_uuid()));
    }
    tx.clear_range(&keys::user_all(*tenant, id));
    tx.clear(&keys::user_place(id));
    tx.clear(&keys::member(*tenant, id));
    tx.clear(&keys::membership(user.account, *tenant));
    tx.clear(&keys::intent(cell, id));
    tx.clear(&keys::committed(cell, id));
    tx.clear(&keys::quarantine(cell, id));
    tx.add(&keys::cell_load(cell), -1);
    write_user_tombstone(tx, cell, id, requested, at)?;
    tx.audit(
        *tenant,
        &AuditEntry {
            at,
            actor,
            action: Action::UserDeleted { user: id },
        },
    )?;
    if tx
        .scan::<AccountId>(&keys::members(*tenant), 1)
        .await?
        .0
        .is_empty()
    {
        tx.clear_range(&keys::tenant_all(*tenant));
    }
    Ok(())
}

/// Writes a user's tombstone, puts their namespace on the reaper's list and tells the renderer.
pub(super) fn write_user_tombstone(
    tx: &mut Tx,
    cell: &CellName,
    id: UserId,
    requested: bool,
    at: Timestamp,
) -> Result<(), Abort> {
    tx.put(
        &keys::user_tombstone(cell, id),
        &Tombstone { at, requested },
    )?;
    put_reap(
        tx,
        cell,
        &ReapEntry {
            user: id,
            workspace: None,
            at,
        },
    )?;
    tx.announce_change(cell, id)?;
    Ok(())
}

/// Removes what is known of a person beside their users. An account taken over from Git has no profile.
pub(super) async fn forget_person(tx: &mut Tx, account: AccountId) -> Result<(), Abort> {
    if let Some(profile) = tx.get::<Account>(&keys::account(account)).await? {
        tx.clear(&keys::email(&profile.email));
    }
    tx.clear_range(&keys::account_all(account));
    tx.clear_range(&keys::memberships(account));
    Ok(())
}
