//! The reaper: removes the Namespace or volume of what has a tombstone, when Git no longer has it and its shard is
//! synced without it. One idempotent pass; what cannot go yet waits for the next.
//!
//! Argo CD never prunes Namespaces and volumes (`Prune=false`): an accident in Git costs nobody's files. This is
//! the only part of the product that removes them, under an identity of its own.

mod application;
mod budget;
mod cluster;
mod decide;
mod evidence;
mod report;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use coditect_core::{CellName, RequestId, Result, UserId, WorkspaceId, health::Health};
use coditect_registry::{Registry, operation::NoteReaped, record::ReapEntry};
use jiff::Timestamp;
use kube::Client;
use tokio_util::sync::CancellationToken;

pub use self::{
    budget::Allowance,
    cluster::TOMBSTONE,
    decide::{Decision, Evidence, Git, Live, MAY_STILL_COME, Shard, Tracked, Why, decide},
    report::{Outcome, Report, Row},
};
use self::{
    budget::Spent,
    cluster::{Found, Target},
    evidence::Proofs,
};

/// A cell's repository, to be asked what its newest commit holds.
#[async_trait]
pub trait Repository: Send + Sync {
    /// What the branch points at now.
    ///
    /// # Errors
    /// `Unavailable` if the repository does not answer or has no commit.
    async fn head(&self) -> Result<Box<dyn Head>>;
}

/// One commit of a cell's repository.
#[async_trait]
pub trait Head: Send + Sync {
    /// The commit, in hexadecimal.
    fn commit(&self) -> &str;

    /// True if it has anything of the user.
    ///
    /// # Errors
    /// `Unavailable` if the repository does not answer.
    async fn holds(&self, user: UserId) -> Result<bool>;

    /// True if it has a volume of the workspace, or if that cannot be told.
    ///
    /// # Errors
    /// `Unavailable` if the repository does not answer.
    async fn holds_volume(&self, user: UserId, workspace: WorkspaceId) -> Result<bool>;

    /// True if `revision` holds of the shard what this commit does.
    ///
    /// # Errors
    /// `Unavailable` if the repository does not answer.
    async fn same_shard(&self, revision: &str, shard: coditect_core::Shard) -> Result<bool> {
        let _ = shard;
        Ok(revision == self.commit())
    }
}

/// How many may go in an hour, in a cell of so many users.
type Allowing = Box<dyn Fn(usize) -> Allowance + Send + Sync>;

/// The reaper of one cell.
pub struct Reaper {
    registry: Registry,
    cell: CellName,
    client: Client,
    repository: Option<Arc<dyn Repository>>,
    allowing: Allowing,
    spent: Spent,
}

impl Reaper {
    /// A reaper with the budgets of the design: 3 or 1 % of the cell's users in an hour; 50 or 2 % of those that
    /// people themselves asked for.
    #[must_use]
    pub fn new(registry: Registry, cell: CellName, client: Client) -> Self {
        Self {
            registry,
            cell,
            client,
            repository: None,
            allowing: Box::new(|users| Allowance {
                routine: (users / 100).max(3),
                own: (users / 50).max(50),
            }),
            spent: Spent::default(),
        }
    }

    /// Asks this repository too. Without one Argo CD's own word that an object is no longer in Git is the proof;
    /// with one both are.
    #[must_use]
    pub fn asking(mut self, repository: Arc<dyn Repository>) -> Self {
        self.repository = Some(repository);
        self
    }

    /// Other budgets, by the number of the cell's users.
    #[must_use]
    pub fn allowing(
        mut self,
        allowing: impl Fn(usize) -> Allowance + Send + Sync + 'static,
    ) -> Self {
        self.allowing = Box::new(allowing);
        self
    }

