//! A workspace beside its intent: what people call it, whether it should run, what was seen of it.

use coditect_core::{Phase, Power, WorkspaceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Mark;

/// What the intent leaves out because it is personal or of no interest to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// What the person calls it.
    pub name: WorkspaceName,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Set while it is on its way out.
    #[serde(default)]
    pub mark: Option<Mark>,
    /// Grows with every change of this record; its entity tag.
    pub revision: u64,
}

/// Whether the pod should run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerState {
    /// What is wanted.
    pub power: Power,
    /// Since when.
    pub since: Timestamp,
}

/// What the observer saw of the workspace in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Where it stands.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// Why it stands still, in words a person can act on.
    #[serde(default)]
    pub reason: Option<String>,
}
