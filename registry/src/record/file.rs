//! A workspace's files: what is known of each, and where the bytes of its snapshots are.

use coditect_core::{FilePath, UserId, WorkspaceId, sidecar::Restored};
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

impl Snapshot {
    /// Its name among the snapshots of its file: the upload that brought it.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        self.object.rsplit('/').next()?.parse().ok()
    }
}

/// What is to be brought back in a workspace, the oldest first, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRestores {
    /// Those that wait, and those that ended lately.
    pub asked: Vec<FileRestore>,
}

/// A content that somebody wants back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRestore {
    /// Names it.
    pub id: Uuid,
    /// Where it goes.
    pub path: FilePath,
    /// The content.
    pub snapshot: Snapshot,
    /// The hash of what may be overwritten, because a snapshot holds it.
    pub replaces: Option<String>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// What became of it, and when; none while it waits.
    pub ended: Option<(Timestamp, Restored)>,
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

/// An upload that was begun: its object is on the list of what is to be removed until a snapshot refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The last part of the object's name, drawn anew for each upload: an object that is to be removed is never one that
    /// came later.
    pub id: Uuid,
    /// When its object is removed, unless a snapshot refers to it by then.
    pub due: Timestamp,
}

impl Upload {
    /// One that is begun now.
    #[must_use]
    pub fn begun(at: Timestamp) -> Self {
        Self {
            id: Uuid::new_v4(),
            due: at.saturating_add(LONGEST_UPLOAD).unwrap_or(Timestamp::MAX),
        }
    }
}

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
