//! The policy folder as a Git repository with a work tree, so that a checkpoint can name the policy it
//! was rendered with. Used where the policy is a plain folder that people edit in place (`coditect dev`).

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use git2::{
    ErrorCode, IndexAddOption, ObjectType, Oid, Repository, RepositoryInitOptions, Signature,
    StatusOptions, TreeWalkMode, TreeWalkResult,
};
use rustix::fs::syncfs;

use super::error::{Error, Result};

/// Only one of this process's threads writes to a policy folder at a time: what is being replaced is not taken for an
/// edit by a person.
static WRITING: Mutex<()> = Mutex::new(());

/// Why a file of the policy was not replaced.
#[derive(Debug)]
pub enum ReplaceError {
    /// Another commit is checked out by now.
    Moved,
    /// The folder holds edits that no commit has.
    Dirty,
    /// The repository or the folder cannot be written.
    Failed(Error),
}

impl From<Error> for ReplaceError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Branches that changes of a policy are merged into, by likelihood.
const UPSTREAM: [&str; 5] = [
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
    "refs/heads/main",
    "refs/heads/master",
];

/// The policy folder. Opened anew for each use: people run `git` in it meanwhile.
#[derive(Clone, Debug)]
pub struct PolicyRepository {
    folder: PathBuf,
}

impl PolicyRepository {
    /// Opens the repository whose work tree is `folder`, or the bare one that it is, or makes one there with a work tree.
    /// A repository further up (the folder is part of a larger checkout) is not meant.
    ///
    /// # Errors
    /// If the folder is missing or cannot be written.
    pub fn open_or_init(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        if !folder.is_dir() {
            return Err(Error::unusable(
                &folder,
                "is not a folder: name the one that holds the policy",
            ));
        }
        let policy = Self { folder };
        if !policy.folder.join(".git").exists() && policy.open().is_err() {
            let mut options = RepositoryInitOptions::new();
            options.external_template(false).initial_head("main");
            Repository::init_opts(&policy.folder, &options)
                .map_err(|error| policy.failed(error))?;
        }
        policy.open()?;
        Ok(policy)
    }

    /// Opens the repository at `folder`, bare or with a work tree, to read commits of it; none if there is none.
    #[must_use]
    pub fn open_existing(folder: impl Into<PathBuf>) -> Option<Self> {
        let policy = Self {
            folder: folder.into(),
        };
        policy.open().is_ok().then_some(policy)
    }

