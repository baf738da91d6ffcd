//! Which paths differ between two commits.

use git2::{Delta, DiffOptions, Oid};

use super::{error::Result, repository::CellRepository};

/// Paths that differ, each in one list, in Git's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// In the later commit only.
    pub added: Vec<String>,
    /// In both, with other content.
    pub modified: Vec<String>,
    /// In the earlier commit only.
    pub removed: Vec<String>,
}

impl CellRepository {
    /// Every path that differs between two commits, in whatever order they were made; `None` if there are more
    /// than `limit`. Folders that are the same are not looked into.
    ///
    /// # Errors
    /// If one of the commits cannot be read.
    pub fn paths_between(&self, before: Oid, after: Oid, limit: usize) -> Result<Option<Paths>> {
        self.read(|repository| {
            let before = repository.find_commit(before)?.tree()?;
            let after = repository.find_commit(after)?.tree()?;
            let mut options = DiffOptions::new();
            options.skip_binary_check(true);
            let diff =
                repository.diff_tree_to_tree(Some(&before), Some(&after), Some(&mut options))?;
            if diff.deltas().len() > limit {
                return Ok(None);
            }
            let mut paths = Paths::default();
            for delta in diff.deltas() {
                let (list, file) = match delta.status() {
                    Delta::Added => (&mut paths.added, delta.new_file()),
                    Delta::Deleted => (&mut paths.removed, delta.old_file()),
                    _ => (&mut paths.modified, delta.new_file()),
                };
                let path = file.path_bytes().unwrap_or_default();
                list.push(String::from_utf8_lossy(path).into_owned());
            }
            Ok(Some(paths))
        })
    }

    /// The first parent of a commit; none if it has none.
    ///
    /// # Errors
    /// If there is no such commit.
    pub fn parent_of(&self, commit: Oid) -> Result<Option<Oid>> {
        self.read(|repository| Ok(repository.find_commit(commit)?.parent_ids().next()))
    }
}
