//! A renderer at work: holds one cell's lease and keeps the cell's repository what the registry wants.

use std::{path::PathBuf, sync::Arc, time::Duration};

use coditect_core::{CellName, Error, Fence, RequestId, Result, health::Health};
use coditect_registry::{
    Registry,
    operation::{Acquire, AcquireLease, ReleaseLease},
};
use jiff::Timestamp;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    git::{Maintenance, Mirror, Remote},
    inputs::Inputs,
    reconcile::{Ended, Leader},
    webhook::Webhook,
};

pub use crate::reconcile::Summary;

/// How one cell is rendered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which cell.
    pub cell: CellName,
    /// The cell's bare repository.
    pub repository: PathBuf,
    /// How long a lease lasts without renewal: how soon a successor takes over after a crash.
    pub lease: Duration,
    /// How often the head, waiting deletions and the feed are looked at without being told.
    pub poll: Duration,
    /// The hosted repository that is the place of truth; none if the cell's own is.
    pub remote: Option<Remote>,
}

impl Settings {
    /// The usual times for a cell: a lease of 10 s, a look every second.
    #[must_use]
    pub fn new(cell: CellName, repository: PathBuf) -> Self {
        Self {
            cell,
            repository,
            lease: Duration::from_secs(10),
            poll: Duration::from_secs(1),
            remote: None,
        }
    }
}

/// Longest pause between attempts after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Renders one cell until it is told to stop: stands by while somebody else holds the lease, leads while it
/// does, and tries again with growing pauses when something fails.
pub struct Service {
    registry: Registry,
    settings: Settings,
    inputs: watch::Receiver<Arc<Inputs>>,
    health: Health,
    holder: Uuid,
    beside: Arc<Beside>,
}

/// What goes on beside publishing: the mirror, the upkeep of packs, and whoever else wants to know.
#[derive(Default)]
pub struct Beside {
    /// Keeps the number of packs small.
    pub maintenance: Option<Maintenance>,
    /// Pushes elsewhere.
    pub mirror: Option<Mirror>,
    /// Tells Argo CD.
    pub webhook: Option<Webhook>,
    /// Called after every publication; must return at once.
    pub told: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Beside {
    /// Returns when one more pack does no harm: nearly always at once.
    pub(crate) async fn room(&self) {
        if let Some(maintenance) = &self.maintenance {
            maintenance.room().await;
        }
    }

    pub(crate) fn published(&self) {
        if let Some(maintenance) = &self.maintenance {
            maintenance.published();
        }
        if let Some(mirror) = &self.mirror {
            mirror.published();
        }
        if let Some(webhook) = &self.webhook {
            webhook.published();
        }
        if let Some(told) = &self.told {
            told();
        }
    }
}

impl Service {
    /// A renderer of one cell. `inputs` gives the newest valid policy and templates.
    #[must_use]
    pub fn new(
        registry: Registry,
        settings: Settings,
        inputs: watch::Receiver<Arc<Inputs>>,
        health: Health,
    ) -> Self {
        Self {
            registry,
            settings,
            inputs,
            health,
            holder: Uuid::new_v4(),
            beside: Arc::default(),
        }
    }

    /// Asks for the lease under this id instead of a random one. For a process that knows by other means that no
    /// other one of its id lives (it has the registry's file to itself): started again after a crash, it goes on
    /// at once instead of waiting for its own lease to expire.
    #[must_use]
    pub const fn known_as(mut self, holder: Uuid) -> Self {
        self.holder = holder;
        self
    }

    /// Has these look after what is published.
    #[must_use]
    pub fn beside(mut self, beside: Beside) -> Self {
        self.beside = Arc::new(beside);
        self
    }

    /// Works until `stop`, then gives the lease back.
    pub async fn run(self, stop: CancellationToken) {
        let part = part(&self.settings.cell);
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            match self.acquire(Fence(0)).await {
                Ok(Acquire::Busy { until }) => {
                    self.health.ok(
                        &part,
                        format!("stands by; another renderer holds the lease until {until}"),
                    );
                    self.pause(self.settings.poll.min(self.settings.lease / 4), &stop)
                        .await;
                }
                Ok(Acquire::Held { fence }) => match self.lead(fence, &stop).await {
                    Ok(Ended::Stopped) => break,
                    Ok(Ended::Succeeded) => {
                        self.health.degraded(
                            &part,
                            "the branch or the lease was taken by somebody else; looks again",
                        );
                    }
                    Err(error) => {
                        metrics::counter!("coditect_renderer_failures_total", "cell" => self.settings.cell.to_string()).increment(1);
                        tracing::error!(cell = %self.settings.cell, error = %error.chain(), retry_in = ?pause, "cannot publish");
                        self.health.failing(
                            &part,
                            format!(
                                "{}; nothing is lost, next attempt in {} ms",
                                error.chain(),
                                pause.as_millis()
                            ),
                        );
                        self.pause(pause, &stop).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        continue;
                    }
                },
                Err(error) => {
                    tracing::error!(cell = %self.settings.cell, error = %error.chain(), "cannot ask for the lease");
                    self.health.failing(
                        &part,
                        format!("cannot ask for the lease: {}", error.chain()),
                    );
                    self.pause(pause, &stop).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            }
            pause = FIRST_PAUSE;
        }
        self.release().await;
    }

