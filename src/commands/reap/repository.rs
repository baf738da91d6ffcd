//! What a cell's newest commit holds, asked of a bare repository.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use coditect_core::{Error, Result, Shard, UserId, WorkspaceId};
use coditect_observer::reap::{Head, Repository};
use coditect_renderer::git::{CellRepository, GitAccess, Oid, ShardTree, fetch_newest};
use tokio::task::spawn_blocking;

/// How long a fetch may take.
const FETCH: Duration = Duration::from_secs(120);
/// A bare repository on this machine.
pub(super) struct Local {
    path: PathBuf,
}

impl Local {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

#[async_trait]
impl Repository for Local {
    async fn head(&self) -> Result<Box<dyn Head>> {
        let path = self.path.clone();
        Ok(Box::new(blocking(move || Commit::newest(&path)).await?))
    }
}

/// A repository elsewhere, of which the newest commit alone is fetched.
pub(super) struct Fetched {
    url: String,
    access: GitAccess,
    folder: PathBuf,
}

impl Fetched {
    /// `folder` is where the commit is kept; it may be lost at any time.
    pub(super) fn new(url: String, access: GitAccess, folder: PathBuf) -> Self {
        Self {
            url,
            access,
            folder,
        }
    }

    /// True for `scheme://…` and for `user@host:path`, which git takes for an address too.
    pub(super) fn is_address(place: &str) -> bool {
        let host = place.split('/').next().unwrap_or_default();
        place.contains("://") || (host.contains('@') && host.contains(':'))
    }
}

#[async_trait]
impl Repository for Fetched {
    async fn head(&self) -> Result<Box<dyn Head>> {
        let fetched = fetch_newest(&self.url, &self.access, &self.folder, FETCH).await;
        fetched.map_err(|why| Error::unavailable(format!("nothing is removed: {why}")))?;
        let path = self.folder.clone();
        Ok(Box::new(blocking(move || Commit::newest(&path)).await?))
    }
}

/// One commit.
struct Commit {
    repository: CellRepository,
    id: String,
    tree: ShardTree,
}

impl Commit {
    fn newest(path: &Path) -> Result<Self> {
        let repository = CellRepository::open(path)?;
        let head = repository.head()?.ok_or_else(|| {
            Error::unavailable(format!(
                "{} has no commit; nothing is removed on such an answer",
                path.display()
            ))
        })?;
        if !head.intact {
            return Err(Error::unavailable(format!(
                "the newest commit of {} is not the renderer's own work; nothing is removed until it is put right",
                path.display()
            )));
        }
        Ok(Self {
            tree: repository.tree(head.commit)?,
            id: head.commit.to_string(),
            repository,
        })
    }
}

#[async_trait]
impl Head for Commit {
    fn commit(&self) -> &str {
        &self.id
    }

    async fn holds(&self, user: UserId) -> Result<bool> {
        Ok(self.tree.find(user).is_some())
    }

    async fn holds_volume(&self, user: UserId, workspace: WorkspaceId) -> Result<bool> {
        let places = self.tree.places(user);
        let repository = self.repository.clone();
        let id = workspace.to_string().into_bytes();
        blocking(move || {
            for (_, blob) in places {
                // Any mention keeps it.
                let bytes = repository.blob(blob)?;
                if bytes.windows(id.len()).any(|part| part == id) {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }

    async fn same_shard(&self, revision: &str, shard: Shard) -> Result<bool> {
        if revision == self.id {
            return Ok(true);
        }
        let Ok(revision) = revision.parse::<Oid>() else {
            return Ok(false);
        };
        let repository = self.repository.clone();
        let here: Vec<_> = self.tree.users(shard).collect();
        // A revision that is not here may be of another repository or was not fetched: not known to be the same.
        blocking(move || {
            let there = repository.tree(revision);
            Ok(there.is_ok_and(|there| there.users(shard).eq(here)))
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("a background task panicked").because(error))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths() {
        for address in [
            "http://host/cell.git",
            "file:///srv/cell.git",
            "git@host:cell.git",
        ] {
            assert!(Fetched::is_address(address), "{address}");
        }
        for path in ["/srv/cell.git", "cells/a@b:c.git", "cell.git"] {
            assert!(!Fetched::is_address(path), "{path}");
        }
    }
}
