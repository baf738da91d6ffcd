//! Pushes the branch to a hosted mirror, in the background: one push at a time, the newest head wins.
//!
//! The renderer's own repository stays the one authority. A mirror that is down costs nothing but itself:
//! it is tried again with growing pauses and shown in health and metrics.

use std::{
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::{CellName, health::Health};
use git2::Oid;
use tokio::{
    process::Command,
    sync::{Notify, watch},
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use super::{
    access::{Elsewhere, GitAccess},
    reference::BRANCH,
    repository::CellRepository,
};

/// The remote's name for the one push.
const REMOTE: &str = "coditect-mirror";

/// Where and how the branch is mirrored.
#[derive(Clone)]
pub struct MirrorConfig {
    /// The cell, for health and metrics.
    pub cell: CellName,
    /// The address, as `git push` takes it.
    pub url: String,
    /// Its credentials.
    pub access: GitAccess,
    /// Overwrite what others committed at the mirror.
    pub force: bool,
    /// How long one push may take.
    pub limit: Duration,
    /// The pause after a first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl MirrorConfig {
    /// A mirror that is never overwritten: two minutes a push, pauses from one second to five minutes.
    #[must_use]
    pub fn new(cell: CellName, url: impl Into<String>) -> Self {
        Self {
            cell,
            url: url.into(),
            access: GitAccess::default(),
            force: false,
            limit: Duration::from_secs(120),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
        }
    }

    fn elsewhere(&self) -> Elsewhere<'_> {
        Elsewhere {
            name: REMOTE,
            url: &self.url,
            access: &self.access,
            limit: self.limit,
        }
    }
}

/// How the mirror stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorStatus {
    /// The last commit that the mirror took from us.
    pub pushed: Option<Oid>,
    /// Why the last push failed; `None` if it did not.
    pub problem: Option<MirrorProblem>,
    /// Pushes that failed since the last that did not.
    pub failures: u32,
}

/// Why a push failed, in words without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorProblem {
    /// The mirror's branch has commits that this renderer did not push.
    Diverged(String),
    /// The mirror answered and refused.
    Rejected(String),
    /// The mirror could not be reached, or anything else.
    Unreachable(String),
}

impl MirrorProblem {
    fn sentence(&self) -> String {
        match self {
            Self::Diverged(what) => format!(
                "the mirror's branch has commits that this renderer did not push ({what}): remove them there, or set `force` for this mirror"
            ),
            Self::Rejected(what) => format!(
                "the mirror refuses the push ({what}): look at its branch protection and hooks"
            ),
            Self::Unreachable(what) => {
                format!("the push failed ({what}): check address, network and credentials")
            }
        }
    }
}

/// A running mirror. Dropped, it stops.
pub struct Mirror {
    wake: Arc<Notify>,
    status: watch::Receiver<MirrorStatus>,
    task: JoinHandle<()>,
}

impl Mirror {
    /// Begins to mirror, with the present head first. Call within a Tokio runtime.
    #[must_use]
    pub fn start(repository: CellRepository, config: MirrorConfig, health: Health) -> Self {
        let wake = Arc::new(Notify::new());
        wake.notify_one();
        let (sender, status) = watch::channel(MirrorStatus::default());
        let task = tokio::spawn(follow(
            repository,
            config,
            health,
            Arc::clone(&wake),
            sender,
        ));
        Self { wake, status, task }
    }

    /// There is a new head. Returns at once; heads that come while a push runs share the next one.
    pub fn published(&self) {
        self.wake.notify_one();
    }

