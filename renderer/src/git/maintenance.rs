//! Keeps the number of packs small, so that the ten thousandth commit costs what the first did.
//!
//! `git repack --geometric=2` joins the small packs so that each pack left has at least twice the objects
//! of the next: about log2(n) packs, and each object is rewritten about log2(n) times in its life. It copies
//! every object of the packs it joins, reachable or not, and removes only those packs: a pack published or
//! prepared meanwhile is not touched, which is what makes it safe beside the renderer. (`git gc` and
//! `repack -a` drop what no ref reaches yet, such as a commit about to be published.) Killed at any point,
//! it leaves objects twice or temporary files, which the next opening removes.

use std::{fs, path::Path, sync::Arc, time::Duration};

use coditect_core::{CellName, health::Health};
use tokio::{
    sync::{Notify, watch},
    task::{JoinHandle, spawn_blocking},
};

use super::{
    command,
    error::{Error, Result},
    repository::CellRepository,
};

/// When packs are joined.
#[derive(Clone, Debug)]
pub struct MaintenanceConfig {
    /// The cell, for health and metrics.
    pub cell: CellName,
    /// Packs are joined when there are this many.
    pub packs: usize,
    /// How long joining may take.
    pub limit: Duration,
}

impl MaintenanceConfig {
    /// At 256 packs, with an hour of time. A commit reads no object, so it costs what it costs however many packs there
    /// are; who fetches opens each, some milliseconds in all. Joining costs a processor more by the run than by the pack.
    #[must_use]
    pub fn new(cell: CellName) -> Self {
        Self {
            cell,
            packs: 256,
            limit: Duration::from_secs(3_600),
        }
    }
}

/// What maintenance has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceStatus {
    /// How many packs there are: counted, plus one for each publication since.
    pub packs: usize,
    /// How many times packs were joined.
    pub repacks: u64,
    /// How many times that failed since it last went well.
    pub failures: u64,
}

/// Publishing waits when there are this many times the packs at which they are joined: each costs every
/// reader a file, and joining thousands takes longer than making them.
const CEILING: usize = 4;

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
        let packs = count_packs(repository.path());
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
    // After a failure, as many more packs come together before it is tried again.
    let mut threshold = config.packs;
    loop {
        wake.notified().await;
        let mut packs = count_packs(repository.path());
        // Packs that others joined or made count too.
        status.send_modify(|status| status.packs = packs);
        if packs >= threshold {
            // Behind everything else, until so many have come together that publishing would soon have to wait.
            let behind = packs < config.packs * CEILING / 2;
            let outcome = repack(&repository, config.limit, behind).await;
            packs = count_packs(repository.path());
            match outcome {
                Ok(()) => {
                    threshold = config.packs.max(packs + config.packs / 2);
                    health.ok(&part, format!("{packs} packs"));
                    status.send_modify(|status| {
                        *status = MaintenanceStatus {
                            packs,
                            repacks: status.repacks + 1,
                            failures: 0,
                        }
                    });
                }
                Err(error) => {
                    threshold = packs + config.packs;
                    let said = coditect_core::Error::from(error).chain();
                    tracing::warn!(cell, packs, "packs could not be joined: {said}");
                    health.degraded(
                        &part,
                        format!("{packs} packs could not be joined: {said}; tried again later"),
                    );
                    status.send_modify(|status| {
                        *status = MaintenanceStatus {
                            packs,
                            failures: status.failures + 1,
                            ..*status
                        }
                    });
                }
            }
        }
        metrics::gauge!("coditect_renderer_packs", "cell" => cell.clone()).set(packs as f64);
    }
}

/// Joins small packs now; `behind`: with what everybody else leaves of the processors.
///
/// # Errors
/// If `git repack` fails or takes longer than `limit`. The repository is whole in any case.
pub async fn repack(repository: &CellRepository, limit: Duration, behind: bool) -> Result<()> {
    let mut command = command::git(repository.path());
    command.args([
        "-c",
        "core.fsync=all",
        "-c",
        "pack.threads=1",
        "-c",
        "pack.window=4",
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
    let output = match behind {
        true => command::run_behind(command, limit).await,
        false => command::run(command, limit).await,
    };
    let output = output.map_err(failed)?;
    if !output.success {
        let lines: Vec<&str> = output.stderr.lines().collect();
        return Err(failed(lines[lines.len().saturating_sub(3)..].join("; ")));
    }
    // libgit2 keeps packs open that are gone, and would look into each of them forever.
    let repository = repository.clone();
    spawn_blocking(move || repository.reopen())
        .await
        .unwrap_or(Ok(()))
}

/// How many packs a repository has.
fn count_packs(repository: &Path) -> usize {
    let is_pack = |entry: &fs::DirEntry| {
        entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "pack")
    };
    fs::read_dir(repository.join("objects/pack"))
        .map_or(0, |entries| entries.flatten().filter(is_pack).count())
}
