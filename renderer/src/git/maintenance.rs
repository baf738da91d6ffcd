//! Keeps the number of packs small, so that the ten thousandth commit costs what the first did.
//!
//! In two steps. The packs of single commits are joined by [`super::join`], which costs what those commits were and knows
//! what they have in common. When many joined ones have come together, [`super::repack`] has `git pack-objects` join
//! these, behind everything else; meanwhile the first step goes on.
//!
//! Both copy every object of the packs they join, reachable or not, and remove only those packs: one published or
//! prepared meanwhile is not touched, which is what makes it safe beside the renderer. (`git gc` and `repack -a` drop
//! what no ref reaches yet, such as a commit about to be published.) Killed at any point, they leave objects twice or
//! temporary files, which the next opening removes.

use std::{sync::Arc, time::Duration};

use coditect_core::{CellName, health::Health};
use tokio::{
    sync::{Notify, watch},
    task::{JoinError, JoinHandle, JoinSet, spawn_blocking},
    time::sleep,
};

use super::{
    error::{Error, Result},
    join,
    packs::{self, Packs},
    repack,
    repository::CellRepository,
};

/// When packs are joined.
#[derive(Clone, Debug)]
pub struct MaintenanceConfig {
    /// The cell, for health and metrics.
    pub cell: CellName,
    /// A pack below this size (bytes, without the index) is small: of one commit or a few.
    pub small: u64,
    /// The small packs are joined when there are this many.
    pub packs: usize,
    /// The others are joined when there are this many.
    pub others: usize,
    /// How long either may take.
    pub limit: Duration,
}

impl MaintenanceConfig {
    /// At 256 small packs and at 64 others, with an hour of time. A commit reads no object, so it costs what it costs
    /// however many packs there are; who fetches opens each, some milliseconds in all. A commit of one user has about
    /// 5 KB, and 256 such joined have twice the 128 KB that are small.
    #[must_use]
    pub fn new(cell: CellName) -> Self {
        Self {
            cell,
            small: 128 * 1_024,
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
    /// How many of them are not small, counted.
    pub others: usize,
    /// How many times the small packs were joined.
    pub joins: u64,
    /// How many times the others were.
    pub repacks: u64,
    /// How many times that failed since it last went well.
    pub failures: u64,
}

/// Publishing waits when there are this many times the small packs at which they are joined: each costs every reader a file.
const CEILING: usize = 8;

/// Nobody has committed for so long: what was set aside can be removed.
const QUIET: Duration = Duration::from_secs(60);

/// As many packs set aside are removed in any case: about 200 MB.
const ASIDE: usize = 16_384;

/// How many files are removed at once, and the pause after them: a commit waits for the file system's journal, and that
/// for the blocks which are freed (with the mount option `discard`, one by one).
const SWEPT: (usize, Duration) = (128, Duration::from_millis(50));

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
        let (packs, small) = count(&repository, &config);
        let status = Arc::new(watch::Sender::new(MaintenanceStatus {
            packs,
            others: packs - small,
            ..MaintenanceStatus::default()
        }));
        let ceiling = config.packs * CEILING;
        let keeper = Keeper {
            repository,
            config,
            health,
            wake: Arc::clone(&wake),
            status: Arc::clone(&status),
            threshold: 0,
            aside: 0,
            large_failed: false,
        };
        let task = tokio::spawn(keeper.follow());
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
            .wait_for(|status| status.packs - status.others < self.ceiling || status.failures > 0)
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

/// Who looks after a repository.
struct Keeper {
    repository: CellRepository,
    config: MaintenanceConfig,
    health: Health,
    wake: Arc<Notify>,
    status: Arc<watch::Sender<MaintenanceStatus>>,
    /// The small packs are joined when there are this many packs.
    threshold: usize,
    /// How many packs were set aside and not removed yet.
    aside: usize,
    /// True if the large packs could not be joined when that was last tried.
    large_failed: bool,
}

impl Keeper {
    async fn follow(mut self) {
        // Dropped with this, it ends.
        let mut large: JoinSet<Result<usize>> = JoinSet::new();
        let mut sweeping: JoinSet<()> = JoinSet::new();
        self.count();
        // What an ended process set aside.
        sweeping.spawn(self.sweep());
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                Some(outcome) = large.join_next() => self.repacked(outcome),
                Some(_) = sweeping.join_next() => {}
                () = sleep(QUIET), if self.aside > 0 && sweeping.is_empty() => {
                    sweeping.spawn(self.sweep());
                }
            }
            if self.status.borrow().packs >= self.threshold {
                // Packs that others joined or made count too.
                let (packs, small) = count(&self.repository, &self.config);
                self.note(packs, small);
            }
            if self.status.borrow().packs >= self.threshold {
                let others = self.join().await;
                if others >= self.config.others && large.is_empty() {
                    let (repository, config) = (self.repository.clone(), self.config.clone());
                    large.spawn(async move { join_large_packs(&repository, &config).await });
                }
            }
            if self.aside >= ASIDE && sweeping.is_empty() {
                sweeping.spawn(self.sweep());
            }
            let packs = self.status.borrow().packs;
            let cell = self.config.cell.to_string();
            metrics::gauge!("coditect_renderer_packs", "cell" => cell).set(packs as f64);
        }
    }

