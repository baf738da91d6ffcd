//! How far a template release is in the fleet.

use coditect_core::{ReleaseName, RingName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A template release on its way through the rings.
///
/// What each ring runs is said by the policy's commits alone. This says what was asked for, what must be known to
/// go back, and since when what is seen is good enough to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The release that those who are not yet reached run: the last ring's, where rings differ.
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
    /// The release that is rolled out; none in values from before it was written here as well as in the key.
    #[serde(default)]
    pub release: Option<ReleaseName>,
    /// The engine that the release was reviewed with.
    #[serde(default)]
    pub engine: u32,
    /// The rings that it goes through, in this order, with what they ran before.
    #[serde(default)]
    pub rings: Vec<RolloutRing>,
    /// What must hold before it goes on.
    #[serde(default)]
    pub terms: RolloutTerms,
    /// How pods come to run it.
    #[serde(default)]
    pub restart: RolloutRestart,
    /// Since when everything that is needed to go on from this ring was seen without a break.
    #[serde(default)]
    pub holds_since: Option<Timestamp>,
    /// Since when fewer workspaces than allowed were seen ready, without a break.
    #[serde(default)]
    pub falls_since: Option<Timestamp>,
    /// When it was last looked at with all that must be known: what was not seen for a while did not hold meanwhile.
    #[serde(default)]
    pub seen_at: Option<Timestamp>,
    /// The ring that a person let it go on from without waiting.
    #[serde(default)]
    pub hurry: Option<RingName>,
    /// What it waits for or why it ended, as was last seen.
    #[serde(default)]
    pub why: String,
    /// The policy commits that were written for it, the oldest first.
    #[serde(default)]
    pub commits: Vec<RolloutCommit>,
}

/// A ring that a roll-out goes through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutRing {
    /// The ring.
    pub ring: RingName,
    /// The release that it ran before.
    pub release: ReleaseName,
    /// The engine that it ran before.
    pub engine: u32,
    /// How many of its workspaces were to run when it was reached; none before.
    #[serde(default)]
    pub should_run: Option<u64>,
    /// How many of those were ready then: what was broken before does not count against the release.
    #[serde(default)]
    pub ready: Option<u64>,
    /// How many of its users the cluster refused when it was reached without their being quarantined.
    #[serde(default)]
    pub held_back: Option<u64>,
    /// Whether its cells were already asked to restart pods because of it.
    #[serde(default)]
    pub restarted: bool,
}

/// What must hold before a roll-out goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutTerms {
    /// For how many seconds it must hold in a ring.
    pub soak_seconds: u64,
    /// Which share of those workspaces that should run must be ready, in per cent.
    pub least_ready: u32,
    /// For how many seconds the share may be lower before the release goes back.
    pub patience_seconds: u64,
}

impl Default for RolloutTerms {
    fn default() -> Self {
        Self {
            soak_seconds: 900,
            least_ready: 95,
            patience_seconds: 300,
        }
    }
}

/// How pods come to run a new release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum RolloutRestart {
    /// Each when it next starts.
    #[default]
    OnNextStart,
    /// By the observer, a few at a time, within a window.
    Now {
        /// When the window opens; as soon as a ring has the release if none.
        from: Option<Timestamp>,
        /// When it closes; two hours after it opens if none.
        until: Option<Timestamp>,
        /// How many pods of a cell may be down at the same time.
        at_once: u32,
    },
}

/// A commit of the policy that a roll-out consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutCommit {
    /// The ring that was reached; none: all that were reached went back.
    pub ring: Option<RingName>,
    /// The commit of the policy repository, in hexadecimal.
    pub commit: String,
    /// When it was written.
    pub at: Timestamp,
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
    /// It went back: every ring runs what it ran before.
    RolledBack {
        /// Why.
        why: String,
    },
    /// Everyone has it.
    Done,
}

impl RolloutState {
    /// True while the policy may still be changed because of it.
    #[must_use]
    pub const fn under_way(&self) -> bool {
        matches!(
            self,
            Self::Advancing | Self::Paused { .. } | Self::Aborted { .. }
        )
    }
}
