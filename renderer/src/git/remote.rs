//! A hosted repository as the place of truth: a commit counts when the remote has taken it.
//!
//! Each flush is pushed before the local branch moves, by a compare-and-swap over the wire: `git push
//! --force-with-lease=<branch>:<what we built on>`, which the remote's own lock on the branch decides. Before a
//! renderer leads, its local branch is brought to where the remote's is, so that whatever became of a push whose
//! answer was lost, it is known.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use coditect_core::{CellName, Error, Result};
use git2::Oid;
use tokio::{process::Command, task::spawn_blocking};

use super::{
    access::{Elsewhere, GitAccess},
    command::Output,
    redact::redacted,
    reference::BRANCH,
    repository::CellRepository,
};

/// The remote's name for one command.
const REMOTE: &str = "coditect-remote";
/// Where a fetched head is kept until the branch has moved.
const FETCHED: &str = "refs/coditect/remote";

/// Which remote, and within which limits.
#[derive(Clone)]
pub struct RemoteConfig {
    /// The cell, for metrics.
    pub cell: CellName,
    /// The address, as `git push` takes it.
    pub url: String,
    /// Its credentials.
    pub access: GitAccess,
    /// The least time between two pushes; changes gather meanwhile. GitHub advises at most six pushes a minute.
    pub interval: Duration,
    /// How long one command may take.
    pub limit: Duration,
}

impl fmt::Debug for RemoteConfig {
    /// Without the credentials that an address may hold.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RemoteConfig")
            .field("cell", &self.cell)
            .field("url", &redacted(&self.url))
            .finish_non_exhaustive()
    }
}

impl RemoteConfig {
    /// Ten seconds between pushes, two minutes for one.
    #[must_use]
    pub fn new(cell: CellName, url: impl Into<String>) -> Self {
        Self {
            cell,
            url: url.into(),
            access: GitAccess::default(),
            interval: Duration::from_secs(10),
            limit: Duration::from_secs(120),
        }
    }
}

/// The place of truth. Cheap to clone; clones share the time of the last push.
#[derive(Clone, Debug)]
pub struct Remote {
    config: Arc<RemoteConfig>,
    pushed: Arc<Mutex<Option<Instant>>>,
}

/// Why a push did not make the commit the remote's head.
#[derive(Debug)]
pub enum PushError {
    /// The remote's branch is not what the commit was made on: somebody else wrote.
    Moved,
    /// The remote refused, did not answer, or its answer was lost: then the commit may have been taken. Look before
    /// going on.
    Failed(Error),
}

impl Remote {
    /// A remote that was not pushed to yet.
    #[must_use]
    pub fn new(config: RemoteConfig) -> Self {
        Self {
            config: Arc::new(config),
            pushed: Arc::default(),
        }
    }

    /// How long the next push must wait; none if it need not.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        let pushed = *self.pushed.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.config.interval.checked_sub(pushed?.elapsed())?;
        (!left.is_zero()).then_some(left)
    }

    /// The least time between two pushes.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.config.interval
    }

    /// Makes `commit`, whose objects the repository at `repository` holds, the remote's head, if that is still
    /// `expected`.
    ///
    /// # Errors
    /// [`PushError`].
    pub async fn push(
        &self,
        repository: &Path,
        expected: Option<Oid>,
        commit: Oid,
    ) -> Result<(), PushError> {
        let began = Instant::now();
        *self.pushed.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
        let mut command = self.command(repository);
        // An empty expectation: the branch must not be there.
        let lease = expected.map_or_else(String::new, |expected| expected.to_string());
        command
            .args(["push", "--porcelain", "--no-verify"])
            .arg(format!("--force-with-lease={BRANCH}:{lease}"))
            .arg(REMOTE)
            .arg(format!("{commit}:{BRANCH}"));
        let outcome = match self.run(command).await {
            Ok(output) if output.success => Ok(()),
            Ok(output) => Err(refused(&output, unreachable)),
            Err(error) => Err(PushError::Failed(error)),
        };
        let word = match &outcome {
            Ok(()) => "pushed",
            Err(PushError::Moved) => "moved",
            Err(PushError::Failed(_)) => "failed",
        };
        let cell = self.config.cell.to_string();
        metrics::counter!("coditect_renderer_remote_pushes_total", "cell" => cell.clone(), "outcome" => word).increment(1);
        metrics::histogram!("coditect_renderer_remote_push_seconds", "cell" => cell)
            .record(began.elapsed().as_secs_f64());
        outcome
    }

    /// The remote's head; none if it has no such branch.
    ///
    /// # Errors
    /// `Unavailable` if it does not answer.
    pub async fn head(&self, repository: &Path) -> Result<Option<Oid>> {
        let mut command = self.command(repository);
        command.args(["ls-remote", "--quiet", REMOTE, BRANCH]);
        let output = self.run(command).await?;
        if !output.success {
            return Err(unreachable(&last_lines(&output.stderr)));
        }
        let line = output
            .stdout
            .lines()
            .find_map(|line| line.strip_suffix(BRANCH));
        line.map(|commit| {
            Oid::from_str(commit.trim())
                .map_err(|error| unreachable(&format!("it names no commit: {error}")))
        })
        .transpose()
    }

    /// Brings the local branch to where the remote's is. What the local branch has beyond the remote's (a host that
    /// was restored from a backup, a new and empty one) is pushed, under the same rule as any commit.
    ///
    /// # Errors
    /// `Unavailable` if the remote does not answer or the disk cannot take what it has.
    pub async fn adopt(&self, local: &CellRepository) -> Result<()> {
        let theirs = self.head(local.path()).await?;
        let ours = blocking(local, CellRepository::head_commit).await?;
        if theirs == ours {
            return Ok(());
        }
        if let Some(ours) = ours {
            let ahead = match theirs {
                None => true,
                Some(theirs) => blocking(local, move |local| local.descends(ours, theirs)).await?,
            };
            if ahead {
                tracing::warn!(cell = %self.config.cell, %ours, "the remote lacks commits that are here; they are pushed");
                return match self.push(local.path(), theirs, ours).await {
                    Ok(()) => Ok(()),
                    Err(PushError::Failed(error)) => Err(error),
                    Err(PushError::Moved) => Err(Error::unavailable(
                        "the remote's branch moved while it was brought up to date; tried again",
                    )),
                };
            }
        }
        let fetched = self.fetch(local).await?;
        tracing::info!(cell = %self.config.cell, %fetched, "the remote's head is taken over");
        blocking(local, move |local| local.adopt(fetched)).await
    }

    async fn fetch(&self, local: &CellRepository) -> Result<Oid> {
        let mut command = self.command(local.path());
        command
            // A pack, which maintenance joins, and not thousands of files.
            .args(["-c", "fetch.unpackLimit=1", "-c", "core.fsync=all"])
            .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"])
            .arg(REMOTE)
            .arg(format!("+{BRANCH}:{FETCHED}"));
        let output = self.run(command).await?;
        if !output.success {
            return Err(unreachable(&last_lines(&output.stderr)));
        }
        let fetched = blocking(local, |local| local.reference(FETCHED)).await?;
        fetched.ok_or_else(|| unreachable("it gave no head"))
    }

    fn command(&self, repository: &Path) -> Command {
        self.elsewhere().command(repository)
    }

    async fn run(&self, command: Command) -> Result<Output> {
        let output = self.elsewhere().run(command).await;
        output.map_err(|why| unreachable(&why))
    }

    fn elsewhere(&self) -> Elsewhere<'_> {
        Elsewhere {
            name: REMOTE,
            url: &self.config.url,
            access: &self.config.access,
            limit: self.config.limit,
        }
    }
}