    /// Counts the packs, and returns how many are not small.
    fn count(&mut self) -> usize {
        let (packs, small) = count(&self.repository, &self.config);
        self.threshold = packs - small + self.config.packs;
        self.note(packs, small);
        packs - small
    }

    fn note(&self, packs: usize, small: usize) {
        self.status
            .send_modify(|status| (status.packs, status.others) = (packs, packs - small));
    }

    /// Joins the small packs. Returns how many others there are.
    async fn join(&mut self) -> usize {
        loop {
            let outcome = join_small_packs(&self.repository, &self.config).await;
            let others = self.count();
            match outcome {
                Ok(joined) => {
                    self.aside += joined;
                    self.went_well(|status| status.joins += u64::from(joined > 0));
                    if joined == join::AT_ONCE {
                        continue;
                    }
                }
                Err(error) => {
                    // As many more come together before it is tried again.
                    self.threshold = self.status.borrow().packs + self.config.packs;
                    self.failed(error);
                }
            }
            return others;
        }
    }

    /// The large packs were joined, or not.
    fn repacked(&mut self, outcome: Result<Result<usize>, JoinError>) {
        self.count();
        self.large_failed = !matches!(outcome, Ok(Ok(_)));
        match outcome {
            Ok(Ok(joined)) => {
                self.aside += joined;
                self.went_well(|status| status.repacks += u64::from(joined > 0));
            }
            Ok(Err(error)) => self.failed(error),
            Err(error) => self.failed(Error::unusable(self.repository.path(), error.to_string())),
        }
    }

    fn went_well(&self, note: impl FnOnce(&mut MaintenanceStatus)) {
        self.status.send_modify(note);
        if self.large_failed {
            return;
        }
        self.status.send_modify(|status| status.failures = 0);
        let packs = self.status.borrow().packs;
        self.health.ok(self.part(), format!("{packs} packs"));
    }

    fn failed(&self, error: Error) {
        self.status.send_modify(|status| status.failures += 1);
        let packs = self.status.borrow().packs;
        let said = coditect_core::Error::from(error).chain();
        tracing::warn!(cell = %self.config.cell, packs, "packs could not be joined: {said}");
        self.health.degraded(
            self.part(),
            format!("{packs} packs could not be joined: {said}; tried again later"),
        );
    }

    fn part(&self) -> String {
        format!("maintenance/{}", self.config.cell)
    }

    /// Removes what was set aside, a little at a time.
    fn sweep(&mut self) -> impl Future<Output = ()> + use<> {
        self.aside = 0;
        let (path, cell) = (
            self.repository.path().to_path_buf(),
            self.config.cell.clone(),
        );
        let (files, pause) = SWEPT;
        async move {
            loop {
                let path = path.clone();
                match spawn_blocking(move || packs::sweep(&path, files)).await {
                    Ok(Ok(true)) => sleep(pause).await,
                    Ok(Err(error)) => {
                        let said = coditect_core::Error::from(error).chain();
                        tracing::warn!(%cell, "packs that were joined could not be removed: {said}");
                        return;
                    }
                    _ => return,
                }
            }
        }
    }
}

/// How many packs there are, and how many small ones among them; none if that cannot be told now.
fn count(repository: &CellRepository, config: &MaintenanceConfig) -> (usize, usize) {
    let packs = Packs::of(repository.path(), config.small).unwrap_or_default();
    (packs.count, packs.small.len())
}

/// Joins the packs of single commits now, 512 at most, and sets them aside to be removed when nobody commits; returns
/// how many.
///
/// # Errors
/// If something cannot be read or written, or it takes longer than the limit. The repository is whole in any case.
pub async fn join_small_packs(
    repository: &CellRepository,
    config: &MaintenanceConfig,
) -> Result<usize> {
    let path = repository.path().to_path_buf();
    let (small, limit) = (config.small, config.limit);
    let joined = spawn_blocking(move || join::join(&path, small, limit)).await;
    let joined =
        joined.map_err(|error| Error::unusable(repository.path(), error.to_string()))??;
    reopen(repository).await?;
    Ok(joined)
}

/// Joins the other packs now, as far as they are to be, and sets them aside; returns how many.
///
/// # Errors
/// If `git pack-objects` fails or takes longer than the limit. The repository is whole in any case.
pub async fn join_large_packs(
    repository: &CellRepository,
    config: &MaintenanceConfig,
) -> Result<usize> {
    let joined = repack::repack(repository.path(), config.small, config.limit).await?;
    reopen(repository).await?;
    Ok(joined)
}

/// libgit2 keeps packs open that are gone, and would look into each of them forever.
async fn reopen(repository: &CellRepository) -> Result<()> {
    let repository = repository.clone();
    spawn_blocking(move || repository.reopen())
        .await
        .unwrap_or(Ok(()))
}
