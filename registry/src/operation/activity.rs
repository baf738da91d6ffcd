//! Whether a workspace is used.

use async_trait::async_trait;
use coditect_core::{AccountId, Activity, CellName, Error, Power, WorkspaceId};
use jiff::{SignedDuration, Timestamp};

use super::{observer::place_in, workspace::owned};
use crate::{
    keys::{self, WorkspacePart},
    record::{Action, PowerState},
    registry::Operation,
    tx::{Abort, Tx, no_such_workspace},
};

/// Notes when a workspace was last used. What is known never goes back, and nothing lies in the future: a
/// workspace with a wrong clock, or one that lies, gains nothing by it.
pub struct NoteActivity {
    /// Which cell; a workspace of another is unknown.
    pub cell: CellName,
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// What was reported; times after [`NoteActivity::at`] count as then.
    pub activity: Activity,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NoteActivity {
    const NAME: &'static str = "note_activity";
    const IDEMPOTENT: bool = true;
    /// False if there is no such workspace.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        if place_in(tx, &self.cell, self.workspace).await?.is_none() {
            return Ok(false);
        }
        let clip = |time: Timestamp| time.min(self.at);
        let reported = Activity {
            input_at: self.activity.input_at.map(clip),
            output_at: self.activity.output_at.map(clip),
            reported_at: clip(self.activity.reported_at),
        };
        note(tx, &self.cell, self.workspace, reported).await?;
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// What is known never goes back.
pub(super) async fn note(
    tx: &mut Tx,
    cell: &CellName,
    workspace: WorkspaceId,
    reported: Activity,
) -> Result<(), Abort> {
    let key = keys::activity(cell, workspace);
    let known = tx.get::<Activity>(&key).await?;
    let newest = known.map_or(reported, |known| Activity {
        input_at: known.input_at.max(reported.input_at),
        output_at: known.output_at.max(reported.output_at),
        reported_at: known.reported_at.max(reported.reported_at),
    });
    if known != Some(newest) {
        tx.put(&key, &newest)?;
    }
    Ok(())
}

/// Clicks closer together than this are one decision in the audit.
const KEPT_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// A person says that a running workspace is in use: counts as input now.
pub struct Keep {
    /// Who asks.
    pub account: AccountId,
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for Keep {
    const NAME: &'static str = "keep";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = owned(tx, self.account, self.workspace).await?;
        let power: PowerState = tx
            .get(&keys::workspace(
                place.tenant,
                place.user,
                self.workspace,
                WorkspacePart::Power,
            ))
            .await?
            .ok_or_else(no_such_workspace)?;
        if power.power == Power::Off {
            return Err(Error::conflict("the workspace is stopped; start it instead").into());
        }
        let before = tx
            .get::<Activity>(&keys::activity(&place.cell, self.workspace))
            .await?
            .and_then(|activity| activity.input_at);
        let now = Activity {
            input_at: Some(self.at),
            output_at: None,
            reported_at: self.at,
        };
        note(tx, &place.cell, self.workspace, now).await?;
        if before.is_none_or(|before| self.at.duration_since(before) >= KEPT_AGAIN) {
            let action = Action::WorkspaceKept {
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
