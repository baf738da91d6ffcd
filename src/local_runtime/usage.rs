//! How the workspaces of this machine are used, and what follows from it: the observer's own rules.

use std::collections::BTreeMap;

use coditect_core::{
    Activity, Catalogue, CellName, Notice, RequestId, Result, UserId, WorkspaceId,
};
use coditect_observer::decide::{Use, decide};
use coditect_registry::{
    Registry,
    operation::{Meter, NoteActivity, Suspend, month_of},
    query::UserRuntime,
};
use jiff::{SignedDuration, Timestamp};

/// How often the use of what runs is reported, as a gateway does.
const REPORT: SignedDuration = SignedDuration::from_secs(30);
/// How often running time is counted.
const METER: SignedDuration = SignedDuration::from_secs(60);
/// Most workspaces that are metered in one transaction.
const METERED_AT_ONCE: usize = 200;

/// When a person last did something in each workspace that runs and answers.
pub(crate) type Inputs = BTreeMap<WorkspaceId, Option<Timestamp>>;

/// What is known of use.
pub(crate) struct Usage {
    cell: CellName,
    registry: Registry,
    /// What was reported last of what runs.
    reported: BTreeMap<WorkspaceId, Activity>,
    /// Seconds used this month, as of the newest metering.
    used: BTreeMap<UserId, u64>,
    counted_at: Timestamp,
}

impl Usage {
    pub(crate) fn new(cell: CellName, registry: Registry) -> Self {
        Self {
            cell,
            registry,
            reported: BTreeMap::new(),
            used: BTreeMap::new(),
            counted_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Reports use, counts time, suspends whom the rules say. Gives what the others are to be told.
    ///
    /// # Errors
    /// As the registry; what was not done is done the next time.
    pub(crate) async fn step(
        &mut self,
        users: &[UserRuntime],
        inputs: &Inputs,
        policy: &Catalogue,
        now: Timestamp,
    ) -> Result<BTreeMap<WorkspaceId, Vec<Notice>>> {
        self.report(inputs, now).await?;
        if now.duration_since(self.counted_at) >= METER {
            self.meter(users, inputs, now).await?;
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
                if !inputs.contains_key(&workspace.id) {
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

    async fn report(&mut self, inputs: &Inputs, now: Timestamp) -> Result<()> {
        self.reported.retain(|id, _| inputs.contains_key(id));
        for (workspace, input_at) in inputs {
            let known = self.reported.get(workspace);
            if known.is_some_and(|known| {
                known.input_at == *input_at && now.duration_since(known.reported_at) < REPORT
            }) {
                continue;
            }
            let activity = Activity {
                input_at: *input_at,
                output_at: None,
                reported_at: now,
            };
            let noted = NoteActivity {
                cell: self.cell.clone(),
                workspace: *workspace,
                activity,
                at: now,
            };
            self.registry.apply(RequestId::random(), &noted).await?;
            self.reported.insert(*workspace, activity);
        }
        Ok(())
    }

    async fn meter(
        &mut self,
        users: &[UserRuntime],
        inputs: &Inputs,
        now: Timestamp,
    ) -> Result<()> {
        let running: Vec<WorkspaceId> = inputs.keys().copied().collect();
        for part in running.chunks(METERED_AT_ONCE) {
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
            workspaces.any(|workspace| inputs.contains_key(&workspace.id))
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
