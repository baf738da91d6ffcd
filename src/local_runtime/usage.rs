//! What follows from how the workspaces of this machine are used, as their gateways say: the observer's own rules.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::{Catalogue, CellName, Notice, RequestId, Result, UserId, WorkspaceId};
use coditect_observer::decide::{Use, decide};
use coditect_registry::{
    Registry,
    operation::{Meter, Suspend, month_of},
    query::UserRuntime,
};
use jiff::{SignedDuration, Timestamp};

/// How often running time is counted.
const METER: SignedDuration = SignedDuration::from_secs(60);
/// Most workspaces that are metered in one transaction.
const METERED_AT_ONCE: usize = 200;

/// What is known of use.
pub(crate) struct Usage {
    cell: CellName,
    registry: Registry,
    /// Seconds used this month, as of the newest metering.
    used: BTreeMap<UserId, u64>,
    counted_at: Timestamp,
}

impl Usage {
    pub(crate) fn new(cell: CellName, registry: Registry) -> Self {
        Self {
            cell,
            registry,
            used: BTreeMap::new(),
            counted_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Counts time and suspends whom the rules say, among those that run and answer. Gives what the others are to be
    /// told.
    ///
    /// # Errors
    /// As the registry; what was not done is done the next time.
    pub(crate) async fn step(
        &mut self,
        users: &[UserRuntime],
        running: &BTreeSet<WorkspaceId>,
        policy: &Catalogue,
        now: Timestamp,
    ) -> Result<BTreeMap<WorkspaceId, Vec<Notice>>> {
        if now.duration_since(self.counted_at) >= METER {
            self.meter(users, running, now).await?;
        }
        let activities = {
            let mut view = self.registry.view().await?;
            view.activities(&self.cell).await?
        };
        let mut told = BTreeMap::new();
        for user in users {
            let intent = &user.row.intent;
            let Some(entitlement) = policy.entitlement(intent.tenant, &intent.plan) else {
                continue;
            };
            for workspace in &user.workspaces {
                if !running.contains(&workspace.id) {
                    continue;
                }
                let is_used = Use {
                    since: workspace.power.since,
                    activity: activities.get(&workspace.id).copied(),
                    runs: true,
                    seconds_this_month: self.used.get(&intent.user).copied().unwrap_or_default(),
                    counted_at: self.counted_at,
                };
                let decision = decide(&entitlement.limits, &is_used, now);
                if let Some(cause) = decision.suspend {
                    let suspend = Suspend {
                        cell: self.cell.clone(),
                        workspace: workspace.id,
                        seen: workspace.power.since,
                        cause,
                        at: now,
                    };
                    if self.registry.apply(RequestId::random(), &suspend).await? {
                        tracing::info!(workspace = %workspace.id, ?cause, "suspended");
                    }
                }
                told.insert(workspace.id, decision.notices);
            }
        }
        Ok(told)
    }

    async fn meter(
        &mut self,
        users: &[UserRuntime],
        running: &BTreeSet<WorkspaceId>,
        now: Timestamp,
    ) -> Result<()> {
        let all: Vec<WorkspaceId> = running.iter().copied().collect();
        for part in all.chunks(METERED_AT_ONCE) {
            let meter = Meter {
                cell: self.cell.clone(),
                workspaces: part.to_vec(),
                until: now,
                at: now,
            };
            self.registry.apply(RequestId::random(), &meter).await?;
        }
        let runs = |user: &&UserRuntime| {
            let mut workspaces = user.workspaces.iter();
            workspaces.any(|workspace| running.contains(&workspace.id))
        };
        let mut view = self.registry.view().await?;
        let mut used = BTreeMap::new();
        for user in users.iter().filter(runs) {
            let user = user.row.intent.user;
            used.insert(user, view.usage_seconds(user, &month_of(now)).await?);
        }
        self.used = used;
        self.counted_at = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
