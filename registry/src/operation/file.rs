//! A workspace's files: metadata as reported, snapshots of the newest few contents.

use async_trait::async_trait;
use coditect_core::{CellName, Error, FilePath, Kind, WorkspaceId};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::observer::place_in;
use crate::{
    keys,
    record::{Discard, FileMetadata, Snapshot, WorkspacePlace, object_prefix},
    registry::Operation,
    tx::{Abort, Tx, no_such_workspace},
};

/// Most files of one [`PutFiles`], so that it stays far below the limits of a transaction.
pub const FILES_AT_ONCE: usize = 100;

/// What tells two snapshots of one file apart.
const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

/// What a workspace reports of one file.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// Which.
    pub path: FilePath,
    /// What it is now; none if it is gone.
    pub content: Option<FileContent>,
    /// When it was changed, by the workspace's clock.
    pub modified_at: Timestamp,
}

/// A file's content.
#[derive(Clone, Debug)]
pub struct FileContent {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub hash: String,
    /// The object that holds the bytes, below [`object_prefix`]; none if no snapshot was taken (too large, ignored).
    pub object: Option<String>,
}

/// Notes files as a workspace reports them, in the order they changed. A content that is already the newest snapshot
/// is not kept twice; of more than `keep` snapshots the oldest goes, and its bytes are put on the list of what is to
/// be removed from object storage.
pub struct PutFiles {
    /// Which cell; a workspace of another is unknown.
    pub cell: CellName,
    /// Whose files.
    pub workspace: WorkspaceId,
    /// At most [`FILES_AT_ONCE`], each path once.
    pub files: Vec<FileReport>,
    /// How many snapshots of a file are kept; at least 1.
    pub keep: usize,
    /// How many files may have metadata. Files above are refused, by name.
    pub most: u64,
    /// Now; also the snapshots' time.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for PutFiles {
    const NAME: &'static str = "put_files";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        if self.files.len() > FILES_AT_ONCE {
            let message = format!("holds more than {FILES_AT_ONCE} entries; send several");
            return Err(Error::invalid("files", message).into());
        }
        // An erased workspace must not come back as a file.
        let place = place_in(tx, &self.cell, self.workspace)
            .await?
            .ok_or_else(no_such_workspace)?;
        let count = keys::file_count(place.tenant, place.user, self.workspace);
        let have = u64::try_from(tx.exact_number(&count).await?).unwrap_or(0);
        let mut new = 0_u32;
        for file in &self.files {
            if self.put(tx, &place, file).await? {
                new += 1;
                if have + u64::from(new) > self.most {
                    let message = format!(
                        "the history of at most {} files is kept; forget some",
                        self.most
                    );
                    return Err(Error::new(Kind::LimitReached { limit: "files" }, message).into());
                }
            }
        }
        if new > 0 {
            tx.add(&count, new.into());
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl PutFiles {
    /// Notes one file; true if nothing was known of it.
    async fn put(
        &self,
        tx: &mut Tx,
        place: &WorkspacePlace,
        file: &FileReport,
    ) -> Result<bool, Abort> {
        let key = keys::file(place.tenant, place.user, self.workspace, &file.path);
        let known = tx.get::<FileMetadata>(&key).await?;
        let metadata = match (&file.content, &known) {
            (Some(content), _) => FileMetadata {
                size: content.size,
                hash: content.hash.clone(),
                modified_at: file.modified_at,
                reported_at: self.at,
                deleted: false,
            },
            (None, Some(known)) => FileMetadata {
                modified_at: file.modified_at,
                reported_at: self.at,
                deleted: true,
                ..known.clone()
            },
            // Gone before anything was known of it.
            (None, None) => return Ok(false),
        };
        tx.put(&key, &metadata)?;
        if let Some(content) = &file.content
            && let Some(object) = &content.object
        {
            if !object.starts_with(&object_prefix(place.user, self.workspace)) {
                let message = format!("object {object} lies outside its workspace's prefix");
                return Err(Error::internal(message).into());
            }
            let snapshot = Snapshot {
                object: object.clone(),
                size: content.size,
                hash: content.hash.clone(),
            };
            self.keep_snapshot(tx, place, &file.path, &snapshot).await?;
        }
        Ok(known.is_none())
    }

    async fn keep_snapshot(
        &self,
        tx: &mut Tx,
        place: &WorkspacePlace,
        path: &FilePath,
        snapshot: &Snapshot,
    ) -> Result<(), Abort> {
        let range = keys::snapshots(place.tenant, place.user, self.workspace, path);
        let have = tx.scan_all::<Snapshot>(&range).await?;
        if let Some((_, newest)) = have.last()
            && newest.hash == snapshot.hash
        {
            if newest.object != snapshot.object {
                discard(tx, &snapshot.object, false, self.at)?;
            }
            return Ok(());
        }
        // Behind the newest, whatever the clocks of those who report say.
        let newest = have.last().and_then(|(key, _)| keys::snapshot_time(key));
        let at = newest.map_or(self.at, |newest| {
            self.at
                .max(newest.saturating_add(MICROSECOND).unwrap_or(newest))
        });
        let key = keys::snapshot(place.tenant, place.user, self.workspace, path, at);
        tx.put(&key, snapshot)?;
        let keep = self.keep.max(1);
        let surplus = (have.len() + 1).saturating_sub(keep);
        for (key, old) in have.iter().take(surplus) {
            tx.clear(key);
            // Two snapshots may share one object if their contents are the same.
            let shared = old.object == snapshot.object
                || have[surplus..]
                    .iter()
                    .any(|(_, left)| left.object == old.object);
            if !shared {
                discard(tx, &old.object, false, self.at)?;
            }
        }
        Ok(())
    }
}

/// Puts bytes on the list of what is to be removed from object storage.
pub(super) fn discard(
    tx: &mut Tx,
    object: &str,
    all_below: bool,
    at: Timestamp,
) -> Result<(), Abort> {
    tx.put(
        &keys::discard(Uuid::new_v4()),
        &Discard {
            object: object.to_owned(),
            all_below,
            at,
        },
    )?;
    Ok(())
}

/// Forgets a file with its snapshots.
pub struct ForgetFile {
    /// Who asks.
    pub account: coditect_core::AccountId,
    /// Whose file.
    pub workspace: WorkspaceId,
    /// Which.
    pub path: FilePath,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for ForgetFile {
    const NAME: &'static str = "forget_file";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = super::workspace::owned_to_change(tx, self.account, self.workspace).await?;
        let key = keys::file(place.tenant, place.user, self.workspace, &self.path);
        if tx.get::<FileMetadata>(&key).await?.is_none() {
            return Ok(());
        }
        tx.clear(&key);
        tx.add(
            &keys::file_count(place.tenant, place.user, self.workspace),
            -1,
        );
        let range = keys::snapshots(place.tenant, place.user, self.workspace, &self.path);
        for (key, snapshot) in tx.scan_all::<Snapshot>(&range).await? {
            tx.clear(&key);
            discard(tx, &snapshot.object, false, self.at)?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Notes that bytes are gone from object storage.
pub struct NoteDiscarded {
    /// The entry of the list.
    pub id: Uuid,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NoteDiscarded {
    const NAME: &'static str = "note_discarded";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        tx.clear(&keys::discard(self.id));
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
