//! What concerns a cell's cluster beside the workspaces' own records: what was refused, what is to be removed,
//! restarts, how the cell fares.

use coditect_core::{Reason, ReleaseName, RingName, UserId, WorkspaceId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// That the cluster refuses what Git asks for a user, so that the neighbours proceed without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The generation of the intent that was refused.
    pub generation: u64,
    /// The revision that Argo CD tried, in hexadecimal.
    pub commit: String,
    /// What the cluster said.
    pub reason: Reason,
    /// When it was noticed.
    pub at: Timestamp,
    /// The Git blob of the refused file; none until the renderer has looked.
    pub refused: Option<String>,
    /// The Git blob of the last good file, which stands in its place; none: a Namespace with zero pods does.
    pub stands: Option<String>,
}

/// Something that has a tombstone and whose objects are still to be removed from the cluster. Ids only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReapEntry {
    /// Whose namespace it is in.
    pub user: UserId,
    /// The workspace whose volume goes; none: the whole namespace goes.
    pub workspace: Option<WorkspaceId>,
    /// When the tombstone was written.
    pub at: Timestamp,
}

impl ReapEntry {
    /// Under which id the entry stands: the workspace's, or else the user's.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.workspace
            .map_or(self.user.as_uuid(), |workspace| workspace.as_uuid())
    }
}

/// What a ring was given: its pods are restarted once the cluster has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingRelease {
    /// The ring.
    pub ring: RingName,
    /// The release.
    pub release: ReleaseName,
}

/// A restart of pods that run on an older template, within a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// Which one it is.
    pub id: Uuid,
    /// Only the pods of users of these rings, each when the cluster has this release of theirs; empty: all of the cell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<RingRelease>,
    /// Pods that were made before this are restarted if what they run on has changed. Those of a ring are whenever they
    /// were made: Argo CD applies a release later than it is rendered, and pods start in between.
    pub outdated_before: Timestamp,
    /// When the window opens.
    pub not_before: Timestamp,
    /// When the window closes.
    pub not_after: Timestamp,
    /// How many pods may be down at the same time.
    pub at_once: u32,
    /// Why it was stopped; none while it is under way.
    pub stopped: Option<String>,
    /// How many pods came back.
    pub done: u32,
    /// How many did not.
    pub failed: u32,
    /// How many are still to be restarted or on their way, those included whose user does not have the release yet, as
    /// the observer saw last; none before it looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
    /// When it was asked for.
    pub started_at: Timestamp,
}

impl Restart {
    /// How long a window is that has no end.
    const WINDOW: SignedDuration = SignedDuration::from_hours(2);

    /// One that is asked for `now`. Pods that were made before the window opens are restarted; without an end it closes
    /// two hours after it opened.
    #[must_use]
    pub fn asked(
        id: Uuid,
        not_before: Timestamp,
        not_after: Option<Timestamp>,
        at_once: u32,
        now: Timestamp,
    ) -> Self {
        let opens = not_before.max(now);
        let closes = || opens.saturating_add(Self::WINDOW).unwrap_or(Timestamp::MAX);
        Self {
            id,
            of: Vec::new(),
            outdated_before: opens,
            not_before,
            not_after: not_after.unwrap_or_else(closes),
            at_once,
            stopped: None,
            done: 0,
            failed: 0,
            left: None,
            started_at: now,
        }
    }

    /// True if so many pods did not come back that no other is to go down: more than three, and than one in a hundred of
    /// those restarted.
    #[must_use]
    pub fn too_many_failed(done: u32, failed: u32) -> bool {
        failed > 3.max(done.saturating_add(failed) / 100)
    }

    /// True if pods may still be restarted because of it.
    #[must_use]
    pub fn under_way(&self, now: Timestamp) -> bool {
        self.stopped.is_none() && now < self.not_after
    }
}

/// How a cell fares, as its observer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellState {
    /// Nobody is started until every scale is what the registry says.
    pub held: bool,
    /// How many StatefulSets have another scale than the registry says.
    pub scales_wrong: u32,
    /// How many workspaces the cell has.
    pub workspaces: u32,
    /// How many of them are ready.
    pub ready: u32,
    /// True while the observer sees the cluster.
    pub connected: bool,
    /// Why Argo CD's Applications cannot be read; none if they can.
    pub argocd_unreachable: Option<String>,
    /// When this was seen.
    pub at: Timestamp,
}

impl CellState {
    /// How often it is noted although nothing has changed: so old may the note be of an observer that lives.
    const ANYWAY: SignedDuration = SignedDuration::from_secs(10);

    /// True unless this is what was noted last, and that not long ago.
    #[must_use]
    pub fn is_news(&self, noted: Option<&Self>) -> bool {
        noted.is_none_or(|noted| {
            let as_noted = Self {
                at: noted.at,
                ..self.clone()
            };
            *noted != as_noted || self.at.duration_since(noted.at) >= Self::ANYWAY
        })
    }
}
