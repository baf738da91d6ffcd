//! Moves the one authoritative ref, by compare-and-swap and durably.
//!
//! Git's own protocol: take `refs/heads/main.lock`, compare, rename it over `refs/heads/main`. Two
//! additions. The lock file appears by a hard link to a file that already has its content on the disk, so
//! one that a killed renderer left behind is known by its second name. And all of it happens under the
//! renderers' own lock, so any such file found there has no living owner.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use git2::{ErrorCode, Oid, Repository};
use tempfile::NamedTempFile;

use super::{
    error::{Error, PublishError, Result},
    lock::Lock,
    pack::{SyncedPack, sync_folder, temporary},
    repository::Inner,
};

/// The cell's branch.
pub const BRANCH: &str = "refs/heads/main";

/// How long another Git process may hold the branch before we call it busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// A lock file of another Git process that is older than this has lost its owner: Git holds one for the
/// time of writing 41 bytes. Should its owner have been stopped and go on later, it finds its lock file
/// gone and fails.
const ABANDONED: Duration = Duration::from_secs(10);

/// The branch's next content, written before the lock is taken.
pub(super) struct NextRef {
    file: NamedTempFile,
    commit: Oid,
}

impl NextRef {
    /// Writes the content of the branch for `commit`. Not synced: [`PackWriter::finish`] syncs it beside
    /// the pack.
    ///
    /// [`PackWriter::finish`]: super::pack::PackWriter::finish
    pub(super) fn write(repository: &Path, commit: Oid) -> Result<Self> {
        let mut file = temporary(repository)?;
        writeln!(file, "{commit}").map_err(|error| Error::io(repository, error))?;
        // Every user that may read the repository may read its branch.
        let mode = fs::Permissions::from_mode(0o644);
        file.as_file()
            .set_permissions(mode)
            .map_err(|error| Error::io(repository, error))?;
        Ok(Self { file, commit })
    }

    /// The file, for syncing.
    pub(super) fn as_file(&self) -> &File {
        self.file.as_file()
    }

    /// Moves the branch from `expected` to this commit. `_synced` is the proof that its objects are on
    /// the disk.
    pub(super) fn publish(
        self,
        inner: &Inner,
        expected: Option<Oid>,
        _synced: &SyncedPack,
    ) -> Result<(), PublishError> {
        let _lock = Lock::take(inner.path())?;
        if inner.was_replaced() {
            return Err(PublishError::Moved {
                head: inner.read(current)?,
            });
        }
        let held = self.take_branch(inner.path())?;
        let head = inner.read(current)?;
        if head == Some(self.commit) {
            return Ok(());
        }
        if head != expected {
            return Err(PublishError::Moved { head });
        }
        match held.rename() {
            Err(Error::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound
                    && inner.read(current)? == Some(self.commit) =>
            {
                Ok(())
            }
            done => Ok(done?),
        }
    }

    /// Moves the branch to this commit from wherever it is: where another repository is the place of truth, and
    /// says so.
    pub(super) fn adopt(self, inner: &Inner) -> Result<()> {
        self.file
            .as_file()
            .sync_all()
            .map_err(|error| Error::io(inner.path(), error))?;
        let _lock = Lock::take(inner.path())?;
        self.take_branch(inner.path())?.rename()
    }

    /// Takes Git's lock on the branch.
    fn take_branch(&self, repository: &Path) -> Result<HeldBranch> {
        let branch = repository.join(BRANCH);
        let held = HeldBranch {
            lock: repository.join(format!("{BRANCH}.lock")),
            branch,
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match fs::hard_link(self.file.path(), &held.lock) {
                Ok(()) => return Ok(held),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if remove_abandoned(&held.lock)? {
                        continue;
                    }
                    if Instant::now() >= deadline {
                        return Err(Error::Busy {
                            place: held.disarm(),
                        });
                    }
                    thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(Error::io(held.disarm(), error)),
            }
        }
    }
}

/// Git's lock on the branch, let go when dropped.
struct HeldBranch {
    lock: PathBuf,
    branch: PathBuf,
}

impl HeldBranch {
    /// Makes the lock file's content the branch's.
    fn rename(self) -> Result<()> {
        fs::rename(&self.lock, &self.branch).map_err(|error| Error::io(&self.lock, error))?;
        let branch = self.branch.clone();
        self.disarm();
        sync_folder(branch.parent().unwrap_or(&branch))
    }

    /// Not ours (any more): leaves the file alone.
    fn disarm(mut self) -> PathBuf {
        std::mem::take(&mut self.lock)
    }
}

impl Drop for HeldBranch {
    fn drop(&mut self) {
        if !self.lock.as_os_str().is_empty() {
            // Left behind, it is found and removed by the next publication.
            let _ = fs::remove_file(&self.lock);
        }
    }
}

/// Removes a lock file whose owner is gone; false if it may yet have one. Call under [`Lock`] only.
pub(super) fn remove_abandoned(lock: &Path) -> Result<bool> {
    let metadata = match fs::metadata(lock) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(Error::io(lock, error)),
    };
    let made_by_a_renderer = metadata.nlink() > 1;
    let old = metadata
        .modified()
        .ok()
        .and_then(|time| time.elapsed().ok())
        .is_some_and(|age| age > ABANDONED);
    if !made_by_a_renderer && !old {
        return Ok(false);
    }
    tracing::warn!(lock = %lock.display(), made_by_a_renderer, "removing a lock on the branch whose owner is gone");
    match fs::remove_file(lock) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(lock, error)),
        _ => Ok(true),
    }
}

/// What the branch points at; `None` if there is no such branch.
pub(super) fn current(repository: &Repository) -> Result<Option<Oid>, git2::Error> {
    match repository.refname_to_id(BRANCH) {
        Ok(oid) => Ok(Some(oid)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
