//! What a pass did, and why the rest waits.

use std::fmt;

use coditect_core::{CellName, UserId, WorkspaceId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{budget::Allowance, decide::Why};

/// How long a removal may take before it counts as stuck. The namespace controller needs seconds.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// What a pass over a cell did.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The cell.
    pub cell: CellName,
    /// When.
    pub at: Timestamp,
    /// True if nothing was to be changed.
    pub dry_run: bool,
    /// The commit that was asked; none if there is no repository to ask.
    pub commit: Option<String>,
    /// How many users the registry has.
    pub users: usize,
    /// How many may go in an hour.
    pub allowance: Allowance,
    /// Everything that is to go, the oldest tombstone first.
    pub rows: Vec<Row>,
}

/// One Namespace or volume that is to go.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Whose it is.
    pub user: UserId,
    /// The workspace whose volume goes; none: the whole namespace goes.
    pub workspace: Option<WorkspaceId>,
    /// When the tombstone was written.
    pub since: Timestamp,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of something that is to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Its removal has begun.
    Removed,
    /// It would be removed.
    WouldRemove,
    /// It is gone, and off the list.
    Gone,
    /// It waits for a later pass.
    Waits(Why),
}

impl Report {
    /// How many removals began.
    #[must_use]
    pub fn removed(&self) -> usize {
        self.count(|outcome| *outcome == Outcome::Removed)
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Waits(_)))
    }

    /// How many the cluster refused to mark or to remove.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Waits(Why::Refused(_))))
    }

    /// What has been on its way out for more than five minutes.
    pub fn stuck(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| match &row.outcome {
            Outcome::Waits(Why::Terminating { since, .. }) => {
                self.at.duration_since(*since) > PATIENCE
            }
            _ => false,
        })
    }

    fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.rows.iter().filter(|row| is(&row.outcome)).count()
    }
}

impl Row {
    /// What it is, in words.
    #[must_use]
    pub fn object(&self) -> String {
        match self.workspace {
            Some(workspace) => format!("volume {}", workspace.object_name()),
            None => format!("namespace {}", self.user.namespace()),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed => f.write_str("removal begun"),
            Self::WouldRemove => f.write_str("would be removed"),
            Self::Gone => f.write_str("gone"),
            Self::Waits(why) => write!(f, "waits: {why}"),
        }
    }
}
