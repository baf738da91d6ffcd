//! Who is suspended, and who is warned: decided from what the registry holds, at a given time.

mod idle;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use coditect_core::{Notice, Power, RequestId, Result, UserId, WorkspaceId};
use coditect_registry::{
    operation::{Meter, Suspend, month_of},
    query::UserRuntime,
};
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use idle::{Decision, Use, decide};

use crate::{cell::Cell, wish};

/// Most workspaces that are metered in one transaction.
const METERED_AT_ONCE: usize = 200;

/// Decides until `stop`.
pub(crate) async fn run(cell: Arc<Cell>, stop: CancellationToken) {
    let mut decider = Decider {
        used: BTreeMap::new(),
        month: String::new(),
        counted_at: Timestamp::UNIX_EPOCH,
        meter: Instant::now(),
        cell,
    };
    let mut tick = interval(decider.cell.settings.decide);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = decider.step().await {
            tracing::warn!(cell = %decider.cell.settings.cell, error = %error.chain(), "decisions wait for the registry");
        }
    }
}

struct Decider {
    cell: Arc<Cell>,
    /// Seconds used this month, as of the newest metering.
    used: BTreeMap<UserId, u64>,
    month: String,
    counted_at: Timestamp,
    meter: Instant,
}

impl Decider {
    async fn step(&mut self) -> Result<()> {
        let held = self.cell.summary().is_none_or(|summary| summary.held);
        if !self.cell.world().is_known() || held {
            // Nobody runs in a held cell, and nobody is to lose their place for that.
            return Ok(());
        }
        let now = Timestamp::now();
        // What was used last month says nothing about this one.
        if Instant::now() >= self.meter || month_of(now) != self.month {
            self.meter(now).await?;
            self.meter = Instant::now() + self.cell.settings.meter;
        }
        let activities = {
            let mut view = self.cell.registry.view().await?;
            view.activities(&self.cell.settings.cell).await?
        };
        let catalogue = Arc::clone(&self.cell.catalogue.borrow());
        let mut told: BTreeMap<WorkspaceId, Vec<Notice>> = BTreeMap::new();
        let mut suspended = Vec::new();
        for user in self.running() {
            let intent = &user.row.intent;
            let Some(entitlement) = catalogue.entitlement(intent.tenant, &intent.plan) else {
                continue;
            };
            let used = self.used.get(&intent.user).copied().unwrap_or_default();
            for workspace in &user.workspaces {
                if wish::replicas(intent, workspace, &self.cell.restarting()) == 0 {
                    continue;
                }
                let is_used = Use {
                    since: workspace.power.since,
                    activity: activities.get(&workspace.id).copied(),
                    runs: self.runs((intent.user, workspace.id)),
                    seconds_this_month: used,
                    counted_at: self.counted_at,
                };
                let decision = decide(&entitlement.limits, &is_used, now);
                if !decision.notices.is_empty() {
                    told.insert(workspace.id, decision.notices);
                }
                if let Some(cause) = decision.suspend {
                    suspended.push(Suspend {
                        cell: self.cell.settings.cell.clone(),
                        workspace: workspace.id,
                        seen: workspace.power.since,
                        cause,
                        at: now,
                    });
                }
            }
        }
        self.tell(told);
        for suspend in suspended {
            let done = self
                .cell
                .registry
                .apply(RequestId::random(), &suspend)
                .await?;
            if done {
                tracing::info!(cell = %self.cell.settings.cell, workspace = %suspend.workspace, cause = ?suspend.cause, "suspended");
                metrics::counter!("coditect_observer_suspensions_total", "cell" => self.cell.name(), "cause" => format!("{:?}", suspend.cause).to_lowercase())
                    .increment(1);
            }
        }
        Ok(())
    }

    /// Users with a workspace that is on.
    fn running(&self) -> Vec<Arc<UserRuntime>> {
        let on = |user: &&Arc<UserRuntime>| {
            let mut workspaces = user.workspaces.iter();
            workspaces.any(|workspace| workspace.power.power == Power::On)
        };
        self.cell.rows().values().filter(on).cloned().collect()
    }

    fn runs(&self, id: (UserId, WorkspaceId)) -> bool {
        let world = self.cell.world();
        world.pods_of(id).any(|pod| pod.ready)
    }

    /// Puts what is to be told in the place of what was told, and has those looked at for whom it differs.
    fn tell(&self, told: BTreeMap<WorkspaceId, Vec<Notice>>) {
        let mut notices = self.cell.notices();
        let differ = |workspace: &WorkspaceId| notices.get(workspace) != told.get(workspace);
        let all: BTreeSet<WorkspaceId> = notices.keys().chain(told.keys()).copied().collect();
        let changed: BTreeSet<WorkspaceId> = all.into_iter().filter(differ).collect();
        *notices = told;
        drop(notices);
        if !changed.is_empty() {
            let rows = self.cell.rows();
            let of = |user: &&Arc<UserRuntime>| {
                user.workspaces.iter().any(|one| changed.contains(&one.id))
            };
            let users: Vec<UserId> = rows
                .values()
                .filter(of)
                .map(|user| user.row.intent.user)
                .collect();
            drop(rows);
            self.cell.touch_users(users);
        }
    }

    /// Counts what ran since the last time, and reads anew how much that is.
    async fn meter(&mut self, now: Timestamp) -> Result<()> {
        let mut running = Vec::new();
        let users = self.running();
        for user in &users {
            let id = user.row.intent.user;
            let ids = user.workspaces.iter().map(|workspace| workspace.id);
            running.extend(ids.filter(|workspace| self.runs((id, *workspace))));
        }
        for part in running.chunks(METERED_AT_ONCE) {
            let meter = Meter {
                cell: self.cell.settings.cell.clone(),
                workspaces: part.to_vec(),
                until: now,
                at: now,
            };
            self.cell
                .registry
                .apply(RequestId::random(), &meter)
                .await?;
        }
        self.counted_at = now;
        let month = month_of(now);
        if month != self.month {
            self.used.clear();
            self.month.clone_from(&month);
        }
        for part in users.chunks(METERED_AT_ONCE) {
            let mut view = self.cell.registry.view().await?;
            for user in part {
                let id = user.row.intent.user;
                self.used.insert(id, view.usage_seconds(id, &month).await?);
            }
        }
        Ok(())
    }
}
