//! The two kinds of work: everybody, and who changed.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::{Error, RequestId};
use coditect_registry::operation::TrimFeed;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::{Leader, Stop, Summary, blocking};
use crate::{git::Occasion, load, restored, service::part};

/// How many cells of this process are loaded whole at a time: what bounds its memory when it leads many.
static WHOLE_CELLS: Semaphore = Semaphore::const_new(2);
/// How long between trims of the feed.
const TRIM: Duration = Duration::from_secs(10);
/// How long a deletion above the budget waits before it is tried again.
const RETRY: Duration = Duration::from_secs(30);

impl Leader {
    /// Renders every user with the newest inputs and commits what differs.
    pub(super) async fn full(&mut self, occasion: Occasion) -> Result<Summary, Stop> {
        let started = Instant::now();
        let cell = self.settings.cell.clone();
        self.health.ok(part(&cell), "reconciles in full");
        let _turn = WHOLE_CELLS
            .acquire()
            .await
            .map_err(|error| Error::internal("no turn to reconcile").because(error))?;
        self.current = Arc::clone(&self.inputs.borrow_and_update());
        let tree = self.committer()?.tree.clone();
        let mut work = load::everything(&self.registry, &cell, &tree).await?;
        let last = self.committer()?.checkpoint.clone();
        let last = last.or_else(|| self.state.as_ref().map(|state| state.checkpoint.clone()));
        if let Some(last) = last
            && let Some(age) = restored::age(&last, &work)
        {
            let repository = self.committer()?.repository.clone();
            restored::bury_what_git_remembers(&self.registry, repository, &cell, age).await?;
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
        self.quarantined.clear();
        self.awaiting.clear();
        self.note(outcome).await?;
        self.version = version;
        summary.total = started.elapsed();
        metrics::histogram!("coditect_renderer_full_reconcile_seconds", "cell" => cell.to_string())
            .record(summary.total.as_secs_f64());
        tracing::info!(%cell, users = summary.users, files = summary.files, took = ?summary.total, "reconciled in full");
        Ok(summary)
    }

    /// Commits the next changes of the feed; false if there were none.
    pub(super) async fn follow_once(&mut self) -> Result<bool, Stop> {
        let retry = if self.retried.elapsed() >= RETRY {
            self.retried = Instant::now();
            std::mem::take(&mut self.waiting)
        } else {
            BTreeSet::new()
        };
        let work = load::changes(&self.registry, &self.settings.cell, self.version, &retry).await?;
        if work.epoch != self.epoch
            || work.floor > self.version
            || work.registry_version < self.version
        {
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
            self.quarantined.remove(&user);
            self.awaiting.remove(&user);
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
    pub(super) async fn look_around(&mut self) -> Result<(), Stop> {
        self.looked = Instant::now();
        let committer = self.committer()?;
        let (repository, expected) = (committer.repository.clone(), committer.head);
        if blocking(move || Ok(repository.head_commit()?)).await? != expected {
            return Err(Stop::Moved);
        }
        if self.settings.remote.is_some() {
            self.look_at_remote().await?;
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

    /// Whether somebody else wrote to the remote: asked as seldom as it is pushed to.
    async fn look_at_remote(&mut self) -> Result<(), Stop> {
        let Some(remote) = self.settings.remote.clone() else {
            return Ok(());
        };
        if self.asked.elapsed() < remote.interval() {
            return Ok(());
        }
        self.asked = Instant::now();
        let committer = self.committer()?;
        match remote.head(committer.repository.path()).await {
            Ok(head) if head != committer.head => return Err(Stop::Moved),
            Ok(_) => self.silent = None,
            // Nothing is to be pushed now. When something is, this is a failure.
            Err(error) => self.silent = Some(error.chain()),
        }
        Ok(())
    }
}
