//! How far a template release is in the fleet.

use coditect_core::{ReleaseName, RingName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A template release on its way through the rings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The release that those who are not yet reached run.
    pub from: ReleaseName,
    /// The newest ring that was reached; none before the first.
    pub ring: Option<RingName>,
    /// Whether it goes on.
    pub state: RolloutState,
    /// How many users it reached.
    pub users: u64,
    /// How many of them the cluster refused.
    pub quarantined: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last came further, or stopped.
    pub changed_at: Timestamp,
    /// Grows with every change.
    pub revision: u64,
}

/// Whether a roll-out goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RolloutState {
    /// It goes on.
    Advancing,
    /// It waits for a person.
    Paused {
        /// Why.
        why: String,
    },
    /// It goes back.
    Aborted {
        /// Why.
        why: String,
    },
    /// Everyone has it.
    Done,
}
