//! Where a workspace stands on its road from request to ready.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a workspace's pod should run. Run-time state, like an autoscaler's replicas: it lives in the
/// registry and never in Git, so that waking costs one patch and history holds decisions, not naps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// One pod.
    On,
    /// No pod; volume and route stay.
    Off,
}

/// A step on the road, in the order a person sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// In the registry, not yet in Git.
    Requested,
    /// In Git, at the commit shown with it.
    Committed,
    /// Argo CD has applied that commit.
    Synced,
    /// The pod is on its way.
    Starting,
    /// The sidecar answers.
    Ready,
    /// The pod is being stopped.
    Suspending,
    /// No pod; the volume is kept.
    Suspended,
    /// Marked for deletion or on its way out.
    Deleting,
    /// Stands still for a reason that a person can act on, given beside it.
    Failed,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "requested",
            Self::Committed => "committed",
            Self::Synced => "synced",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Suspending => "suspending",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
            Self::Failed => "failed",
        })
    }
}
