//! The repository that people review the policy in, for what Coditect adds to it: branches that ask for an approval, and
//! the steps of a roll-out.
//!
//! It is read through a bare copy of its own, and written as a person would write it: a commit on what was read, pushed
//! on the condition that nobody was faster. Nothing is ever forced.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use coditect_core::{Error, Result};
use git2::{ErrorCode, FileMode, Oid, Repository, Signature, build::TreeUpdateBuilder};
use tokio::{process::Command, task::spawn_blocking};

use super::{
    access::{Elsewhere, GitAccess},
    command::Output,
    lock::Lock,
    redact::redacted,
    reference::BRANCH,
    remote::{PushError, last_lines, refused},
};

/// The remote's name for one command.
const REMOTE: &str = "coditect-policy";
/// Where the copy keeps the branch that changes are merged into: where who reads the copy as a repository finds it.
const MAIN: &str = BRANCH;
/// Where it keeps Coditect's own branches.
const OURS: &str = "refs/coditect/ours/";
/// What the names of Coditect's own branches begin with.
pub const BRANCHES: &str = "coditect/";

/// Which repository, and how it is reached.
#[derive(Clone)]
pub struct PolicyRemoteConfig {
    /// Its address, as `git fetch` takes it.
    pub url: String,
    /// Its credentials.
    pub access: GitAccess,
    /// The branch that changes are merged into.
    pub branch: String,
    /// Where the copy is kept.
    pub copy: PathBuf,
    /// How long one command may take.
    pub limit: Duration,
}

impl PolicyRemoteConfig {
    /// A minute for one command.
    #[must_use]
    pub fn new(
        url: impl Into<String>,
        branch: impl Into<String>,
        copy: impl Into<PathBuf>,
    ) -> Self {
        Self {
            url: url.into(),
            access: GitAccess::default(),
            branch: branch.into(),
            copy: copy.into(),
            limit: Duration::from_secs(60),
        }
    }
}

impl fmt::Debug for PolicyRemoteConfig {
    /// Without the credentials that an address may hold.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PolicyRemoteConfig")
            .field("url", &redacted(&self.url))
            .field("branch", &self.branch)
            .finish_non_exhaustive()
    }
}

/// The policy as people review it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PolicyRemote(Arc<PolicyRemoteConfig>);

/// What was there when it was looked at: all of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The newest commit that was merged.
    pub main: Oid,
    /// Coditect's own branches, by name (`coditect/…`).
    pub ours: BTreeMap<String, Oid>,
}

/// Files of a commit in the making, by path: contents, or none for one that goes.
pub type Edits = BTreeMap<String, Option<Vec<u8>>>;

impl PolicyRemote {
    /// The repository, and the folder of its copy, which is made if it is missing.
    ///
    /// # Errors
    /// `Unavailable` if the copy cannot be made; `Conflict` if people work in that folder.
    pub fn open(config: PolicyRemoteConfig) -> Result<Self> {
        let copy = config.copy.display();
        if config.copy.join(".git").exists() {
            return Err(Error::conflict(format!(
                "{copy} is a folder that people work in, and the policy is read from {} now: push what it holds there \
                 (git -C {copy} push {0} HEAD:{}), then move the folder away",
                redacted(&config.url),
                config.branch
            )));
        }
        let mut options = git2::RepositoryInitOptions::new();
        options
            .bare(true)
            .external_template(false)
            .initial_head("main");
        let made = Repository::init_opts(&config.copy, &options);
        made.map_err(|error| unusable(&config.copy, &error))?;
        Ok(Self(Arc::new(config)))
    }

    /// The address without the credentials that it may hold, and the branch.
    #[must_use]
    pub fn place(&self) -> String {
        format!("branch {} of {}", self.0.branch, redacted(&self.0.url))
    }

    /// Where its copy is.
    #[must_use]
    pub fn copy(&self) -> &Path {
        &self.0.copy
    }

    /// The branch that changes are merged into.
    #[must_use]
    pub fn branch(&self) -> &str {
        &self.0.branch
    }

    /// Looks at it anew. One process at a time: two fetches into one copy would get in each other's way.
    ///
    /// # Errors
    /// `Unavailable` if it does not answer, or has no such branch.
    pub async fn look(&self) -> Result<Seen> {
        let copy = self.0.copy.clone();
        let locked = spawn_blocking(move || Lock::take(&copy)).await;
        let _turn = locked
            .map_err(|error| Error::internal("a background task panicked").because(error))??;
        let mut command = self.command();
        command
            // Checkpoints name commits that a force push may take out of every branch.
            .args(["-c", "gc.pruneExpire=never", "-c", "gc.autoDetach=false"])
            .args(["-c", "fetch.unpackLimit=1", "-c", "core.fsync=all"])
            .args([
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--prune",
            ])
            .arg(REMOTE)
            .arg(format!("+refs/heads/{}:{MAIN}", self.0.branch))
            .arg(format!("+refs/heads/{BRANCHES}*:{OURS}*"));
        let output = self.run(command).await?;
        if !output.success {
            return Err(unreachable(&last_lines(&output.stderr)));
        }
        self.blocking(|repository| {
            let mut ours = BTreeMap::new();
            for reference in repository.references_glob(&format!("{OURS}*"))? {
                let reference = reference?;
                let name = reference
                    .name()
                    .ok()
                    .and_then(|name| name.strip_prefix(OURS));
                if let (Some(name), Some(commit)) = (name, reference.target()) {
                    ours.insert(format!("{BRANCHES}{name}"), commit);
                }
            }
            let main = repository.refname_to_id(MAIN)?;
            Ok(Seen { main, ours })
        })
        .await
    }