    /// Reconciles the cell in full, once: for a job that runs by the clock, or by hand. `None` if somebody
    /// else holds the lease or moves the branch meanwhile.
    ///
    /// # Errors
    /// `Unavailable` if the registry or the repository does not answer.
    pub async fn once(self) -> Result<Option<Summary>> {
        let Acquire::Held { fence } = self.acquire(Fence(0)).await? else {
            return Ok(None);
        };
        let work = async {
            match self.open(fence).await? {
                (Some(leader), fence) => tokio::select! {
                    done = leader.once() => done,
                    () = self.renew(fence) => Ok(None),
                },
                (None, _) => Ok(None),
            }
        };
        let done = work.await;
        self.release().await;
        done
    }

    async fn release(&self) {
        let release = ReleaseLease {
            cell: self.settings.cell.clone(),
            holder: self.holder,
            at: Timestamp::now(),
        };
        if let Err(error) = self.registry.apply(RequestId::random(), &release).await {
            tracing::warn!(error = %error.chain(), "the lease was not given back; it expires by itself");
        }
    }

    async fn acquire(&self, above: Fence) -> Result<Acquire> {
        let acquire = AcquireLease {
            cell: self.settings.cell.clone(),
            holder: self.holder,
            above,
            duration: self.settings.lease,
            at: Timestamp::now(),
        };
        self.registry.apply(RequestId::random(), &acquire).await
    }

    async fn pause(&self, time: Duration, stop: &CancellationToken) {
        tokio::select! {
            () = sleep(time) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Leads under a fence: renews the lease beside the work, and stops working when it is gone.
    async fn lead(&self, fence: Fence, stop: &CancellationToken) -> Result<Ended> {
        // However often the branch is lost to somebody else, a hosted remote is not pushed to more often.
        if let Some(wait) = self.settings.remote.as_ref().and_then(Remote::pause) {
            tokio::select! {
                () = self.pause(wait, stop) => {}
                () = self.renew(fence) => return Ok(Ended::Succeeded),
            }
            if stop.is_cancelled() {
                return Ok(Ended::Stopped);
            }
        }
        let (leader, fence) = self.open(fence).await?;
        let Some(leader) = leader else {
            return Ok(Ended::Succeeded);
        };
        tokio::select! {
            ended = leader.run(stop) => ended,
            () = self.renew(fence) => Ok(Ended::Succeeded),
        }
    }

    /// Opens the repository. If its head carries a higher fence than ours, either somebody succeeded us, and
    /// the registry says so, or the registry was restored and has forgotten fences: then ours rises above it.
    async fn open(&self, fence: Fence) -> Result<(Option<Leader>, Fence)> {
        let mut fence = fence;
        loop {
            let leader = Leader::open(
                self.registry.clone(),
                self.settings.clone(),
                self.inputs.clone(),
                self.health.clone(),
                fence,
                Arc::clone(&self.beside),
            )
            .await?;
            let above = leader.fence_of_head();
            if above <= fence {
                return Ok((Some(leader), fence));
            }
            match self.acquire(above).await? {
                Acquire::Held { fence: higher } if higher > above => fence = higher,
                Acquire::Held { .. } => {
                    return Err(Error::internal(
                        "the registry gave a fence that is not above the repository's",
                    ));
                }
                Acquire::Busy { .. } => return Ok((None, fence)),
            }
        }
    }

    /// Returns when the lease is no longer ours under `fence`.
    async fn renew(&self, fence: Fence) {
        loop {
            sleep(self.settings.lease / 3).await;
            match self.acquire(Fence(0)).await {
                Ok(Acquire::Held { fence: now }) if now == fence => {}
                Ok(_) => return,
                // The fence guards the branch; without the registry there is nothing to render from anyway.
                Err(error) => {
                    tracing::warn!(error = %error.chain(), "the lease could not be renewed")
                }
            }
        }
    }
}

/// The name under which a cell's renderer posts its health.
pub(crate) fn part(cell: &CellName) -> String {
    format!("renderer/{cell}")
}
