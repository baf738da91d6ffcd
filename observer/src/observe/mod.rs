//! From what is wanted and what was seen to what is said: pure, no clock, no IO.

mod notices;
mod obstacle;
mod phase;
mod refusal;
mod road;

use coditect_core::{Notice, Power, Readiness};
use coditect_registry::record::{Landed, PowerState, Quarantine, Requested};
use jiff::Timestamp;

use crate::seen::{Failure, NamespaceSeen, PodSeen, SetSeen, VolumeSeen, Warning};

pub use notices::DRIFT_SHOWN;
pub use phase::status;
pub use refusal::is_refusal;

/// What the registry and the policy want of a workspace.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its newest change.
    pub requested: Requested,
    /// The commit that brought that change, or one before it, to Git.
    pub landed: Option<Landed>,
    /// Whether its pod should run.
    pub power: PowerState,
    /// True if user and workspace are in use: neither held nor marked for deletion.
    pub active: bool,
    /// True if user or workspace is marked for deletion.
    pub marked: bool,
    /// True while nobody of the cell is started.
    pub held: bool,
    /// What readiness is read from.
    pub readiness: Readiness,
    /// Set while the cluster refuses what Git asks for the user.
    pub quarantine: Option<Quarantine>,
}

impl Wanted {
    /// True if a pod is wanted.
    #[must_use]
    pub fn on(&self) -> bool {
        self.active && self.power.power == Power::On
    }

    /// True if the newest change is in Git.
    #[must_use]
    pub fn in_git(&self) -> Option<&Landed> {
        self.landed
            .as_ref()
            .filter(|landed| landed.generation >= self.requested.generation)
    }

    /// True if a last good version stands in the place of the newest change.
    #[must_use]
    pub fn replaced(&self) -> bool {
        self.quarantine.as_ref().is_some_and(|quarantine| {
            quarantine.stands.is_some() && quarantine.generation >= self.requested.generation
        })
    }
}

/// What was seen of a workspace.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The user's Namespace.
    pub namespace: Option<NamespaceSeen>,
    /// The StatefulSet.
    pub set: Option<SetSeen>,
    /// Its pods: none or one, unless somebody scaled by hand.
    pub pods: Vec<PodLife>,
    /// When the newest pod that is gone was made, as far as that is known.
    pub last_pod: Option<Timestamp>,
    /// The volume.
    pub volume: Option<VolumeSeen>,
    /// Warnings about its objects.
    pub warnings: Vec<Warning>,
    /// The object of the user that was refused when Argo CD last applied the shard.
    pub refused: Option<Failure>,
    /// Why Argo CD cannot read the shard.
    pub unreadable: Option<String>,
    /// Whether the gateway of the pod that runs answers through the Service.
    pub gateway: Gateway,
    /// Changes by hand, and what follows from how it is used.
    pub notices: Vec<Notice>,
}

/// A pod and whether its node is heard of.
#[derive(Clone, Debug)]
pub struct PodLife {
    /// The pod.
    pub pod: PodSeen,
    /// True if its node is not ready, or is gone while the pod's object is still there.
    pub node_silent: bool,
}

/// Whether a gateway answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gateway {
    /// Nobody asked it yet.
    #[default]
    Unasked,
    /// It answered.
    Answers,
    /// It does not, since its pod says that it is ready.
    Silent {
        /// Since when it is asked.
        since: Timestamp,
    },
}

#[cfg(test)]
mod tests;
