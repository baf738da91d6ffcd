//! A workspace beside its intent: what people call it, whether it should run, what was seen of it.

use coditect_core::{Cause, Notice, Phase, Power, Reason, Step, WorkspaceName};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

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
    /// Since when. Also tells one change of power from another: see [`crate::operation::Suspend`].
    pub since: Timestamp,
    /// Who or what wanted it.
    #[serde(default)]
    pub cause: PowerCause,
}

/// Who or what switched a workspace on or off.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum PowerCause {
    /// A person's request.
    #[default]
    Person,
    /// Nobody used it for as long as the plan allows.
    Idle,
    /// The plan's hours of the month are used up.
    Hours,
    /// It ran for the longest time without anybody's input.
    LongestSession,
    /// It was marked for deletion.
    Deletion,
    /// It went to somebody else.
    HandedOver,
    /// The registry was rebuilt from Git: off until somebody starts it.
    Restored,
    /// A sign-up starts at once.
    SignUp,
    /// An administrator of the platform holds its user.
    Held,
}

/// What the observer saw of the workspace in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Where it stands.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// Why it stands still.
    #[serde(default, deserialize_with = "reason_or_text")]
    pub reason: Option<Reason>,
    /// The newest generation of the user that was seen on the live Namespace; 0 if none was.
    #[serde(default)]
    pub generation: u64,
    /// The present road, oldest first, at most [`Status::LONGEST_ROAD`] steps. It begins at the newest change
    /// (requested) or the newest change of power.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What else the person or an operator should know.
    #[serde(default)]
    pub notices: Vec<Notice>,
}

impl Status {
    /// Most steps that are kept of a road.
    pub const LONGEST_ROAD: usize = 16;
}

/// A reason, or the plain text that stood in its place before reasons had causes. Such a text is shown with
/// the remedy that is never wrong (wait, then stop and start) until the observer looks again.
fn reason_or_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Reason>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Reason(Reason),
        Text(String),
    }
    Ok(
        Option::<Stored>::deserialize(from)?.map(|stored| match stored {
            Stored::Reason(reason) => reason,
            Stored::Text(text) => Reason::new(Cause::Gateway, &text),
        }),
    )
}

/// Until when a workspace's running time is counted. Present only while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metering {
    /// Everything before this is in the user's month.
    pub until: Timestamp,
}