    /// How the mirror stands, now and from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<MirrorStatus> {
        self.status.clone()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(
    repository: CellRepository,
    config: MirrorConfig,
    health: Health,
    wake: Arc<Notify>,
    status: watch::Sender<MirrorStatus>,
) {
    let part = format!("mirror/{}", config.cell);
    let mut pause = config.first_pause;
    loop {
        wake.notified().await;
        loop {
            let Some(head) = head(&repository)
                .await
                .filter(|&head| status.borrow().pushed != Some(head))
            else {
                break;
            };
            match push(&repository, &config, head).await {
                Ok(()) => {
                    pause = config.first_pause;
                    health.ok(&part, format!("holds {head}"));
                    status.send_replace(MirrorStatus {
                        pushed: Some(head),
                        problem: None,
                        failures: 0,
                    });
                }
                Err(problem) => {
                    let sentence = problem.sentence();
                    tracing::warn!(cell = %config.cell, "mirror: {sentence}");
                    health.degraded(&part, format!("{sentence}; tried again, nothing is lost"));
                    status.send_modify(|status| {
                        status.problem = Some(problem);
                        status.failures += 1;
                    });
                    sleep(jittered(pause)).await;
                    pause = (pause * 2).min(config.longest_pause);
                }
            }
        }
    }
}

async fn head(repository: &CellRepository) -> Option<Oid> {
    let repository = repository.clone();
    // A head that cannot be read is the publisher's to report.
    spawn_blocking(move || repository.head_commit().ok().flatten())
        .await
        .ok()
        .flatten()
}

async fn push(
    repository: &CellRepository,
    config: &MirrorConfig,
    head: Oid,
) -> Result<(), MirrorProblem> {
    let began = Instant::now();
    let outcome = push_once(repository, config, head).await;
    let cell = config.cell.to_string();
    let word = match &outcome {
        Ok(()) => "pushed",
        Err(MirrorProblem::Diverged(_)) => "diverged",
        Err(MirrorProblem::Rejected(_)) => "rejected",
        Err(MirrorProblem::Unreachable(_)) => "unreachable",
    };
    metrics::counter!("coditect_renderer_mirror_pushes_total", "cell" => cell.clone(), "outcome" => word).increment(1);
    metrics::histogram!("coditect_renderer_mirror_push_seconds", "cell" => cell.clone())
        .record(began.elapsed().as_secs_f64());
    metrics::gauge!("coditect_renderer_mirror_current", "cell" => cell).set(if outcome.is_ok() {
        1.0
    } else {
        0.0
    });
    outcome
}

async fn push_once(
    repository: &CellRepository,
    config: &MirrorConfig,
    head: Oid,
) -> Result<(), MirrorProblem> {
    let command = push_command(repository.path(), config, head);
    let output = config.elsewhere().run(command).await;
    let output = output.map_err(MirrorProblem::Unreachable)?;
    if output.success {
        return Ok(());
    }
    Err(problem(&output.stdout, &output.stderr))
}

fn push_command(repository: &Path, config: &MirrorConfig, head: Oid) -> Command {
    let mut command = config.elsewhere().command(repository);
    command
        .args(["push", "--porcelain", "--atomic", "--no-verify", REMOTE])
        .arg(format!(
            "{}{head}:{BRANCH}",
            if config.force { "+" } else { "" }
        ));
    command
}

/// Sorts a failed push. `--porcelain` gives `!<tab>from:to<tab>[summary] (reason)` for a refused ref.
fn problem(stdout: &str, stderr: &str) -> MirrorProblem {
    let refused = stdout
        .lines()
        .find_map(|line| line.strip_prefix('!')?.rsplit('\t').next());
    match refused {
        Some(summary) if summary.starts_with("[rejected]") => {
            MirrorProblem::Diverged(summary.to_owned())
        }
        Some(summary) => {
            let said: Vec<&str> = stderr
                .lines()
                .filter_map(|line| line.strip_prefix("remote: "))
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect();
            MirrorProblem::Rejected([&[summary], &said[..]].concat().join("; "))
        }
        None => {
            let last: Vec<&str> = stderr
                .lines()
                .filter(|line| !line.trim().is_empty())
                .take(3)
                .collect();
            MirrorProblem::Unreachable(last.join("; "))
        }
    }
}

/// Between half the pause and all of it, so that many cells do not call at once.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 1_000;
    pause / 2 + pause / 2 * u32::try_from(random).unwrap_or(0) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_stands_on_the_command_line() {
        let config = MirrorConfig::new(
            "local".parse().unwrap(),
            "https://robot:s3cret@git.example/cell.git",
        );
        let command = push_command(Path::new("cell.git"), &config, Oid::ZERO_SHA1);
        let arguments: Vec<_> = command
            .as_std()
            .get_args()
            .map(|argument| argument.to_string_lossy())
            .collect();
        assert!(
            arguments
                .iter()
                .all(|argument| !argument.contains("s3cret") && !argument.contains("git.example")),
            "{arguments:?}"
        );
    }

    #[test]
    fn pauses_stay_within_half() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(8));
            assert!(
                (Duration::from_secs(4)..=Duration::from_secs(8)).contains(&pause),
                "{pause:?}"
            );
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let refused = |summary: &str| {
            problem(
                &format!("To ***\n!\tabc:refs/heads/main\t{summary}\nDone\n"),
                "remote: not today\nerror: failed to push some refs\n",
            )
        };
        assert!(matches!(
            refused("[rejected] (fetch first)"),
            MirrorProblem::Diverged(_)
        ));
        assert_eq!(
            refused("[remote rejected] (pre-receive hook declined)"),
            MirrorProblem::Rejected(
                "[remote rejected] (pre-receive hook declined); not today".to_owned()
            )
        );
        assert_eq!(
            problem("", "fatal: no route\n"),
            MirrorProblem::Unreachable("fatal: no route".to_owned())
        );
    }
}