    /// Looks once at everything that is to go, and removes what may. With `dry_run` nothing is changed.
    ///
    /// # Errors
    /// `Unavailable` if registry, repository, Argo CD or cluster do not answer, or answer short: then nothing
    /// more is removed.
    pub async fn pass(&mut self, now: Timestamp, dry_run: bool) -> Result<Report> {
        let proofs = Proofs::read(
            &self.registry,
            &self.cell,
            &self.client,
            self.repository.as_deref(),
        )
        .await?;
        let mut report = Report {
            cell: self.cell.clone(),
            at: now,
            dry_run,
            commit: proofs.commit(),
            users: proofs.users,
            allowance: (self.allowing)(proofs.users),
            rows: Vec::with_capacity(proofs.entries.len()),
        };
        let mut spent = self.spent.clone();
        for entry in &proofs.entries {
            let outcome = self
                .entry(&proofs, entry, &mut spent, report.allowance, now, dry_run)
                .await;
            if !dry_run {
                // Also when the rest fails: what was removed is spent.
                self.spent = spent.clone();
            }
            report.rows.push(Row {
                user: entry.user,
                workspace: entry.workspace,
                since: entry.at,
                outcome: outcome?,
            });
        }
        Ok(report)
    }

    async fn entry(
        &self,
        proofs: &Proofs,
        entry: &ReapEntry,
        spent: &mut Spent,
        allowance: Allowance,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<Outcome> {
        let target = Target::new(&self.client, entry.user, entry.workspace);
        let mut found: Found = target.find().await?;
        let mut evidence = proofs.of(entry, &found).await?;
        let requested = evidence
            .tombstone
            .as_ref()
            .is_some_and(|tombstone| tombstone.requested);
        evidence.budget = spent.leaves_room(allowance, requested, now);
        match decide(&evidence) {
            Decision::Wait(why) => Ok(Outcome::Waits(why)),
            Decision::Gone if dry_run => Ok(Outcome::Gone),
            Decision::Gone => {
                let gone = NoteReaped {
                    cell: self.cell.clone(),
                    id: entry.id(),
                    at: now,
                };
                self.registry.apply(RequestId::random(), &gone).await?;
                Ok(Outcome::Gone)
            }
            Decision::Annotate | Decision::Delete if dry_run => {
                spent.note(requested, now);
                Ok(Outcome::WouldRemove)
            }
            decision => {
                if decision == Decision::Annotate {
                    let value = proofs.reason(entry);
                    if let Err(why) = target.annotate(&mut found, &value).await {
                        return Ok(Outcome::Waits(why));
                    }
                    evidence.live.clone_from(&found.live);
                }
                if decide(&evidence) != Decision::Delete {
                    return Ok(Outcome::Waits(Why::Changed));
                }
                match target.delete(&found).await {
                    Ok(()) => {
                        spent.note(requested, now);
                        tracing::info!(
                            cell = %self.cell, user = %entry.user,
                            workspace = entry.workspace.map(tracing::field::display),
                            commit = proofs.commit(), "removed for its tombstone"
                        );
                        Ok(Outcome::Removed)
                    }
                    Err(why) => Ok(Outcome::Waits(why)),
                }
            }
        }
    }

    /// One pass after another until `stop`, and what it found on the board of `health`.
    pub async fn run(mut self, every: Duration, stop: CancellationToken, health: Health) {
        let part = format!("reaper/{}", self.cell);
        loop {
            match self.pass(Timestamp::now(), false).await {
                Ok(report) => {
                    measure(&report);
                    tell(&report, &part, &health);
                }
                Err(error) => {
                    tracing::warn!(cell = %self.cell, error = %error.chain(), "nothing is reaped");
                    health.degraded(&part, format!("{error}; tried again"));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// Sets the metrics of a pass.
pub fn measure(report: &Report) {
    let cell = report.cell.to_string();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    metrics::counter!("coditect_reaper_removed_total", "cell" => cell.clone())
        .increment(count(report.removed()));
    let gauge = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    metrics::gauge!("coditect_reaper_waiting_count", "cell" => cell.clone())
        .set(gauge(report.waiting()));
    metrics::gauge!("coditect_reaper_stuck_count", "cell" => cell)
        .set(gauge(report.stuck().count()));
}

fn tell(report: &Report, part: &str, health: &Health) {
    for row in report.stuck() {
        tracing::warn!(
            cell = %report.cell, object = row.object(), outcome = %row.outcome,
            "its removal does not end"
        );
    }
    let (stuck, refused) = (report.stuck().count(), report.refused());
    let waiting = report.waiting();
    if stuck + refused > 0 {
        health.degraded(
            part,
            format!("{stuck} removals do not end and {refused} were refused; `coditect reap --dry-run` says why"),
        );
    } else {
        health.ok(part, format!("{waiting} wait for their removal"));
    }
}
