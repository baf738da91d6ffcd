//! What belongs to a cell: intents, what Git holds of them, the renderer's lease, tombstones.

use std::collections::BTreeMap;

use coditect_core::{Fence, UserIntent, WorkspaceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A user's intent and when it last changed. The time is not part of the intent: rendering knows no clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentRow {
    /// What is wanted.
    pub intent: UserIntent,
    /// When that was asked for.
    pub changed_at: Timestamp,
    /// Which generation brought each workspace's newest change, and when it was asked for.
    #[serde(default)]
    pub requested: BTreeMap<WorkspaceId, Requested>,
    /// The generation that the newest change of the intent was asked for with, if nothing but volumes was raised since,
    /// as policy asks: whoever approved that one approved this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_from: Option<u64>,
}

/// When a workspace's newest change was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// The generation of the intent that first holds the change.
    pub generation: u64,
    /// When it was asked for.
    pub at: Timestamp,
}

/// What of a user Git holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The newest commit that changed the user's file, in hexadecimal.
    pub commit: String,
    /// The generation it holds.
    pub generation: u64,
    /// When it was published.
    pub committed_at: Timestamp,
    /// The commit that brought each workspace's newest change.
    #[serde(default)]
    pub workspaces: BTreeMap<WorkspaceId, Landed>,
}

/// The commit that brought a workspace's newest change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landed {
    /// The generation of the intent that holds the change.
    pub generation: u64,
    /// The commit's id in hexadecimal.
    pub commit: String,
    /// When the change was asked for.
    pub requested_at: Timestamp,
    /// When the commit was published.
    pub committed_at: Timestamp,
}

/// Who may write a cell's branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The renderer that holds it; drawn at random when it starts.
    pub holder: Uuid,
    /// Grows whenever the holder changes.
    pub fence: Fence,
    /// When anybody may take it.
    pub expires_at: Timestamp,
}

/// That an id is gone for ever. About 100 bytes; kept for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// When it was written.
    pub at: Timestamp,
    /// True if the person's own, freshly authenticated request is behind it.
    pub requested: bool,
}
