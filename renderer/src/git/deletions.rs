//! What the branch's commits have deleted: for the budget of the last hour, and for a registry that was
//! restored from a backup and has forgotten.

use std::collections::BTreeSet;

use coditect_core::UserId;
use git2::{Commit, Delta, DiffOptions, Oid, Repository};
use jiff::Timestamp;

use super::{
    error::Result,
    history::parent,
    message::{Trailers, quarantined_in},
    repository::CellRepository,
    tree::SHARDS,
};

/// Deletions of one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// When it was made.
    pub at: Timestamp,
    /// Without the persons' own requests.
    pub unrequested: u64,
    /// By the persons' own, freshly authenticated requests.
    pub requested: u64,
}

/// A user's file that a commit with deletions removed or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Whose file.
    pub user: UserId,
    /// The file before.
    pub before: Oid,
    /// The file after; none if it was removed.
    pub after: Option<Oid>,
    /// True if persons' own requests are behind every deletion of the commit.
    pub requested: bool,
}

impl CellRepository {
    /// What the renderer's commits from `head` back to `since` deleted, the oldest first, by their trailers.
    /// Reads one object a commit.
    ///
    /// # Errors
    /// If a commit cannot be read.
    pub fn deletion_log(&self, head: Oid, since: Timestamp) -> Result<Vec<Spent>> {
        self.read(|repository| {
            let mut found = Vec::new();
            walk(repository, head, |commit, trailers| {
                let at = Timestamp::from_second(commit.time().seconds()).unwrap_or(since);
                if trailers.deleted + trailers.deleted_requested > 0 && at > since {
                    found.push(Spent {
                        at,
                        unrequested: trailers.deleted,
                        requested: trailers.deleted_requested,
                    });
                }
                Ok(at > since)
            })?;
            found.reverse();
            Ok(found)
        })
    }

    /// Every file that a commit with deletions removed or changed, in the whole history of `head`; not those
    /// that it put in the place of refused ones, which may be older than a workspace that still exists.
    ///
    /// # Errors
    /// If a commit or tree cannot be read.
    pub fn cuts(&self, head: Oid) -> Result<Vec<Cut>> {
        self.read(|repository| {
            let mut found = Vec::new();
            walk(repository, head, |commit, trailers| {
                if trailers.deleted + trailers.deleted_requested > 0
                    && let Some(older) = parent(commit)?
                {
                    collect(
                        repository,
                        &older,
                        commit,
                        trailers.deleted == 0,
                        &mut found,
                    )?;
                }
                Ok(true)
            })?;
            Ok(found)
        })
    }
}

/// Visits the renderer's own commits from `head` back until `visit` says false. Other people's commits have
/// no figures, and their clocks do not end the walk.
fn walk(
    repository: &Repository,
    head: Oid,
    mut visit: impl FnMut(&Commit<'_>, Trailers) -> Result<bool, git2::Error>,
) -> Result<(), git2::Error> {
    let mut next = Some(repository.find_commit(head)?);
    while let Some(commit) = next {
        if let Some(trailers) = commit.message().ok().and_then(Trailers::parse)
            && !visit(&commit, trailers)?
        {
            return Ok(());
        }
        next = parent(&commit)?;
    }
    Ok(())
}

fn collect(
    repository: &Repository,
    older: &Commit<'_>,
    newer: &Commit<'_>,
    requested: bool,
    found: &mut Vec<Cut>,
) -> Result<(), git2::Error> {
    let mut options = DiffOptions::new();
    options.pathspec(SHARDS).skip_binary_check(true);
    let (before, after) = (older.tree()?, newer.tree()?);
    let diff = repository.diff_tree_to_tree(Some(&before), Some(&after), Some(&mut options))?;
    let stand_ins = newer.message().map(quarantined_in).unwrap_or_default();
    let user_of = |file: git2::DiffFile<'_>| -> Option<UserId> {
        file.path()?.file_stem()?.to_str()?.parse().ok()
    };
    // A file put back from where somebody moved it is one place less, and nobody deleted.
    let elsewhere: BTreeSet<UserId> = diff
        .deltas()
        .filter(|delta| matches!(delta.status(), Delta::Added | Delta::Modified))
        .filter_map(|delta| user_of(delta.new_file()))
        .collect();
    for delta in diff.deltas() {
        let Some(user) = user_of(delta.old_file()).filter(|user| !stand_ins.contains(user)) else {
            continue;
        };
        let after = match delta.status() {
            Delta::Deleted if !elsewhere.contains(&user) => None,
            Delta::Modified => Some(delta.new_file().id()),
            _ => continue,
        };
        let before = delta.old_file().id();
        found.push(Cut {
            user,
            before,
            after,
            requested,
        });
    }
    Ok(())
}
