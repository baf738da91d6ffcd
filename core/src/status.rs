//! What was seen of a workspace in the cluster, and why it stands still.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::phase::Phase;

/// Longest text kept of what a cluster said.
const LONGEST: usize = 400;

/// Why a workspace stands still: what was seen, and what a person can do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which kind of obstacle.
    pub cause: Cause,
    /// What the cluster said, shortened; ids only, no personal data.
    pub detail: String,
}

/// The kinds of obstacle, each with a remedy of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A quota of the namespace refuses the pod.
    Quota,
    /// The image cannot be pulled.
    Image,
    /// The volume cannot be provisioned, attached, mounted or grown.
    Volume,
    /// No node takes the pod.
    Unschedulable,
    /// The API server or an admission policy refuses an object of the user.
    Admission,
    /// Argo CD cannot read the shard that the user's file is in.
    Shard,
    /// A container ends again and again.
    Crash,
    /// The node does not answer: whether its pod still runs is not known.
    Node,
    /// The whole cell is held, as while a cluster is rebuilt.
    Hold,
    /// It runs, but its gateway does not answer.
    Gateway,
}

impl Cause {
    /// What a person can do about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Quota => "stop another workspace, or choose a larger plan",
            Self::Image => {
                "an operator must correct the image in the policy; nothing of yours is lost"
            }
            Self::Volume => {
                "an operator must look at the storage class; your files stay as they are"
            }
            Self::Unschedulable => {
                "it starts by itself when the cell has room; an operator is told"
            }
            Self::Admission => {
                "the last version that the cluster accepted stands; an operator must correct policy or template"
            }
            Self::Shard => {
                "an operator must look at the cell's repository; what runs keeps running"
            }
            Self::Crash => {
                "read the workspace's log; if you changed nothing, an operator must look at the release"
            }
            Self::Node => {
                "it is moved as soon as the node is known to be gone, never while it may still write"
            }
            Self::Hold => "the cell is being restored; it starts by itself when the hold ends",
            Self::Gateway => {
                "it is tried again every few seconds; stop and start the workspace if this lasts"
            }
        }
    }
}

impl Reason {
    /// A reason with what the cluster said, shortened to a line.
    #[must_use]
    pub fn new(cause: Cause, detail: &str) -> Self {
        let mut line: String = detail.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.chars().count() > LONGEST {
            line = line.chars().take(LONGEST - 1).collect();
            line.push('…');
        }
        Self {
            cause,
            detail: line,
        }
    }
}

/// A step that a workspace took on its present road.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which phase it entered.
    pub phase: Phase,
    /// When.
    pub at: Timestamp,
}

/// Something the person or an operator should know that does not stop the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which kind.
    pub kind: NoticeKind,
    /// Since when it holds.
    pub at: Timestamp,
    /// When something follows from it, such as the suspension that an idle warning announces.
    pub until: Option<Timestamp>,
    /// What was seen; ids only.
    pub detail: String,
}

/// The kinds of notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Nobody has used it for a while: it is suspended at `until` unless somebody does.
    Idle,
    /// The plan's hours of the month are nearly used up: it is suspended at `until`.
    Hours,
    /// Whether it is used cannot be read; it is not suspended for idleness.
    ActivityUnknown,
    /// Somebody changed the cluster by hand; it was put back.
    Drift,
    /// What Git asks for was refused; the last good version stands.
    Quarantined,
    /// A change waits for the next start, or for a restart within a window.
    RestartPending,
    /// Its volume grows.
    VolumeGrowing,
}

/// Whether a workspace is used. Unknown is not idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// When a person last typed, clicked, or asked to keep it.
    pub input_at: Option<Timestamp>,
    /// When a terminal last printed something, or a task last ran.
    pub output_at: Option<Timestamp>,
    /// When this was reported: older than a few minutes means that it is not known.
    pub reported_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_says_becomes_one_short_line() {
        let reason = Reason::new(Cause::Quota, "exceeded\n  quota");
        assert_eq!(reason.detail, "exceeded quota");
        let long = Reason::new(Cause::Image, &"ü".repeat(10_000));
        assert_eq!(long.detail.chars().count(), LONGEST);
    }
}