    /// The commit that a revision names (`main`, `HEAD~1`, a hash or its beginning); none if there is no such one.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub fn resolve(&self, revision: &str) -> Result<Option<Oid>> {
        let repository = self.open()?;
        let commit = repository.revparse_single(revision);
        Ok(commit
            .and_then(|object| object.peel_to_commit())
            .map(|commit| commit.id())
            .ok())
    }

    /// Where a commit left the branch that changes are merged into: the merge base with the first of `origin`'s
    /// default branch, `main` and `master` that is there. None if there is no such branch or nothing in common.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub fn left_at(&self, commit: Oid) -> Result<Option<Oid>> {
        let repository = self.open()?;
        let target = UPSTREAM
            .iter()
            .find_map(|name| repository.refname_to_id(name).ok());
        Ok(target.and_then(|target| repository.merge_base(target, commit).ok()))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The commit that is checked out; `None` before the first.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub fn head(&self) -> Result<Option<Oid>> {
        head(&self.open()?).map_err(|error| self.failed(error))
    }

    /// The branch that is checked out; `None` if a commit is, without a branch.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub fn branch(&self) -> Result<Option<String>> {
        let repository = self.open()?;
        let head = repository
            .find_reference("HEAD")
            .map_err(|error| self.failed(error))?;
        let target = head.symbolic_target().map_err(|error| self.failed(error))?;
        Ok(target.and_then(|name| name.strip_prefix("refs/heads/").map(ToOwned::to_owned)))
    }

    /// Where Git keeps its own files of it.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub fn git_folder(&self) -> Result<PathBuf> {
        Ok(self.open()?.path().to_owned())
    }

    /// Whether it has no work tree: the copy of a hosted policy.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub fn is_bare(&self) -> Result<bool> {
        Ok(self.open()?.is_bare())
    }

    /// True if the folder differs from the commit that is checked out; a bare repository never does.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub fn is_dirty(&self) -> Result<bool> {
        let repository = self.open()?;
        if repository.is_bare() {
            return Ok(false);
        }
        let mut options = StatusOptions::new();
        options
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .include_ignored(false);
        let statuses = repository
            .statuses(Some(&mut options))
            .map_err(|error| self.failed(error))?;
        Ok(!statuses.is_empty())
    }

    /// Commits the folder as it is, if it differs from the last commit, and returns the commit that now
    /// holds it. Files that `.gitignore` names stay out.
    ///
    /// # Errors
    /// If the repository cannot be written, or someone's `git` holds its index.
    pub fn commit_all(&self, message: &str) -> Result<Oid> {
        let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        commit_all(&self.open()?, message).map_err(|error| self.failed(error))
    }

    /// The checked out commit and those before it by first parents, the newest first; at most `limit`.
    ///
    /// # Errors
    /// If a commit cannot be read.
    pub fn ancestry(&self, limit: usize) -> Result<Vec<Oid>> {
        let repository = self.open()?;
        let mut found = Vec::new();
        let mut next = head(&repository).map_err(|error| self.failed(error))?;
        while let Some(commit) = next.filter(|_| found.len() < limit) {
            found.push(commit);
            let parent = repository.find_commit(commit);
            let parent = parent.map_err(|error| self.failed(error))?;
            next = parent.parent_id(0).ok();
        }
        Ok(found)
    }

    /// The contents of a commit's files by path, hidden ones left out.
    ///
    /// # Errors
    /// If there is no such commit or it cannot be read.
    pub fn files(&self, commit: Oid) -> Result<BTreeMap<String, Vec<u8>>> {
        files(&self.open()?, commit).map_err(|error| self.failed(error))
    }

    /// A file as a commit holds it; none if it has no such file.
    ///
    /// # Errors
    /// If there is no such commit or it cannot be read.
    pub fn file_at(&self, commit: Oid, path: &str) -> Result<Option<Vec<u8>>> {
        let repository = self.open()?;
        let tree = repository
            .find_commit(commit)
            .and_then(|found| found.tree());
        let tree = tree.map_err(|error| self.failed(error))?;
        match tree.get_path(Path::new(path)) {
            Ok(entry) => {
                let blob = repository.find_blob(entry.id());
                Ok(Some(
                    blob.map_err(|error| self.failed(error))?.content().to_vec(),
                ))
            }
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Replaces one file and commits that, if `parent` is checked out and the folder is as it says.
    ///
    /// The file is written first and committed then: whoever is killed in between leaves an edit like a person's,
    /// which is committed as one. The other order would leave a folder that looks as if somebody had taken the commit
    /// back.
    ///
    /// # Errors
    /// [`ReplaceError`]; then nothing was committed.
    pub fn replace(
        &self,
        parent: Oid,
        path: &str,
        bytes: &[u8],
        message: &str,
    ) -> std::result::Result<Oid, ReplaceError> {
        let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        if self.head()? != Some(parent) {
            return Err(ReplaceError::Moved);
        }
        if self.is_dirty()? {
            return Err(ReplaceError::Dirty);
        }
        let target = self.folder.join(path);
        let repository = self.open()?;
        // Beside the folders that are policy: a half-written file is never read as one.
        let new = repository.path().join("coditect-new");
        fs::write(&new, bytes)
            .and_then(|()| fs::rename(&new, &target))
            .map_err(|error| Error::unusable(&target, format!("cannot be written: {error}")))?;
        Ok(commit_all(&repository, message).map_err(|error| self.failed(error))?)
    }

    fn open(&self) -> Result<Repository> {
        Repository::open(&self.folder).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: git2::Error) -> Error {
        Error::git(&self.folder, error)
    }
}

fn files(repository: &Repository, commit: Oid) -> Result<BTreeMap<String, Vec<u8>>, git2::Error> {
    let tree = repository.find_commit(commit)?.tree()?;
    let mut found = Vec::new();
    tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        if let Ok(name) = entry.name()
            && !name.starts_with('.')
            && entry.kind() == Some(ObjectType::Blob)
        {
            found.push((format!("{folder}{name}"), entry.id()));
        }
        TreeWalkResult::Ok
    })?;
    let read = |(path, blob)| Ok((path, repository.find_blob(blob)?.content().to_vec()));
    found.into_iter().map(read).collect()
}

fn head(repository: &Repository) -> Result<Option<Oid>, git2::Error> {
    match repository.head() {
        Ok(head) => Ok(Some(head.peel_to_commit()?.id())),
        Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn commit_all(repository: &Repository, message: &str) -> Result<Oid, git2::Error> {
    let mut index = repository.index()?;
    // Also takes deleted files out.
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.update_all(["*"], None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let parent = head(repository)?
        .map(|head| repository.find_commit(head))
        .transpose()?;
    if let Some(parent) = parent
        .as_ref()
        .filter(|parent| parent.tree_id() == tree.id())
    {
        return Ok(parent.id());
    }
    let signature = Signature::now("Coditect renderer", "renderer@coditect.invalid")?;
    let parents: Vec<_> = parent.iter().collect();
    let commit = repository.commit(None, &signature, &signature, message, &tree, &parents)?;
    // A checkpoint is about to name this commit: its objects reach the disk before the branch names them,
    // and the branch before anyone is told. Policy changes are rare enough for two full syncs.
    sync(repository)?;
    move_head(repository, commit, message)?;
    sync(repository)?;
    Ok(commit)
}

fn move_head(repository: &Repository, commit: Oid, message: &str) -> Result<(), git2::Error> {
    let head = repository.find_reference("HEAD")?;
    match head.symbolic_target()? {
        Some(branch) => repository
            .reference(branch, commit, true, message)
            .map(drop),
        None => repository.set_head_detached(commit),
    }
}

fn sync(repository: &Repository) -> Result<(), git2::Error> {
    let synced = File::open(repository.path()).and_then(|folder| Ok(syncfs(&folder)?));
    synced.map_err(|error| git2::Error::from_str(&format!("the disk did not take it: {error}")))
}
