//! What a lease's holder does: takes over, reconciles in full, then follows the change feed.

mod open;
mod report;
mod work;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::{Epoch, Error, Fence, Result, UserId, Version, health::Health};
use coditect_registry::Registry;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    commit::{Committer, Outcome, Refused},
    git::{CellRepository, Checkpoint, Occasion, Remote, State},
    inputs::Inputs,
    load::Work,
    quarantine::Stands,
    service::{Beside, Settings},
};

/// How a lead ended without an error.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was told to stop.
    Stopped,
    /// Another renderer leads now.
    Succeeded,
}

/// What a full reconcile did and how long its parts took.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How many users were rendered.
    pub users: usize,
    /// How many files were made, changed or removed.
    pub files: u64,
    /// The commit, if there was anything to say.
    pub commit: Option<String>,
    /// Reading the registry.
    pub load: Duration,
    /// Rendering, checking, writing and publishing.
    pub commits: Duration,
    /// All of it, with noting in the registry what Git holds.
    pub total: Duration,
}

/// One cell's leader.
pub(crate) struct Leader {
    registry: Registry,
    settings: Settings,
    inputs: watch::Receiver<Arc<Inputs>>,
    /// What everybody in the repository was rendered with; replaced only by a full reconcile.
    current: Arc<Inputs>,
    health: Health,
    fence: Fence,
    /// Out while a commit is being made on another thread.
    committer: Option<Committer>,
    state: Option<State>,
    intact: bool,
    version: Version,
    published: Version,
    epoch: Option<Epoch>,
    waiting: BTreeSet<UserId>,
    orphans: BTreeSet<UserId>,
    failed: BTreeSet<UserId>,
    quarantined: BTreeMap<UserId, Stands>,
    /// Who waits for a person's approval.
    awaiting: BTreeSet<UserId>,
    looked: Instant,
    /// When the remote was last asked for its head.
    asked: Instant,
    /// Why the remote did not answer when it was last asked.
    silent: Option<String>,
    trimmed: Instant,
    retried: Instant,
    beside: Arc<Beside>,
}

impl Leader {
    /// The fencing number at the head; 0 if there is none.
    pub(crate) fn fence_of_head(&self) -> Fence {
        self.state
            .as_ref()
            .map_or(Fence(0), |state| state.checkpoint.fence)
    }

