//! Deleting a workspace in two steps: suspend and mark for a grace period, then the tombstone. At once only when the
//! person asks for it.

use async_trait::async_trait;
use coditect_core::{AccountId, Power, Standing, WorkspaceId};
use jiff::Timestamp;

use super::{
    burial::bury_workspace,
    workspace::{owned_to_change, set_power},
};
use crate::{
    keys::{self, WorkspacePart},
    record::{Action, Grace, IntentRow, Mark, PowerCause, PowerState, Workspace, WorkspacePlace},
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
        let place = owned_to_change(tx, self.account, self.workspace).await?;
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
        tx.audit(place.tenant, self.at, Some(self.account), action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// What is marked does not run.
pub(super) fn off(at: Timestamp) -> PowerState {
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
        let place = owned_to_change(tx, self.account, self.workspace).await?;
        if set_workspace_mark(tx, &place, self.workspace, None, self.at).await? {
            let action = Action::WorkspaceRestored {
                workspace: self.workspace,
            };
            tx.audit(place.tenant, self.at, Some(self.account), action)?;
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
        let place = owned_to_change(tx, self.account, self.workspace).await?;
        bury_workspace(tx, &place, self.workspace, true, self.at).await?;
        let action = Action::WorkspaceDeleted {
            workspace: self.workspace,
        };
        tx.audit(place.tenant, self.at, Some(self.account), action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
