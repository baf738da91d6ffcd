//! A workspace's gateway: what it was given, and what it said last.

use coditect_core::sidecar::VolumeUse;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the API remembers of a workspace's gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// Until when somebody may be in: the latest end of a token with which a person was let in. None if nobody ever
    /// was. What the gateway reports as typed by a person cannot be later.
    #[serde(default)]
    pub entered_until: Option<Timestamp>,
    /// What the volume held when it was last measured.
    #[serde(default)]
    pub volume: Option<VolumeUse>,
    /// The last batch of file events that was taken.
    #[serde(default)]
    pub taken: Option<TakenBatch>,
}

/// A batch of file events that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBatch {
    /// The queue it came from; a new pod begins a new one.
    pub queue: Uuid,
    /// Its number there.
    pub number: u64,
}
