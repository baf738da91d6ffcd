//! Watches the policy repository's two folders and hands on every valid edition; an invalid one is said, and
//! the last good one stays.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use coditect_core::{Error, Result, health::Health};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    git::PolicyRepository,
    inputs::{Inputs, POLICY, TEMPLATES},
    reconcile::blocking,
};

/// How long the folders must be quiet before they are read: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(150);
/// How often they are read without being told, in case the file system does not tell.
const FALLBACK: Duration = Duration::from_secs(30);
/// How many commits back a valid policy is looked for.
const LOOK_BACK: usize = 50;
/// The name under which the policy's state is posted.
const PART: &str = "policy";

/// Follows a policy repository.
pub struct PolicyWatch {
    folder: PathBuf,
    repository: PolicyRepository,
    newest: watch::Sender<Arc<Inputs>>,
    health: Health,
    owner: bool,
}

impl PolicyWatch {
    /// Loads the folder once, for the process that owns it: valid edits are committed. If the folder is not
    /// valid now, its newest valid commit is in force, and that is said.
    ///
    /// # Errors
    /// `Invalid` with every mistake, a line each, if the policy or a template is wrong and there is no commit
    /// to fall back to.
    pub async fn own(
        folder: PathBuf,
        health: Health,
    ) -> Result<(Self, watch::Receiver<Arc<Inputs>>)> {
        Self::open(folder, health, true).await
    }

    /// Loads the repository's newest commit, for a process beside the owner, and where the policy is read from a remote.
    ///
    /// # Errors
    /// As [`PolicyWatch::own`].
    pub async fn follow(
        folder: PathBuf,
        health: Health,
    ) -> Result<(Self, watch::Receiver<Arc<Inputs>>)> {
        Self::open(folder, health, false).await
    }

    async fn open(
        folder: PathBuf,
        health: Health,
        owner: bool,
    ) -> Result<(Self, watch::Receiver<Arc<Inputs>>)> {
        let at = folder.clone();
        let (repository, inputs, wrong) = blocking(move || {
            let repository = PolicyRepository::open_or_init(&at)?;
            let fallback = repository.head()?;
            let invalid = |why| Error::invalid("policy", format!("is not valid:\n{why}"));
            match (load(&repository, &at, owner, "as found at start"), fallback) {
                (Ok(inputs), _) => Ok((repository, inputs, None)),
                (Err(why), None) => Err(invalid(why)),
                (Err(why), Some(_)) => match newest_valid(&repository)? {
                    Some(inputs) => Ok((repository, inputs, Some(why))),
                    None => Err(invalid(why)),
                },
            }
        })
        .await?;
        let (newest, receiver) = watch::channel(Arc::new(inputs));
        let watch = Self {
            folder,
            repository,
            newest,
            health,
            owner,
        };
        match wrong {
            None => watch.health.ok(PART, in_force(&watch.newest.borrow())),
            Some(why) => watch.complain(&why),
        }
        Ok((watch, receiver))
    }

    /// Follows the folders until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let (told, mut edits) = mpsc::channel(1);
        let watcher = self.watcher(told);
        if let Err(error) = &watcher {
            tracing::warn!(error = %error, "the policy folders cannot be watched; they are read every {} s", FALLBACK.as_secs());
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                edit = timeout(FALLBACK, edits.recv()) => if matches!(edit, Ok(None)) {
                    // No watcher: the clock alone.
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(FALLBACK) => {}
                    }
                },
            }
            while let Ok(Some(())) = timeout(QUIET, edits.recv()).await {}
            self.reload().await;
        }
    }

    fn watcher(&self, told: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if event.is_ok_and(|event| !event.kind.is_access()) {
                    // A full channel already says that there is something to read.
                    let _ = told.try_send(());
                }
            })?;
        if self.owner {
            watcher.watch(&self.folder.join(POLICY), RecursiveMode::Recursive)?;
            watcher.watch(&self.folder.join(TEMPLATES), RecursiveMode::Recursive)?;
        } else {
            // What the owner has found valid is what it commits.
            let folder = self.repository.git_folder();
            let folder = folder.map_err(|error| notify::Error::generic(&error.to_string()))?;
            watcher.watch(&folder.join("refs/heads"), RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    }

    async fn reload(&self) {
        let (folder, repository, owner) =
            (self.folder.clone(), self.repository.clone(), self.owner);
        let loaded = blocking(move || {
            load(&repository, &folder, owner, "edited in place")
                .map_err(|why| Error::invalid("policy", why))
        })
        .await;
        match loaded {
            Ok(inputs) => {
                self.health.ok(PART, in_force(&inputs));
                let changed = self.newest.borrow().templates() != inputs.templates()
                    || self.newest.borrow().commit != inputs.commit;
                if changed {
                    tracing::info!(
                        commit = inputs.commit.map(|commit| commit.to_string()),
                        "a new policy is in force"
                    );
                    metrics::counter!("coditect_renderer_policy_loads_total", "result" => "valid")
                        .increment(1);
                    self.newest.send_replace(Arc::new(inputs));
                }
            }
            Err(error) => {
                metrics::counter!("coditect_renderer_policy_loads_total", "result" => "invalid")
                    .increment(1);
                self.complain(error.message());
            }
        }
    }

    fn complain(&self, why: &str) {
        tracing::error!(%why, "the edited policy is not valid; the last good one stays in force");
        self.health.degraded(
            PART,
            format!("the edited policy is not valid; the last good one stays in force: {why}"),
        );
    }
}

fn load(
    repository: &PolicyRepository,
    folder: &Path,
    owner: bool,
    what: &str,
) -> Result<Inputs, String> {
    if owner {
        return Inputs::load_and_commit(repository, folder, &format!("policy: {what}"));
    }
    match repository.head().map_err(|error| error.to_string())? {
        Some(commit) => Inputs::at(repository, commit),
        None => Err("the policy repository has no commit yet".into()),
    }
}

/// The newest commit that is valid: people commit mistakes too.
fn newest_valid(repository: &PolicyRepository) -> Result<Option<Inputs>> {
    let mut commits = repository.ancestry(LOOK_BACK)?.into_iter();
    Ok(commits.find_map(|commit| Inputs::at(repository, commit).ok()))
}

fn in_force(inputs: &Inputs) -> String {
    match inputs.commit {
        Some(commit) => format!("policy {commit} is in force"),
        None => "the policy folder is in force".into(),
    }
}
