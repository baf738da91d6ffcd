//! What a lease's holder does: takes over, reconciles in full, then follows the change feed.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::{Epoch, Error, Fence, RequestId, Result, UserId, Version, health::Health};
use coditect_registry::{
    Registry,
    operation::{NoteCommitted, TrimFeed},
};
use jiff::Timestamp;
use tokio::{runtime::Handle, sync::watch, task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    budget::{Budget, WINDOW},
    commit::{Committer, Outcome, Refused},
    git::{CellRepository, Checkpoint, Occasion, State},
    inputs::Inputs,
    load::{self, Work},
    restored,
    service::{Beside, Settings, part},
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

/// Rows noted in one transaction.
const NOTED: usize = 256;
/// How long between trims of the feed.
const TRIM: Duration = Duration::from_secs(10);
/// How long a deletion above the budget waits before it is tried again.
const RETRY: Duration = Duration::from_secs(30);

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
    trimmed: Instant,
    retried: Instant,
    beside: Arc<Beside>,
}

impl Leader {
    pub(crate) async fn open(
        registry: Registry,
        settings: Settings,
        inputs: watch::Receiver<Arc<Inputs>>,
        health: Health,
        fence: Fence,
        beside: Arc<Beside>,
    ) -> Result<Self> {
        let (path, cell, runtime, theirs) = (
            settings.repository.clone(),
            settings.cell.clone(),
            Handle::current(),
            registry.clone(),
        );
        let (committer, state, intact) = blocking(move || {
            let repository = CellRepository::open_or_create(path)?;
            let head = repository.head()?;
            let mut budget = Budget::default();
            let tree = match &head {
                None => crate::git::ShardTree::empty(),
                Some(head) => {
                    let since = Timestamp::now()
                        .saturating_sub(WINDOW)
                        .unwrap_or(Timestamp::MIN);
                    for spent in repository.deletion_log(head.commit, since)? {
                        budget.note(spent.at, spent.unrequested, spent.requested);
                    }
                    repository.tree(head.commit)?
                }
            };
            let (commit, state, intact) = head.map_or((None, None, true), |head| {
                (Some(head.commit), head.state, head.intact)
            });
            let checkpoint = state
                .as_ref()
                .filter(|_| intact)
                .map(|state: &State| state.checkpoint.clone());
            let committer = Committer {
                repository,
                registry: theirs,
                cell,
                head: commit,
                tree,
                checkpoint,
                budget,
                runtime,
            };
            Ok((committer, state, intact))
        })
        .await?;
        let published = state
            .as_ref()
            .map_or(Version(0), |state| state.checkpoint.version);
        let current = Arc::clone(&inputs.borrow());
        Ok(Self {
            registry,
            settings,
            inputs,
            current,
            health,
            fence,
            committer: Some(committer),
            state,
            intact,
            version: published,
            published,
            epoch: None,
            waiting: BTreeSet::new(),
            orphans: BTreeSet::new(),
            failed: BTreeSet::new(),
            trimmed: Instant::now(),
            retried: Instant::now(),
            beside,
        })
    }

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
            if !self.follow_once().await? {
                // Nothing to do: wait to be told, or look again by the clock.
                let waited = tokio::select! {
                    () = stop.cancelled() => return Ok(Ended::Stopped),
                    changed = self.inputs.changed() => {
                        if changed.is_err() {
                            return Ok(Ended::Stopped);
                        }
                        self.full(Occasion::FullReconcile).await?;
                        continue;
                    }
                    waited = timeout(self.settings.poll, self.registry.changed(&self.settings.cell, signal)) => waited,
                };
                match waited {
                    Ok(changed) => changed?,
                    Err(_) => self.look_around().await?,
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

    /// Renders every user with the newest inputs and commits what differs.
    async fn full(&mut self, occasion: Occasion) -> Result<Summary, Stop> {
        let started = Instant::now();
        let cell = self.settings.cell.clone();
        self.health.ok(part(&cell), "reconciles in full");
        self.current = Arc::clone(&self.inputs.borrow_and_update());
        let tree = self.committer()?.tree.clone();
        let mut work = load::everything(&self.registry, &cell, &tree).await?;
        let last = self.committer()?.checkpoint.clone();
        let last = last.or_else(|| self.state.as_ref().map(|state| state.checkpoint.clone()));
        if let Some(last) = last
            && restored::is_older(&last, work.epoch, work.version)
        {
            let repository = self.committer()?.repository.clone();
            restored::bury_what_git_remembers(&self.registry, repository, &cell, last.epoch)
                .await?;
            work = load::everything(&self.registry, &cell, &tree).await?;
        }
        let loaded = started.elapsed();
        let epoch = work
            .epoch
            .ok_or_else(|| Error::internal("the registry has no epoch"))?;
        let version = work.version;
        self.epoch = Some(epoch);
        let checkpoint = self.checkpoint(epoch, version);
        let outcome = self.commit(work, checkpoint, occasion).await?;
        if outcome.commit.is_some() {
            self.published = version;
        }
        let mut summary = Summary {
            users: outcome.rendered,
            files: outcome.files,
            commit: outcome.commit.map(|commit| commit.to_string()),
            load: loaded,
            commits: started.elapsed() - loaded,
            total: Duration::ZERO,
        };
        self.waiting.clear();
        self.orphans.clear();
        self.failed.clear();
        self.note(outcome).await?;
        self.version = version;
        summary.total = started.elapsed();
        metrics::histogram!("coditect_renderer_full_reconcile_seconds", "cell" => cell.to_string())
            .record(summary.total.as_secs_f64());
        tracing::info!(%cell, users = summary.users, files = summary.files, took = ?summary.total, "reconciled in full");
        Ok(summary)
    }

    /// Commits the next changes of the feed; false if there were none.
    async fn follow_once(&mut self) -> Result<bool, Stop> {
        let retry = if self.retried.elapsed() >= RETRY {
            self.retried = Instant::now();
            std::mem::take(&mut self.waiting)
        } else {
            BTreeSet::new()
        };
        let work = load::changes(&self.registry, &self.settings.cell, self.version, &retry).await?;
        if work.epoch != self.epoch || work.floor > self.version {
            tracing::warn!(cell = %self.settings.cell, "the registry began a new epoch or its feed a later page; rendering everything again");
            self.full(Occasion::FullReconcile).await?;
            return Ok(true);
        }
        let (version, more) = (work.version, work.more);
        if work.rows.is_empty() && work.gone.is_empty() && work.orphans.is_empty() {
            self.version = version;
            return Ok(more);
        }
        let started = Instant::now();
        let epoch = work
            .epoch
            .ok_or_else(|| Error::internal("the registry has no epoch"))?;
        let checkpoint = self.checkpoint(epoch, version);
        for user in work
            .rows
            .iter()
            .map(|row| row.intent.user)
            .chain(work.gone.iter().map(|(user, _)| *user))
        {
            self.orphans.remove(&user);
            self.failed.remove(&user);
        }
        let outcome = self.commit(work, checkpoint, Occasion::Changes).await?;
        let published = outcome.commit.is_some();
        self.note(outcome).await?;
        self.version = version;
        if published {
            self.published = version;
        }
        metrics::histogram!("coditect_renderer_flush_seconds")
            .record(started.elapsed().as_secs_f64());
        Ok(true)
    }

    /// What nobody tells us: a branch changed by hand, a feed that can be trimmed.
    async fn look_around(&mut self) -> Result<(), Stop> {
        let committer = self.committer()?;
        let (repository, expected) = (committer.repository.clone(), committer.head);
        if blocking(move || Ok(repository.head_commit()?)).await? != expected {
            return Err(Stop::Moved);
        }
        if self.trimmed.elapsed() >= TRIM {
            self.trimmed = Instant::now();
            let trim = TrimFeed {
                cell: self.settings.cell.clone(),
                until: self.published,
                at: Timestamp::now(),
            };
            self.registry.apply(RequestId::random(), &trim).await?;
        }
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

    /// Tells the registry what Git holds now, and remembers what must be looked at again.
    async fn note(&mut self, outcome: Outcome) -> Result<(), Stop> {
        let at = Timestamp::now();
        let head = self.committer()?.head;
        if let Some(commit) = outcome.commit.or(head) {
            for row in outcome.landed.iter().filter(|_| outcome.commit.is_some()) {
                let seconds = at.duration_since(row.changed_at).as_secs_f64().max(0.0);
                metrics::histogram!("coditect_renderer_request_to_commit_seconds").record(seconds);
            }
            for rows in outcome.landed.chunks(NOTED) {
                let note = NoteCommitted {
                    cell: self.settings.cell.clone(),
                    commit: commit.to_string(),
                    rows: rows.to_vec(),
                    at,
                };
                self.registry.apply(RequestId::random(), &note).await?;
            }
        }
        self.waiting.extend(outcome.waiting);
        self.orphans.extend(outcome.orphans);
        for (user, why) in &outcome.failed {
            tracing::error!(%user, why, "cannot be rendered; the last good file stands");
        }
        self.failed.extend(outcome.failed.into_keys());
        Ok(())
    }

    fn report(&self) {
        let cell = self.settings.cell.to_string();
        #[allow(clippy::cast_precision_loss, reason = "a gauge")]
        for (name, count) in [
            ("coditect_renderer_deletions_waiting", self.waiting.len()),
            ("coditect_renderer_orphans", self.orphans.len()),
            ("coditect_renderer_users_failed", self.failed.len()),
            (
                "coditect_renderer_users",
                self.committer
                    .as_ref()
                    .map_or(0, |committer| committer.tree.len()),
            ),
        ] {
            metrics::gauge!(name, "cell" => cell.clone()).set(count as f64);
        }
        let leads = format!("leads under fence {}", self.fence);
        let mut troubles = Vec::new();
        if !self.waiting.is_empty() {
            troubles.push(format!(
                "{} deletion(s) above the hour's budget wait",
                self.waiting.len()
            ));
        }
        if !self.orphans.is_empty() {
            troubles.push(format!(
                "{} user(s) in Git of whom the registry knows nothing are kept",
                self.orphans.len()
            ));
        }
        if !self.failed.is_empty() {
            troubles.push(format!(
                "{} user(s) cannot be rendered; their last good files stand",
                self.failed.len()
            ));
        }
        let alarming = self.committer.as_ref().is_some_and(|committer| {
            committer
                .budget
                .alarming(Timestamp::now(), committer.tree.len() as u64)
        });
        if alarming {
            troubles.push("people ask for unusually many deletions".into());
        }
        if troubles.is_empty() {
            self.health.ok(part(&self.settings.cell), leads);
        } else {
            self.health.degraded(
                part(&self.settings.cell),
                format!("{leads}; {}", troubles.join("; ")),
            );
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
