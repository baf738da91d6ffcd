//! Watches the policy repository's two folders and hands on every valid edition; an invalid one is said, and
//! the last good one stays.

use std::{path::PathBuf, sync::Arc, time::Duration};

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
/// The name under which the policy's state is posted.
const PART: &str = "policy";

/// Follows a policy repository.
pub struct PolicyWatch {
    folder: PathBuf,
    repository: PolicyRepository,
    newest: watch::Sender<Arc<Inputs>>,
    health: Health,
}

impl PolicyWatch {
    /// Loads the folder once and is ready to follow it.
    ///
    /// # Errors
    /// `Invalid` with every mistake, a line each, if the policy or a template is wrong.
    pub async fn open(
        folder: PathBuf,
        health: Health,
    ) -> Result<(Self, watch::Receiver<Arc<Inputs>>)> {
        let at = folder.clone();
        let (repository, inputs) = blocking(move || {
            let repository = PolicyRepository::open_or_init(&at)?;
            let inputs = Inputs::load_and_commit(&repository, &at, "policy: as found at start")
                .map_err(|why| Error::invalid("policy", format!("is not valid:\n{why}")))?;
            Ok((repository, inputs))
        })
        .await?;
        health.ok(PART, in_force(&inputs));
        let (newest, receiver) = watch::channel(Arc::new(inputs));
        Ok((
            Self {
                folder,
                repository,
                newest,
                health,
            },
            receiver,
        ))
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
        let git = self.folder.join(".git");
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                let ours = event.is_ok_and(|event| {
                    !event.kind.is_access()
                        && !event.paths.iter().all(|path| path.starts_with(&git))
                });
                if ours {
                    // A full channel already says that there is something to read.
                    let _ = told.try_send(());
                }
            })?;
        // The folder itself, so that a folder that is replaced whole is noticed too.
        watcher.watch(&self.folder, RecursiveMode::NonRecursive)?;
        watcher.watch(&self.folder.join(POLICY), RecursiveMode::Recursive)?;
        watcher.watch(&self.folder.join(TEMPLATES), RecursiveMode::Recursive)?;
        Ok(watcher)
    }

    async fn reload(&self) {
        let (folder, repository) = (self.folder.clone(), self.repository.clone());
        let loaded = blocking(move || {
            Inputs::load_and_commit(&repository, &folder, "policy: edited in place")
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
                let why = error.message();
                tracing::error!(%why, "the edited policy is not valid; the last good one stays in force");
                metrics::counter!("coditect_renderer_policy_loads_total", "result" => "invalid")
                    .increment(1);
                self.health.degraded(
                    PART,
                    format!(
                        "the edited policy is not valid; the last good one stays in force: {why}"
                    ),
                );
            }
        }
    }
}

fn in_force(inputs: &Inputs) -> String {
    match inputs.commit {
        Some(commit) => format!("policy {commit} is in force"),
        None => "the policy folder is in force".into(),
    }
}
