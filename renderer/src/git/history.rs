//! What the branch's commits tell of one user.

use coditect_core::{Shard, UserId};
use git2::{Commit, ErrorCode, Oid, Repository};
use jiff::Timestamp;

use super::{
    error::Result,
    message::reason_for,
    repository::CellRepository,
    tree::{SHARDS, file_of},
};

/// What a commit did to a user's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The file appeared.
    Created,
    /// The file got other content.
    Changed,
    /// The file went.
    Deleted,
}

/// One commit that touched a user's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The commit.
    pub commit: Oid,
    /// When it was made.
    pub time: Timestamp,
    /// Its first line.
    pub subject: String,
    /// Why, if the commit names this user (it names the first twenty).
    pub reason: Option<String>,
    /// What it did.
    pub kind: ChangeKind,
    /// The file before.
    pub before: Option<Oid>,
    /// The file after.
    pub after: Option<Oid>,
}

impl CellRepository {
    /// What happened to one user's file up to `head`, the latest first. A commit that did not touch the
    /// user's shard costs three small reads.
    ///
    /// # Errors
    /// If a commit or tree cannot be read.
    pub fn history_of(&self, head: Oid, user: UserId) -> Result<Vec<Change>> {
        let shard = self
            .tree(head)?
            .find(user)
            .map_or_else(|| Shard::of(user), |(shard, _)| shard);
        self.read(|repository| {
            let mut changes = Vec::new();
            let mut next = Some(repository.find_commit(head)?);
            let mut after = View::of(repository, next.as_ref(), shard, user, None)?;
            while let Some(commit) = next {
                let older = parent(&commit)?;
                let before = View::of(repository, older.as_ref(), shard, user, Some(&after))?;
                if before.file != after.file {
                    changes.push(change(&commit, user, before.file, after.file));
                }
                (next, after) = (older, before);
            }
            Ok(changes)
        })
    }
}

/// A user's file in one commit, and the folders on the way to it.
struct View {
    shards: Option<Oid>,
    shard: Option<Oid>,
    file: Option<Oid>,
}

impl View {
    /// Looks only as deep as the folders differ from those of a neighbouring commit.
    fn of(
        repository: &Repository,
        commit: Option<&Commit<'_>>,
        shard: Shard,
        user: UserId,
        known: Option<&Self>,
    ) -> Result<Self, git2::Error> {
        let entry = |folder: Option<Oid>, name: &str| -> Result<Option<Oid>, git2::Error> {
            // A file in a folder's place is no folder: then there is nothing below it.
            let Some(tree) = folder.and_then(|oid| repository.find_tree(oid).ok()) else {
                return Ok(None);
            };
            Ok(tree.get_name(name).map(|entry| entry.id()))
        };
        let root = commit.map(Commit::tree_id);
        if let Some(root) = root {
            repository.find_tree(root)?;
        }
        let shards = entry(root, SHARDS)?;
        if let Some(known) = known.filter(|known| known.shards == shards) {
            return Ok(Self {
                shards,
                shard: known.shard,
                file: known.file,
            });
        }
        let shard = entry(shards, &shard.to_string())?;
        if let Some(known) = known.filter(|known| known.shard == shard) {
            return Ok(Self {
                shards,
                shard,
                file: known.file,
            });
        }
        Ok(Self {
            shards,
            shard,
            file: entry(shard, &file_of(user))?,
        })
    }
}

fn change(commit: &Commit<'_>, user: UserId, before: Option<Oid>, after: Option<Oid>) -> Change {
    let kind = match (before, after) {
        (None, _) => ChangeKind::Created,
        (_, None) => ChangeKind::Deleted,
        _ => ChangeKind::Changed,
    };
    let message = String::from_utf8_lossy(commit.message_bytes());
    Change {
        commit: commit.id(),
        time: Timestamp::from_second(commit.time().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
        subject: message.lines().next().unwrap_or_default().to_owned(),
        reason: reason_for(&message, user),
        kind,
        before,
        after,
    }
}

pub(super) fn parent<'a>(commit: &Commit<'a>) -> Result<Option<Commit<'a>>, git2::Error> {
    match commit.parent(0) {
        Ok(parent) => Ok(Some(parent)),
        Err(error) if error.code() == ErrorCode::NotFound && commit.parent_count() == 0 => Ok(None),
        Err(error) => Err(error),
    }
}
