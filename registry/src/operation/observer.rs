//! What an observer notes: what it saw of workspaces and of the cell, what was removed, what it has handled.

use async_trait::async_trait;
use coditect_core::{CellName, Error, UserId, Version, WorkspaceId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    keys::{self, WorkspacePart},
    record::{CellState, Status, WorkspacePlace},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Most statuses of one [`NoteStatus`], so that it stays far below the limits of a transaction.
pub const STATUSES_AT_ONCE: usize = 200;

/// Notes what was seen of workspaces. Does not feed the change feed; a status that says what is known already
/// is not written, so that nobody is woken for it.
pub struct NoteStatus {
    /// Which cell; workspaces of another are left alone.
    pub cell: CellName,
    /// What was seen, at most [`STATUSES_AT_ONCE`]. Workspaces that are gone are skipped.
    pub statuses: Vec<(UserId, WorkspaceId, Status)>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NoteStatus {
    const NAME: &'static str = "note_status";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        if self.statuses.len() > STATUSES_AT_ONCE {
            let message = format!("holds more than {STATUSES_AT_ONCE} entries; send several");
            return Err(Error::invalid("statuses", message).into());
        }
        for (user, workspace, status) in &self.statuses {
            // An erased workspace must not come back as a status.
            let Some(place) = place_in(tx, &self.cell, *workspace).await? else {
                continue;
            };
            if place.user != *user {
                continue;
            }
            if status.steps.len() > Status::LONGEST_ROAD {
                let message = format!("has more than {} steps", Status::LONGEST_ROAD);
                return Err(Error::invalid("statuses", message).into());
            }
            let key = keys::workspace(place.tenant, *user, *workspace, WorkspacePart::Status);
            if tx.get::<Status>(&key).await?.as_ref() != Some(status) {
                tx.put(&key, status)?;
            }
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Where a workspace is, if it is in this cell.
pub(super) async fn place_in(
    tx: &mut Tx,
    cell: &CellName,
    workspace: WorkspaceId,
) -> Result<Option<WorkspacePlace>, Abort> {
    let place = tx
        .get::<WorkspacePlace>(&keys::workspace_place(workspace))
        .await?;
    Ok(place.filter(|place| place.cell == *cell))
}

/// Notes how a cell fares.
pub struct NoteCell {
    /// Which cell.
    pub cell: CellName,
    /// How it fares.
    pub state: CellState,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NoteCell {
    const NAME: &'static str = "note_cell";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        tx.put(&keys::cell_state(&self.cell), &self.state)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Notes that a user's or workspace's objects are gone from the cluster.
pub struct NoteReaped {
    /// Which cell.
    pub cell: CellName,
    /// The user or workspace.
    pub id: Uuid,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NoteReaped {
    const NAME: &'static str = "note_reaped";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        tx.clear(&keys::reap(&self.cell, self.id));
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Forgets the power feed up to and including a version whose changes the observer has carried out.
pub struct TrimPower {
    /// Which cell.
    pub cell: CellName,
    /// Up to where.
    pub until: Version,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for TrimPower {
    const NAME: &'static str = "trim_power";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let floor = keys::power_floor(&self.cell);
        if tx
            .get::<Version>(&floor)
            .await?
            .is_some_and(|have| have >= self.until)
        {
            return Ok(());
        }
        tx.clear_range(&keys::feed_until(&keys::power_feed(&self.cell), self.until));
        tx.put(&floor, &self.until)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
