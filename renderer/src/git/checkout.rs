//! A cell's repository as somebody has it who only reads: the renderer's own, a bare mirror, or a clone with a work tree.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, Repository};

use super::{
    error::{Error, Result},
    reference::BRANCH,
    repository::head,
    state::State,
    tree::ShardTree,
};

/// Where the branch may be found: as the renderer writes it, and as a clone follows it.
const BRANCHES: [&str; 3] = [BRANCH, "refs/remotes/origin/main", "HEAD"];

/// A cell's repository at one commit. Each thread opens its own.
pub struct Checkout {
    repository: Repository,
    path: PathBuf,
    /// The commit, if there is one.
    pub commit: Option<Oid>,
    /// Its checkpoint, if there is one that can be read.
    pub state: Option<State>,
}

impl Checkout {
    /// Opens the repository at `path` at the renderer's branch.
    ///
    /// # Errors
    /// If there is none, or its head cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |error| Error::git(path, error);
        let repository = Repository::open(path).map_err(failed)?;
        let mut commit = None;
        for branch in BRANCHES {
            match repository.refname_to_id(branch) {
                Ok(found) => {
                    commit = Some(found);
                    break;
                }
                Err(error)
                    if matches!(error.code(), ErrorCode::NotFound | ErrorCode::UnbornBranch) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let state = match commit {
            Some(commit) => head(&repository, commit).map_err(failed)?.state,
            None => None,
        };
        Ok(Self {
            repository,
            path: path.to_owned(),
            commit,
            state,
        })
    }

    /// Every user's file.
    ///
    /// # Errors
    /// If the commit or one of its trees cannot be read.
    pub fn tree(&self) -> Result<ShardTree> {
        let tree = self
            .commit
            .map(|commit| ShardTree::load(&self.repository, commit));
        let tree = tree.transpose().map_err(|error| self.failed(error))?;
        Ok(tree.unwrap_or_default())
    }

    /// Hands over a file's content.
    ///
    /// # Errors
    /// If there is no such blob.
    pub fn blob<T>(&self, oid: Oid, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let blob = self
            .repository
            .find_blob(oid)
            .map_err(|error| self.failed(error))?;
        Ok(read(blob.content()))
    }

    fn failed(&self, error: git2::Error) -> Error {
        Error::git(&self.path, error)
    }
}
