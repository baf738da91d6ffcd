//! A workspace's files: metadata as reported, snapshots of the newest few contents.

use async_trait::async_trait;
use coditect_core::{CellName, Error, FilePath, Kind, WorkspaceId};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::observer::place_in;
use crate::{
    keys,
    record::{
        Action, Discard, FileMetadata, LONGEST_UPLOAD, Snapshot, Upload, WorkspacePlace,
        object_name,
    },
    registry::Operation,
    store::KeyRange,
    tx::{Abort, Tx, no_such_workspace},
};

/// Most files of one [`PutFiles`], so that it stays far below the limits of a transaction.
pub const FILES_AT_ONCE: usize = 100;

/// What tells two snapshots of one file apart.
const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);
/// An upload is late this long before its object may be removed: clocks differ, and removing takes a while.
const LATE: SignedDuration = SignedDuration::from_mins(10);

/// Puts the objects of uploads that are about to begin on the list of what is to be removed. Whoever dies between the
/// bytes and the snapshot that refers to them leaves nothing behind.
pub struct BeginUploads {
    /// Which cell; a workspace of another is unknown.
    pub cell: CellName,
    /// Whose files.
    pub workspace: WorkspaceId,
    /// At most [`FILES_AT_ONCE`].
    pub uploads: Vec<Upload>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for BeginUploads {
    const NAME: &'static str = "begin_uploads";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = place_in(tx, &self.cell, self.workspace)
            .await?
            .ok_or_else(no_such_workspace)?;
        for Upload { id, due } in &self.uploads {
            let discard = Discard {
                id: *id,
                object: object_name(place.user, self.workspace, *id),
                all_below: false,
                due: *due,
            };
            tx.put(&keys::discard(*due, *id), &discard)?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

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
    /// Its SHA-256 in lower-case hexadecimal; empty if it was too large to be read.
    pub hash: String,
    /// The upload that brought the bytes, begun by [`BeginUploads`]. None if no snapshot was taken (too large, no text).
    pub upload: Option<Upload>,
}

/// Notes files as a workspace reports them, in the order they changed. A content that is already the newest snapshot
/// is not kept twice, nor is one for which there is no room; of more than `keep` snapshots the oldest goes. Bytes that
/// are not kept are put on the list of what is to be removed from object storage.
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
    /// How many bytes the workspace's snapshots may hold together.
    pub most_bytes: u64,
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
        let bytes = keys::snapshot_bytes(place.tenant, place.user, self.workspace);
        let held = tx.exact_number(&bytes).await?;
        let mut room = Room {
            left: i64::try_from(self.most_bytes).unwrap_or(i64::MAX) - held,
            taken: 0,
        };
        let mut new = 0_u32;
        for file in &self.files {
            if self.put(tx, &place, file, &mut room).await? {
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
        if room.taken != 0 {
            tx.add(&bytes, room.taken);
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Bytes that are left for snapshots, and how many more are held than before.
struct Room {
    left: i64,
    taken: i64,
}

/// A size as the counter holds it.
fn length(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

impl PutFiles {
    /// Notes one file; true if nothing was known of it.
    async fn put(
        &self,
        tx: &mut Tx,
        place: &WorkspacePlace,
        file: &FileReport,
        room: &mut Room,
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
            && let Some(upload) = content.upload
        {
            self.finish(tx, upload).await?;
            let snapshot = Snapshot {
                object: object_name(place.user, self.workspace, upload.id),
                size: content.size,
                hash: content.hash.clone(),
            };
            self.keep_snapshot(tx, place, &file.path, &snapshot, room)
                .await?;
        }
        Ok(known.is_none())
    }

    /// Takes an upload's object off the list of what is to be removed. One that is not there was another snapshot's, or
    /// came too late: its bytes may be gone.
    async fn finish(&self, tx: &mut Tx, upload: Upload) -> Result<(), Abort> {
        let key = keys::discard(upload.due, upload.id);
        let in_time = upload.due.duration_since(self.at) > LATE;
        if !in_time || tx.get::<Discard>(&key).await?.is_none() {
            let message = "a content arrived too late to be kept; send it again";
            return Err(Error::conflict(message).into());
        }
        tx.clear(&key);
        Ok(())
    }

    async fn keep_snapshot(
        &self,
        tx: &mut Tx,
        place: &WorkspacePlace,
        path: &FilePath,
        snapshot: &Snapshot,
        room: &mut Room,
    ) -> Result<(), Abort> {
        let range = keys::snapshots(place.tenant, place.user, self.workspace, path);
        let have = tx.scan_all::<Snapshot>(&range).await?;
        if let Some((_, newest)) = have.last()
            && newest.hash == snapshot.hash
        {
            return discard(tx, &snapshot.object, self.at);
        }
        let surplus = (have.len() + 1).saturating_sub(self.keep.max(1));
        let (gone, kept) = have.split_at(surplus.min(have.len()));
        let freed: i64 = gone.iter().map(|(_, old)| length(old.size)).sum();
        let more = length(snapshot.size) - freed;
        if more > room.left {
            return discard(tx, &snapshot.object, self.at);
        }
        room.left -= more;
        room.taken += more;
        // Behind the newest, whatever the clocks of those who report say.
        let newest = have.last().and_then(|(key, _)| keys::snapshot_time(key));
        let at = newest.map_or(self.at, |newest| {
            self.at
                .max(newest.saturating_add(MICROSECOND).unwrap_or(newest))
        });
        let key = keys::snapshot(place.tenant, place.user, self.workspace, path, at);
        tx.put(&key, snapshot)?;
        for (_, old) in gone {
            discard(tx, &old.object, self.at)?;
        }
        if !gone.is_empty() {
            // One range, not each key: with the longest paths of a hundred files each key counts.
            let end = kept.first().map_or(key, |(key, _)| key.clone());
            tx.clear_range(&KeyRange {
                begin: range.begin,
                end,
            });
        }
        Ok(())
    }
}

/// Puts an object that nothing refers to any more on the list of what is to be removed from object storage.
pub(super) fn discard(tx: &mut Tx, object: &str, at: Timestamp) -> Result<(), Abort> {
    put_discard(tx, object, false, at)
}

/// Puts everything below a prefix on that list: now, and once more when no upload that was begun before can still be
/// under way.
pub(super) fn discard_all(tx: &mut Tx, prefix: &str, at: Timestamp) -> Result<(), Abort> {
    put_discard(tx, prefix, true, at)?;
    let later = at.saturating_add(LONGEST_UPLOAD).unwrap_or(Timestamp::MAX);
    put_discard(tx, prefix, true, later)
}

fn put_discard(tx: &mut Tx, object: &str, all_below: bool, due: Timestamp) -> Result<(), Abort> {
    let discard = Discard {
        id: Uuid::new_v4(),
        object: object.to_owned(),
        all_below,
        due,
    };
    tx.put(&keys::discard(due, discard.id), &discard)?;
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
        let mut freed = 0;
        for (key, snapshot) in tx.scan_all::<Snapshot>(&range).await? {
            tx.clear(&key);
            discard(tx, &snapshot.object, self.at)?;
            freed += length(snapshot.size);
        }
        if freed > 0 {
            let bytes = keys::snapshot_bytes(place.tenant, place.user, self.workspace);
            tx.add(&bytes, -freed);
        }
        let action = Action::FileForgotten {
            workspace: self.workspace,
        };
        tx.audit(place.tenant, self.at, Some(self.account), action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Notes that bytes are gone from object storage.
pub struct NoteDiscarded {
    /// The entry of the list.
    pub discard: Discard,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NoteDiscarded {
    const NAME: &'static str = "note_discarded";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        tx.clear(&keys::discard(self.discard.due, self.discard.id));
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
