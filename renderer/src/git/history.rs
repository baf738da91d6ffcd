//! What the branch's commits tell of one user.

use std::collections::BTreeSet;

use coditect_core::{Shard, UserId};
use git2::{Commit, ErrorCode, Oid, Repository};
use jiff::Timestamp;

use super::{
    error::Result,
    message::{quarantined_in, reason_for},
    repository::{CellRepository, head},
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

/// The files that replaced one that the cluster refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandIns {
    /// Those files, the newest, which is the present one, first; none if no refusal is behind the present file.
    pub files: Vec<Oid>,
    /// The file behind them, which was refused; the present one if none replaced it.
    pub refused: Option<Oid>,
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
    /// True if the commit put the file in the place of one that the cluster refused.
    pub quarantined: bool,
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

    /// The user's file in a commit; none if the commit has none, or is not in the repository.
    ///
    /// # Errors
    /// If the commit cannot be read.
    pub fn file_at(&self, commit: Oid, shard: Shard, user: UserId) -> Result<Option<Oid>> {
        self.read(|repository| {
            let commit = known(repository, commit)?;
            Ok(View::of(repository, commit.as_ref(), shard, user, None)?.file)
        })
    }

    /// Every user of whom a commit of `head`'s history replaced a refused file. Reads one object a commit.
    ///
    /// # Errors
    /// If a commit cannot be read.
    pub fn ever_quarantined(&self, head: Oid) -> Result<BTreeSet<UserId>> {
        self.read(|repository| {
            let mut found = BTreeSet::new();
            let mut next = Some(repository.find_commit(head)?);
            while let Some(commit) = next {
                found.extend(quarantined_in(&String::from_utf8_lossy(
                    commit.message_bytes(),
                )));
                next = parent(&commit)?;
            }
            Ok(found)
        })
    }

    /// The newest file of the user up to `newest` that is not `refused`, that the renderer itself committed, and
    /// that no other file replaced because it was refused. Looks back over `limit` commits.
    ///
    /// # Errors
    /// If a commit or tree cannot be read.
    pub fn good_version(
        &self,
        newest: Oid,
        shard: Shard,
        user: UserId,
        refused: Oid,
        limit: usize,
    ) -> Result<Option<Oid>> {
        self.read(|repository| {
            let mut refused = vec![refused];
            let mut next = known(repository, newest)?;
            let mut newer: Option<(Commit<'_>, View)> = None;
            for _ in 0..limit {
                let Some(commit) = next else { break };
                let known = newer.as_ref().map(|(_, view)| view);
                let view = View::of(repository, Some(&commit), shard, user, known)?;
                if let (Some((after, known)), Some(file)) = (&newer, view.file)
                    && known.file != view.file
                    && replaces_refused(after, user)
                {
                    refused.push(file);
                }
                if let Some(file) = view.file.filter(|file| !refused.contains(file))
                    && head(repository, commit.id())?.intact
                {
                    return Ok(Some(file));
                }
                next = parent(&commit)?;
                newer = Some((commit, view));
            }
            Ok(None)
        })
    }

    /// What stands in a refused file's place at `newest`, and which file that is. Looks back over `limit` commits.
    ///
    /// # Errors
    /// If a commit or tree cannot be read.
    pub fn stand_ins(
        &self,
        newest: Oid,
        shard: Shard,
        user: UserId,
        limit: usize,
    ) -> Result<StandIns> {
        self.read(|repository| {
            let mut found = StandIns::default();
            let mut next = known(repository, newest)?;
            let mut after = View::of(repository, next.as_ref(), shard, user, None)?;
            for _ in 0..limit {
                let Some(commit) = next else { break };
                let older = parent(&commit)?;
                let before = View::of(repository, older.as_ref(), shard, user, Some(&after))?;
                if before.file != after.file {
                    match after.file {
                        Some(file) if replaces_refused(&commit, user) => found.files.push(file),
                        refused => {
                            found.refused = refused;
                            break;
                        }
                    }
                }
                (next, after) = (older, before);
            }
            Ok(found)
        })
    }
}

/// Whether the commit put the user's file in the place of a refused one.
fn replaces_refused(commit: &Commit<'_>, user: UserId) -> bool {
    quarantined_in(&String::from_utf8_lossy(commit.message_bytes())).contains(&user)
}

fn known(repository: &Repository, commit: Oid) -> Result<Option<Commit<'_>>, git2::Error> {
    match repository.find_commit(commit) {
        Ok(commit) => Ok(Some(commit)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
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
        quarantined: quarantined_in(&message).contains(&user),
    }
}

pub(super) fn parent<'a>(commit: &Commit<'a>) -> Result<Option<Commit<'a>>, git2::Error> {
    match commit.parent(0) {
        Ok(parent) => Ok(Some(parent)),
        Err(error) if error.code() == ErrorCode::NotFound && commit.parent_count() == 0 => Ok(None),
        Err(error) => Err(error),
    }
}
