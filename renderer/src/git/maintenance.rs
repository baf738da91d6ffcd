//! Keeps the number of packs small, so that the ten thousandth commit costs what the first did.
//!
//! In two steps. The packs of single commits are joined by [`super::join`], which costs what those commits were and knows
//! what they have in common. When many joined ones have come together, `git repack --geometric=2` joins these so that
//! each pack left has at least twice the objects of the next: about log2(n) packs, with differences taken over from the
//! packs it joins, and each object rewritten about log2(n) times in its life.
//!
//! Both copy every object of the packs they join, reachable or not, and remove only those packs: one published or
//! prepared meanwhile is not touched, which is what makes it safe beside the renderer. (`git gc` and `repack -a` drop
//! what no ref reaches yet, such as a commit about to be published.) Killed at any point, they leave objects twice or
//! temporary files, which the next opening removes.

use std::{sync::Arc, time::Duration};

use coditect_core::{CellName, health::Health};
use tokio::{
    sync::{Notify, watch},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::{
    command,
    error::{Error, Result},
    join,
    lock::Lock,
    repository::CellRepository,
};

/// When packs are joined.
#[derive(Clone, Debug)]
pub struct MaintenanceConfig {
    /// The cell, for health and metrics.
    pub cell: CellName,
    /// The packs of single commits are joined when there are this many.
    pub packs: usize,
    /// `git repack` joins all when there are this many others.
    pub others: usize,
    /// How long either may take.
    pub limit: Duration,
}

impl MaintenanceConfig {
    /// At 256 and at 64 packs, with an hour of time. A commit reads no object, so it costs what it costs however many
    /// packs there are; who fetches opens each, some milliseconds in all.
    #[must_use]
    pub fn new(cell: CellName) -> Self {
        Self {
            cell,
            packs: 256,
            others: 64,
            limit: Duration::from_secs(3_600),
        }
    }
}

/// What maintenance has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceStatus {
    /// How many packs there are: counted, plus one for each publication since.
    pub packs: usize,
    /// How many times the packs of single commits were joined.
    pub joins: u64,
    /// How many times all were, by `git repack`.
    pub repacks: u64,
    /// How many times that failed since it last went well.
    pub failures: u64,
}

/// Publishing waits when there are this many times the packs at which they are joined: each costs every reader a file.
const CEILING: usize = 4;

/// Nobody has committed for so long: what was set aside can be removed.
const QUIET: Duration = Duration::from_secs(60);

/// As many packs set aside are removed at once: about 200 MB.
const ASIDE: usize = 16_384;

/// Maintenance running in the background. Dropped, it stops.
pub struct Maintenance {
    wake: Arc<Notify>,
    status: Arc<watch::Sender<MaintenanceStatus>>,
    ceiling: usize,
    task: JoinHandle<()>,
}

impl Maintenance {
    /// Begins to look after the repository, at once and after each [`Maintenance::published`]. Call within
    /// a Tokio runtime.
    #[must_use]
    pub fn start(repository: CellRepository, config: MaintenanceConfig, health: Health) -> Self {
        let wake = Arc::new(Notify::new());
        wake.notify_one();
        let (packs, _) = join::count(repository.path());
        let status = Arc::new(watch::Sender::new(MaintenanceStatus {
            packs,
            ..MaintenanceStatus::default()
        }));
        let ceiling = config.packs * CEILING;
        let task = tokio::spawn(follow(
            repository,
            config,
            health,
            Arc::clone(&wake),
            Arc::clone(&status),
        ));
        Self {
            wake,
            status,
            ceiling,
            task,
        }
    }

    /// There is one more pack. Returns at once.
    pub fn published(&self) {
        self.status.send_modify(|status| status.packs += 1);
        self.wake.notify_one();
    }

    /// Returns when one more pack does no harm: nearly always at once. To be awaited before a publication,
    /// so that no rate of commits outruns maintenance. Maintenance that fails holds nobody up.
    pub async fn room(&self) {
        let mut status = self.status.subscribe();
        // The sender lives as long as this.
        let _ = status
            .wait_for(|status| status.packs < self.ceiling || status.failures > 0)
            .await;
    }