    /// A file of a commit that was seen; none if it has no such file.
    ///
    /// # Errors
    /// `Unavailable` if the copy cannot be read.
    pub async fn file(&self, commit: Oid, path: impl Into<PathBuf>) -> Result<Option<Vec<u8>>> {
        let path = path.into();
        self.blocking(move |repository| {
            let tree = repository.find_commit(commit)?.tree()?;
            match tree.get_path(&path) {
                Ok(entry) => Ok(Some(repository.find_blob(entry.id())?.content().to_vec())),
                Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Whether a commit is in the history of another; one that the copy has not got is not.
    ///
    /// # Errors
    /// `Unavailable` if the copy cannot be read.
    pub async fn is_merged(&self, commit: Oid, into: Oid) -> Result<bool> {
        self.blocking(move |repository| {
            let known = repository.odb()?.exists(commit);
            Ok(known && (commit == into || repository.graph_descendant_of(into, commit)?))
        })
        .await
    }

    /// Makes a commit of some edited files on `parent`. It is nobody's yet.
    ///
    /// # Errors
    /// `Unavailable` if the copy cannot take it.
    pub async fn commit(&self, parent: Oid, edits: Edits, message: String) -> Result<Oid> {
        self.blocking(move |repository| {
            let parent = repository.find_commit(parent)?;
            let mut update = TreeUpdateBuilder::new();
            for (path, contents) in &edits {
                match contents {
                    Some(contents) => {
                        update.upsert(path.as_str(), repository.blob(contents)?, FileMode::Blob);
                    }
                    None => {
                        update.remove(path.as_str());
                    }
                }
            }
            let tree = update.create_updated(repository, &parent.tree()?)?;
            let tree = repository.find_tree(tree)?;
            let signature = Signature::now("Coditect", "renderer@coditect.invalid")?;
            repository.commit(None, &signature, &signature, &message, &tree, &[&parent])
        })
        .await
    }

    /// Makes `commit` the newest that is merged, if that is still `expected`.
    ///
    /// # Errors
    /// [`PushError`].
    pub async fn merge(&self, expected: Oid, commit: Oid) -> Result<(), PushError> {
        let branch = format!("refs/heads/{}", self.0.branch);
        self.push(&branch, Some(expected), Some(commit)).await
    }

    /// Makes or moves one of Coditect's own branches, if it is still where it was seen; none: it must not be there.
    ///
    /// # Errors
    /// [`PushError`].
    pub async fn put_branch(
        &self,
        name: &str,
        expected: Option<Oid>,
        commit: Oid,
    ) -> Result<(), PushError> {
        self.push(&format!("refs/heads/{name}"), expected, Some(commit))
            .await
    }

    /// Removes one of Coditect's own branches, if it is still where it was seen.
    ///
    /// # Errors
    /// [`PushError`].
    pub async fn remove_branch(&self, name: &str, expected: Oid) -> Result<(), PushError> {
        self.push(&format!("refs/heads/{name}"), Some(expected), None)
            .await
    }

    async fn push(
        &self,
        branch: &str,
        expected: Option<Oid>,
        commit: Option<Oid>,
    ) -> Result<(), PushError> {
        let text =
            |commit: Option<Oid>| commit.map_or_else(String::new, |commit| commit.to_string());
        let mut command = self.command();
        command
            .args(["push", "--porcelain", "--no-verify"])
            // An empty expectation: the branch must not be there.
            .arg(format!("--force-with-lease={branch}:{}", text(expected)))
            .arg(REMOTE)
            .arg(format!("{}:{branch}", text(commit)));
        match self.run(command).await {
            Ok(output) if output.success => Ok(()),
            Ok(output) => Err(refused(&output, unreachable)),
            Err(error) => Err(PushError::Failed(error)),
        }
    }

    fn command(&self) -> Command {
        self.elsewhere().command(&self.0.copy)
    }

    async fn run(&self, command: Command) -> Result<Output> {
        let output = self.elsewhere().run(command).await;
        output.map_err(|why| unreachable(&why))
    }

    fn elsewhere(&self) -> Elsewhere<'_> {
        Elsewhere {
            name: REMOTE,
            url: &self.0.url,
            access: &self.0.access,
            limit: self.0.limit,
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Repository) -> Result<T, git2::Error> + Send + 'static,
    ) -> Result<T> {
        let copy = self.0.copy.clone();
        let done = spawn_blocking(move || {
            // Opened anew: commands have written packs meanwhile.
            let repository = Repository::open(&copy);
            let done = repository.and_then(|repository| work(&repository));
            done.map_err(|error| unusable(&copy, &error))
        });
        done.await
            .map_err(|error| Error::internal("a background task panicked").because(error))?
    }
}

fn unusable(copy: &Path, error: &git2::Error) -> Error {
    Error::unavailable(format!(
        "the copy of the policy repository at {} cannot be used: {}",
        copy.display(),
        error.message()
    ))
}

fn unreachable(why: &str) -> Error {
    Error::unavailable(format!(
        "the policy repository does not answer as asked ({why}): check address, branch, network and credentials"
    ))
}