/// Sorts a failed push. `--porcelain` gives `!<tab>from:to<tab>[summary] (reason)` for a refused branch.
pub(super) fn refused(output: &Output, unreachable: fn(&str) -> Error) -> PushError {
    let summary = output
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix('!')?.rsplit('\t').next());
    match summary {
        // The lease, found broken by us.
        Some(summary) if summary.starts_with("[rejected]") => PushError::Moved,
        // The same, found by the remote, in the words of its Git.
        Some(summary)
            if summary.contains("cannot lock ref") || summary.contains("failed to update ref") =>
        {
            PushError::Moved
        }
        Some(summary) => {
            let said = output.stderr.lines().filter_map(|line| {
                let line = line.strip_prefix("remote: ")?.trim();
                (!line.is_empty()).then_some(line)
            });
            let said: Vec<&str> = std::iter::once(summary).chain(said).take(4).collect();
            PushError::Failed(Error::unavailable(format!(
                "the remote refuses the commit ({}): look at its branch protection, hooks and the pusher's rights",
                said.join("; ")
            )))
        }
        None => PushError::Failed(unreachable(&last_lines(&output.stderr))),
    }
}

pub(super) fn last_lines(stderr: &str) -> String {
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(3)
        .collect();
    lines.join("; ")
}

fn unreachable(why: &str) -> Error {
    Error::unavailable(format!(
        "the remote repository, the place of truth, does not answer ({why}): check address, network and credentials"
    ))
}

async fn blocking<T: Send + 'static>(
    local: &CellRepository,
    work: impl FnOnce(&CellRepository) -> super::Result<T> + Send + 'static,
) -> Result<T> {
    let local = local.clone();
    let done = spawn_blocking(move || work(&local)).await;
    Ok(done.map_err(|error| Error::internal("a background task panicked").because(error))??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(interval: Duration) -> Remote {
        let mut config = RemoteConfig::new(
            "local".parse().unwrap(),
            "https://robot:s3cret@git.example/cell.git",
        );
        config.interval = interval;
        Remote::new(config)
    }

    #[test]
    fn no_credential_stands_on_the_command_line() {
        let command = remote(Duration::ZERO).command(Path::new("cell.git"));
        let arguments: Vec<_> = command.as_std().get_args().collect();
        let shown = format!("{arguments:?} {:?}", remote(Duration::ZERO));
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn pushes_keep_their_distance() {
        let remote = remote(Duration::from_secs(3_600));
        assert_eq!(remote.pause(), None);
        *remote.pushed.lock().unwrap() = Some(Instant::now());
        assert!(
            remote
                .clone()
                .pause()
                .is_some_and(|left| left > Duration::from_secs(3_000))
        );
    }

    #[test]
    fn refusals_are_told_apart() {
        let refused = |summary: &str| {
            let output = Output {
                success: false,
                stdout: format!("To ***\n!\tabc:refs/heads/main\t{summary}\nDone\n"),
                stderr: "remote: not today\nerror: failed to push some refs\n".into(),
            };
            super::refused(&output, unreachable)
        };
        for summary in [
            "[rejected] (stale info)",
            "[rejected] (fetch first)",
            "[remote rejected] (cannot lock ref 'refs/heads/main': is at 1 but expected 2)",
            "[remote rejected] (failed to update ref)",
        ] {
            assert!(matches!(refused(summary), PushError::Moved), "{summary}");
        }
        let PushError::Failed(error) = refused("[remote rejected] (pre-receive hook declined)")
        else {
            panic!("a hook is not another writer");
        };
        assert!(
            error.to_string().contains("hook declined); not today")
                || error.to_string().contains("not today")
        );
    }
}
