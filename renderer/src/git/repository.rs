//! One cell's bare repository: what its head says, and batches that become the next one.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use git2::{Oid, Repository};

use super::{
    batch::Batch,
    error::Result,
    layout::{self, Identity},
    reference,
    state::State,
    tree::{CHECKPOINT_FILE, CHECKPOINT_FOLDER, SHARDS, ShardTree},
};

/// A handle on a cell's repository. Cheap to clone; clones share one open repository. Several handles, in
/// one process or many, may publish to one repository: each by compare-and-swap.
///
/// Everything here blocks on the disk: call it from a thread that may.
#[derive(Clone)]
pub struct CellRepository {
    inner: Arc<Inner>,
}

/// The commit the branch points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub commit: Oid,
    /// Its checkpoint, if there is one that can be read.
    pub state: Option<State>,
    /// True if the checkpoint can be read and speaks of exactly the files beside it: the renderer's own
    /// work. False means that someone else committed, and everything must be rendered anew.
    pub intact: bool,
}

pub(super) struct Inner {
    path: PathBuf,
    writable: bool,
    handle: Mutex<Handle>,
}

struct Handle {
    repository: Repository,
    identity: Option<Identity>,
}

impl Handle {
    fn open(path: &Path, writable: bool) -> Result<Self> {
        let repository = if writable {
            layout::open_or_create(path)?
        } else {
            layout::open(path)?
        };
        Ok(Self {
            repository,
            identity: layout::identity(path),
        })
    }
}

impl CellRepository {
    /// Opens the bare repository at `path`, makes it if the folder is missing or empty, and removes what
    /// a killed process left behind.
    ///
    /// # Errors
    /// If the folder cannot be written or holds something else.
    pub fn open_or_create(path: impl Into<PathBuf>) -> Result<Self> {
        Self::new(path.into(), true)
    }

    /// Opens the bare repository at `path` to read it, and writes nothing.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::new(path.into(), false)
    }

    pub(super) fn read<T>(
        &self,
        read: impl Fn(&Repository) -> Result<T, git2::Error>,
    ) -> Result<T> {
        self.inner.read(read)
    }

    fn new(path: PathBuf, writable: bool) -> Result<Self> {
        let handle = Mutex::new(Handle::open(&path, writable)?);
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                writable,
                handle,
            }),
        })
    }

    /// Where the repository is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// What the branch points at now; `None` if nothing was ever committed. A repository that was
    /// replaced by another meanwhile, or removed, is opened or made anew.
    ///
    /// # Errors
    /// If the branch or the commit cannot be read.
    pub fn head(&self) -> Result<Option<Head>> {
        if self.inner.was_replaced() {
            tracing::warn!(repository = %self.path().display(), "another folder took the repository's place");
            self.inner.reopen()?;
        }
        self.inner.read(|repository| {
            reference::current(repository)?
                .map(|commit| head(repository, commit))
                .transpose()
        })
    }

    /// The commit the branch points at now, without looking into it.
    ///
    /// # Errors
    /// If the branch cannot be read.
    pub fn head_commit(&self) -> Result<Option<Oid>> {
        self.inner.read(reference::current)
    }

    /// The state recorded in a commit, if it has one that can be read.
    ///
    /// # Errors
    /// If there is no such commit.
    pub fn state(&self, commit: Oid) -> Result<Option<State>> {
        self.inner
            .read(|repository| Ok(head(repository, commit)?.state))
    }

    /// Every user's file of a commit.
    ///
    /// # Errors
    /// If the commit or one of its trees cannot be read.
    pub fn tree(&self, commit: Oid) -> Result<ShardTree> {
        self.inner
            .read(|repository| ShardTree::load(repository, commit))
    }

    /// A file's content.
    ///
    /// # Errors
    /// If there is no such blob.
    pub fn blob(&self, oid: Oid) -> Result<Vec<u8>> {
        self.inner
            .read(|repository| Ok(repository.find_blob(oid)?.content().to_vec()))
    }

    /// True if `later` is `earlier` or a commit that was built on it. False also if one of them is not here.
    ///
    /// # Errors
    /// If commits cannot be read.
    pub(super) fn descends(&self, later: Oid, earlier: Oid) -> Result<bool> {
        self.inner.read(|repository| {
            if repository.find_commit(earlier).is_err() {
                return Ok(false);
            }
            Ok(later == earlier || repository.graph_descendant_of(later, earlier)?)
        })
    }

    /// What a reference points at, if it is there.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn reference(&self, name: &str) -> Result<Option<Oid>> {
        self.inner
            .read(|repository| match repository.refname_to_id(name) {
                Ok(oid) => Ok(Some(oid)),
                Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
                Err(error) => Err(error),
            })
    }

    /// Moves the branch to a commit that this repository holds, wherever it was.
    ///
    /// # Errors
    /// If there is no such commit, or the disk fails.
    pub(super) fn adopt(&self, commit: Oid) -> Result<()> {
        self.inner
            .read(|repository| repository.find_commit(commit).map(drop))?;
        reference::NextRef::write(self.inner.path(), commit)?.adopt(&self.inner)
    }

    /// Begins the commit that is to follow `expected`, with `tree` as what stands there: the tree of that
    /// commit, or [`ShardTree::empty`] for a first commit. Touches no disk yet.
    #[must_use]
    pub fn begin(&self, expected: Option<Oid>, tree: &ShardTree) -> Batch {
        Batch::new(Arc::clone(&self.inner), expected, tree)
    }

    /// Opens the repository anew, so that packs which maintenance took away are let go of.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn reopen(&self) -> Result<()> {
        self.inner.reopen()
    }
}

pub(super) fn head(repository: &Repository, commit: Oid) -> Result<Head, git2::Error> {
    let root = repository.find_commit(commit)?.tree()?;
    let file = Path::new(CHECKPOINT_FOLDER).join(CHECKPOINT_FILE);
    let blob = root
        .get_path(&file)
        .ok()
        .and_then(|entry| repository.find_blob(entry.id()).ok());
    let state = blob.and_then(|blob| State::parse(blob.content()).ok());
    let shards = root.get_name(SHARDS).map(|entry| entry.id());
    let intact = state
        .as_ref()
        .is_some_and(|state| Some(state.shards) == shards);
    Ok(Head {
        commit,
        state,
        intact,
    })
}

impl Inner {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads from the repository. A failure is tried once more on a repository opened anew: maintenance may
    /// have taken away the pack that libgit2 meant to read, or someone the repository. Takes no lock, since
    /// a publication that holds it reads the branch.
    pub(super) fn read<T>(
        &self,
        read: impl Fn(&Repository) -> Result<T, git2::Error>,
    ) -> Result<T> {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if handle.identity == layout::identity(&self.path)
            && let Ok(value) = read(&handle.repository)
        {
            return Ok(value);
        }
        handle.repository = layout::open(&self.path)?;
        read(&handle.repository).map_err(|error| super::Error::git(&self.path, error))
    }

    pub(super) fn reopen(&self) -> Result<()> {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) =
            Handle::open(&self.path, self.writable)?;
        Ok(())
    }

    /// True if the folder is not the one that was opened.
    pub(super) fn was_replaced(&self) -> bool {
        self.handle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .identity
            != layout::identity(&self.path)
    }
}
