//! A workspace's files: what is known of each, and where the bytes of its snapshots are.

use coditect_core::{UserId, WorkspaceId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A file as its workspace last reported it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMetadata {
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its content in lower-case hexadecimal; empty if it was too large to be read.
    pub hash: String,
    /// When it was changed, by the workspace's clock.
    pub modified_at: Timestamp,
    /// When that was reported.
    pub reported_at: Timestamp,
    /// True if the file is not there any more; its snapshots are.
    #[serde(default)]
    pub deleted: bool,
}

/// A file as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The object that holds the bytes; below [`object_prefix`].
    pub object: String,
    /// How many bytes.
    pub size: u64,
    /// Their SHA-256 in lower-case hexadecimal.
    pub hash: String,
}

/// Below what every object of a workspace's files is kept, so that erasing them needs no list.
#[must_use]
pub fn object_prefix(user: UserId, workspace: WorkspaceId) -> String {
    format!("files/{user}/{workspace}/")
}

/// The object of one upload.
#[must_use]
pub fn object_name(user: UserId, workspace: WorkspaceId, upload: Uuid) -> String {
    format!("{}{upload}", object_prefix(user, workspace))
}

/// How long an upload may take from the moment it was allowed: whoever allows one must make it end by then. What is
/// erased is removed from object storage once more after this, for what arrived meanwhile.
pub const LONGEST_UPLOAD: SignedDuration = SignedDuration::from_hours(1);

/// Bytes in object storage that nothing refers to any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discard {
    /// Which entry of the list.
    pub id: Uuid,
    /// The object, or with `all_below` the prefix of many.
    pub object: String,
    /// True if everything below it goes.
    pub all_below: bool,
    /// From when on it may be removed.
    pub due: Timestamp,
}