    pub(crate) async fn run(mut self, stop: &CancellationToken) -> Result<Ended> {
        match self.work(stop).await {
            Ok(ended) => Ok(ended),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Moved) => self.after_move().await,
        }
    }

    /// The branch moved under us. A higher fence there: another leads. Otherwise a person changed it by hand:
    /// the service opens everything anew and reconciles.
    async fn after_move(&mut self) -> Result<Ended> {
        let repository = CellRepository::open(self.settings.repository.clone());
        if let (Some(remote), Ok(repository)) = (&self.settings.remote, &repository) {
            remote.adopt(repository).await?;
        }
        let fence = blocking(move || {
            Ok(repository?
                .head()?
                .and_then(|head| head.state)
                .map(|state| state.checkpoint.fence))
        })
        .await?;
        if fence.is_some_and(|fence| fence > self.fence) {
            return Ok(Ended::Succeeded);
        }
        tracing::warn!(cell = %self.settings.cell, "the branch was changed by somebody else; rendering everything again");
        metrics::counter!("coditect_renderer_foreign_changes_total", "cell" => self.settings.cell.to_string()).increment(1);
        Ok(Ended::Succeeded)
    }

    async fn work(&mut self, stop: &CancellationToken) -> Result<Ended, Stop> {
        self.begin().await?;
        let mut signal = self.signal().await?;
        loop {
            self.report();
            // By the clock and before the feed, so that no rate of changes keeps a new policy, a branch
            // changed by hand or an untrimmed feed waiting.
            if self.looked.elapsed() >= self.settings.poll {
                self.look_around().await?;
            }
            // A hosted remote is not pushed to at any rate: what changes meanwhile shares the next push.
            if let Some(wait) = self.settings.remote.as_ref().and_then(Remote::pause) {
                tokio::select! {
                    () = stop.cancelled() => return Ok(Ended::Stopped),
                    () = sleep(wait.min(self.settings.poll)) => continue,
                }
            }
            match self.inputs.has_changed() {
                Ok(false) => {}
                Ok(true) => drop(self.full(Occasion::FullReconcile).await?),
                Err(_) => return Ok(Ended::Stopped),
            }
            if !self.follow_once().await? {
                // Nothing to do: wait to be told, or look again by the clock.
                let waited = tokio::select! {
                    () = stop.cancelled() => return Ok(Ended::Stopped),
                    changed = self.inputs.changed() => {
                        if changed.is_err() {
                            return Ok(Ended::Stopped);
                        }
                        // Seen at the top of the loop.
                        self.inputs.mark_changed();
                        continue;
                    }
                    waited = timeout(self.settings.poll, self.registry.changed(&self.settings.cell, signal)) => waited,
                };
                if let Ok(changed) = waited {
                    changed?;
                }
                signal = self.signal().await?;
            } else if stop.is_cancelled() {
                return Ok(Ended::Stopped);
            }
        }
    }

    /// Takes over where the head is not ours, then renders everybody.
    async fn begin(&mut self) -> Result<Summary, Stop> {
        if !self.intact {
            tracing::warn!(cell = %self.settings.cell, "the head is not the renderer's own work; rendering everything again");
            metrics::counter!("coditect_renderer_foreign_changes_total", "cell" => self.settings.cell.to_string()).increment(1);
        }
        if self.fence_of_head() != self.fence || self.state.is_none() {
            self.take_over().await?;
        }
        self.full(if self.intact {
            Occasion::FullReconcile
        } else {
            Occasion::Repair
        })
        .await
    }

    /// One full reconcile and nothing more.
    pub(crate) async fn once(mut self) -> Result<Option<Summary>> {
        match self.begin().await {
            Ok(summary) => {
                self.report();
                Ok(Some(summary))
            }
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Moved) => Ok(None),
        }
    }

    /// The first commit of a new holder carries its fencing number, so that whatever an old one has prepared
    /// is refused. It changes no file and leaves the checkpoint's position as it was.
    async fn take_over(&mut self) -> Result<(), Stop> {
        let checkpoint = match &self.state {
            Some(state) => Checkpoint {
                fence: self.fence,
                ..state.checkpoint.clone()
            },
            None => {
                let epoch = self.registry.view().await?.epoch().await?;
                self.checkpoint(epoch, Version(0))
            }
        };
        self.commit(Work::default(), checkpoint, Occasion::TakeOver)
            .await?;
        tracing::info!(cell = %self.settings.cell, fence = %self.fence, "took over");
        Ok(())
    }

    async fn signal(&self) -> Result<i64, Stop> {
        Ok(self
            .registry
            .view()
            .await?
            .change_signal(&self.settings.cell)
            .await?)
    }

    fn checkpoint(&self, epoch: Epoch, version: Version) -> Checkpoint {
        let inputs = &self.current;
        Checkpoint {
            epoch,
            version,
            fence: self.fence,
            policy: inputs.commit,
            templates: inputs.templates(),
            engine: crate::ENGINE.to_string(),
        }
    }

    fn committer(&self) -> Result<&Committer> {
        self.committer
            .as_ref()
            .ok_or_else(|| Error::internal("a commit was abandoned; everything is opened anew"))
    }

    /// Makes a commit on a thread that may block.
    async fn commit(
        &mut self,
        work: Work,
        checkpoint: Checkpoint,
        occasion: Occasion,
    ) -> Result<Outcome, Stop> {
        self.committer()?;
        self.beside.room().await;
        let Some(mut committer) = self.committer.take() else {
            return Err(Stop::Moved);
        };
        let inputs = Arc::clone(&self.current);
        let done = spawn_blocking(move || {
            let outcome = committer.commit(work, &inputs, checkpoint, occasion);
            (committer, outcome)
        })
        .await;
        let (committer, outcome) =
            done.map_err(|error| Error::internal("a commit panicked").because(error))?;
        self.committer = Some(committer);
        match outcome {
            Ok(outcome) => {
                if outcome.commit.is_some() {
                    self.beside.published();
                }
                Ok(outcome)
            }
            Err(Refused::Moved) => Err(Stop::Moved),
            Err(Refused::Failed(error)) => Err(Stop::Failed(error)),
        }
    }
}

/// Why a lead cannot go on.
pub(crate) enum Stop {
    /// The branch is not where we left it.
    Moved,
    /// Something does not work now.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs what blocks on the disk on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("a background task panicked").because(error))?
}