    /// What it has done, now and from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<MaintenanceStatus> {
        self.status.subscribe()
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(
    repository: CellRepository,
    config: MaintenanceConfig,
    health: Health,
    wake: Arc<Notify>,
    status: Arc<watch::Sender<MaintenanceStatus>>,
) {
    let part = format!("maintenance/{}", config.cell);
    let cell = config.cell.to_string();
    let (packs, small) = join::count(repository.path());
    let mut threshold = packs - small + config.packs;
    // What an ended process set aside.
    sweep(&repository).await;
    let mut aside = 0;
    loop {
        if aside == 0 {
            wake.notified().await;
        } else if aside >= ASIDE || timeout(QUIET, wake.notified()).await.is_err() {
            sweep(&repository).await;
            aside = 0;
            continue;
        }
        if status.borrow().packs >= threshold {
            // Packs that others joined or made count too.
            let (packs, _) = join::count(repository.path());
            status.send_modify(|status| status.packs = packs);
        }
        if status.borrow().packs >= threshold {
            let outcome = tend(&repository, &config).await;
            let (packs, small) = join::count(repository.path());
            let mut done = *status.borrow();
            done.packs = packs;
            match outcome {
                Ok(Done { joined, all }) => {
                    aside += joined;
                    threshold = packs - small + config.packs;
                    health.ok(&part, format!("{packs} packs"));
                    done.joins += u64::from(joined > 0);
                    done.repacks += u64::from(all);
                    done.failures = 0;
                }
                Err(error) => {
                    // As many more come together before it is tried again.
                    threshold = packs + config.packs;
                    let said = coditect_core::Error::from(error).chain();
                    tracing::warn!(cell, packs, "packs could not be joined: {said}");
                    health.degraded(
                        &part,
                        format!("{packs} packs could not be joined: {said}; tried again later"),
                    );
                    done.failures += 1;
                }
            }
            status.send_replace(done);
        }
        let packs = status.borrow().packs;
        metrics::gauge!("coditect_renderer_packs", "cell" => cell.clone()).set(packs as f64);
    }
}

/// What one round of maintenance did.
struct Done {
    /// How many packs were joined and set aside.
    joined: usize,
    /// Whether `git repack` joined all.
    all: bool,
}

/// Joins the small packs, and all of them where too many others have come together.
async fn tend(repository: &CellRepository, config: &MaintenanceConfig) -> Result<Done> {
    let joined = join_packs(repository, config.limit).await?;
    let (packs, small) = join::count(repository.path());
    let all = packs - small >= config.others;
    if all {
        repack(repository, config.limit).await?;
    }
    Ok(Done { joined, all })
}

/// Joins the packs of single commits now, and sets them aside to be removed when nobody commits; returns how many.
///
/// # Errors
/// If something cannot be read or written, or it takes longer than `limit`. The repository is whole in any case.
pub async fn join_packs(repository: &CellRepository, limit: Duration) -> Result<usize> {
    let path = repository.path().to_path_buf();
    let joined = spawn_blocking(move || join::join(&path, limit)).await;
    let joined =
        joined.map_err(|error| Error::unusable(repository.path(), error.to_string()))??;
    reopen(repository).await?;
    Ok(joined)
}

async fn sweep(repository: &CellRepository) {
    let path = repository.path().to_path_buf();
    if let Ok(Err(error)) = spawn_blocking(move || join::sweep(&path)).await {
        let said = coditect_core::Error::from(error).chain();
        tracing::warn!("packs that were joined could not be removed: {said}");
    }
}

/// libgit2 keeps packs open that are gone, and would look into each of them forever.
async fn reopen(repository: &CellRepository) -> Result<()> {
    let repository = repository.clone();
    spawn_blocking(move || repository.reopen())
        .await
        .unwrap_or(Ok(()))
}

/// Joins packs by `git repack` now, with what everybody else leaves of the processors: nobody waits for it.
///
/// # Errors
/// If `git repack` fails or takes longer than `limit`. The repository is whole in any case.
pub async fn repack(repository: &CellRepository, limit: Duration) -> Result<()> {
    let Some(_lock) = Lock::of_maintenance(repository.path())? else {
        return Ok(());
    };
    let mut command = command::git(repository.path());
    command.args([
        "-c",
        "core.fsync=all",
        "-c",
        "pack.threads=1",
        "repack",
        "--quiet",
        "--geometric=2",
        "-d",
        "-n",
        "--no-write-bitmap-index",
    ]);
    let failed = |output| Error::Command {
        command: "repack",
        output,
    };
    let output = command::run_behind(command, limit).await.map_err(failed)?;
    if !output.success {
        let lines: Vec<&str> = output.stderr.lines().collect();
        return Err(failed(lines[lines.len().saturating_sub(3)..].join("; ")));
    }
    reopen(repository).await
}
