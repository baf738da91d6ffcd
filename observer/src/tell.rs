//! Looks at users and tells the registry what stands; puts scales right that are not what it says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use coditect_core::{Cause, CellSummary, Phase, RequestId, Result};
use coditect_registry::{
    operation::{NoteStatus, STATUSES_AT_ONCE},
    query::{UserRuntime, WorkspaceRuntime},
    record::Status,
};
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::{cell::Cell, observe::status, power::Order, restless::Restless, wish, world::Id};

/// Most users that are looked at in one view of the registry, which lives five seconds.
const AT_ONCE: usize = 100;
/// How long what comes together is gathered: a pod that becomes ready is several events.
const GATHER: Duration = Duration::from_millis(20);
/// How often those are looked at again whose phase depends on how long something lasts.
const RESTLESS: Duration = Duration::from_secs(5);
/// First and longest pause while the registry does not answer.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// Tells until `stop`.
pub(crate) async fn run(cell: Arc<Cell>, stop: CancellationToken) {
    let mut teller = Teller {
        restless: Restless::default(),
        settled: BTreeMap::new(),
        cell,
    };
    let cell = Arc::clone(&teller.cell);
    let mut tick = interval(RESTLESS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rescan = Instant::now() + cell.settings.rescan;
    let mut pause = PAUSES[0];
    let mut catalogue = cell.catalogue.clone();
    loop {
        tokio::select! {
            () = cell.work.notified() => sleep(GATHER).await,
            // A hold begins or ends for everybody.
            Ok(()) = catalogue.changed() => {
                cell.look_at_all();
                continue;
            }
            _ = tick.tick() => {
                cell.world().forget_old_drifts(Timestamp::now());
                cell.touch_users(teller.restless.take());
                if Instant::now() >= rescan {
                    rescan = Instant::now() + cell.settings.rescan;
                    cell.look_at_all();
                }
                continue;
            }
            () = stop.cancelled() => return,
        }
        // Before the cluster is known nothing is said of it.
        if !cell.world().is_known() {
            continue;
        }
        let told = tokio::select! {
            told = teller.tell() => told,
            () = stop.cancelled() => return,
        };
        match told {
            Ok(()) => pause = PAUSES[0],
            Err(error) => {
                tracing::warn!(cell = %cell.settings.cell, error = %error.chain(), "statuses cannot be told");
                tokio::select! {
                    () = sleep(pause) => {}
                    () = stop.cancelled() => return,
                }
                pause = (pause * 2).min(PAUSES[1]);
                // Who was being looked at is not known any more.
                cell.look_at_all();
            }
        }
    }
}

struct Teller {
    cell: Arc<Cell>,
    restless: Restless,
    /// Scales that were seen to be right: of which StatefulSet, which, and for which change of power.
    settled: BTreeMap<Id, (String, i32, Timestamp)>,
}

impl Teller {
    /// Looks at everybody who is to be looked at.
    async fn tell(&mut self) -> Result<()> {
        if self.cell.take_all() {
            self.everybody().await?;
        }
        loop {
            let users = self.cell.take_dirty(AT_ONCE);
            if users.is_empty() {
                return Ok(());
            }
            let read_at = Instant::now();
            let mut view = self.cell.registry.view().await?;
            let mut found = Vec::with_capacity(users.len());
            for user in users {
                match view.runtime(&self.cell.settings.cell, user).await? {
                    Some(runtime) => found.push(runtime),
                    None => {
                        self.cell.rows().remove(&user);
                    }
                }
            }
            drop(view);
            self.look(found, read_at).await?;
        }
    }

    async fn everybody(&mut self) -> Result<()> {
        let mut after = None;
        let mut all = BTreeSet::new();
        loop {
            let read_at = Instant::now();
            let mut view = self.cell.registry.view().await?;
            let (users, more) = view
                .runtimes_after(&self.cell.settings.cell, after, AT_ONCE)
                .await?;
            drop(view);
            after = users.last().map(|user| user.row.intent.user);
            all.extend(users.iter().map(|user| user.row.intent.user));
            self.look(users, read_at).await?;
            if !more {
                self.cell.rows().retain(|user, _| all.contains(user));
                self.settled.retain(|(user, _), _| all.contains(user));
                self.cell.note_read();
                return Ok(());
            }
        }
    }

    /// `read_at`: when the registry was asked for these users, or before.
    async fn look(&mut self, users: Vec<UserRuntime>, read_at: Instant) -> Result<()> {
        let now = Timestamp::now();
        let summary = self.cell.summary();
        let mut statuses = Vec::new();
        for user in users {
            let id = user.row.intent.user;
            for workspace in &user.workspaces {
                // Whoever asked meanwhile is looked at again: what was read may be what they have just changed.
                if !self
                    .cell
                    .scaler
                    .was_asked_since(workspace.id, read_at.into_std())
                {
                    self.put_right(&user, workspace, now);
                }
                if let Some(status) = self.status(&user, workspace, summary.as_ref(), now) {
                    statuses.push((id, workspace.id, status));
                }
            }
            self.cell.rows().insert(id, Arc::new(user));
        }
        self.cell.knock.notify_one();
        while !statuses.is_empty() {
            let rest = statuses.split_off(statuses.len().min(STATUSES_AT_ONCE));
            let note = NoteStatus {
                cell: self.cell.settings.cell.clone(),
                statuses: std::mem::replace(&mut statuses, rest),
                at: now,
            };
            self.cell.registry.apply(RequestId::random(), &note).await?;
        }
        Ok(())
    }

    /// What is to be said of a workspace, if it is not what was said.
    fn status(
        &mut self,
        user: &UserRuntime,
        workspace: &WorkspaceRuntime,
        summary: Option<&CellSummary>,
        now: Timestamp,
    ) -> Option<Status> {
        let id = (user.row.intent.user, workspace.id);
        let wanted = wish::wanted(user, workspace, summary);
        let mut seen = {
            let mut world = self.cell.world();
            if wanted.marked || wanted.quarantine.is_some() {
                world.forget_drifts(id);
            }
            world.seen(id, user.row.intent.shard)
        };
        seen.notices.extend(
            self.cell
                .notices()
                .get(&workspace.id)
                .into_iter()
                .flatten()
                .cloned(),
        );
        let before = workspace.status.as_ref();
        let status = status(&wanted, &seen, before, now);
        // A hold ends with a change of policy, at which everybody is looked at.
        let waits_for_hold = status
            .reason
            .as_ref()
            .is_some_and(|reason| reason.cause == Cause::Hold);
        let settled = waits_for_hold
            || matches!(
                status.phase,
                Phase::Ready | Phase::Suspended | Phase::Deleting
            );
        if !settled || !status.notices.is_empty() {
            self.restless.insert(id.0);
        }
        // Until something of it is in the cluster, registry and renderer know more of it than we do.
        let early = matches!(status.phase, Phase::Requested | Phase::Committed);
        if before.is_none() && early && status.reason.is_none() {
            return None;
        }
        if before.is_none_or(|before| before.phase != status.phase) {
            metrics::counter!("coditect_observer_phases_total", "cell" => self.cell.name(), "phase" => status.phase.to_string())
                .increment(1);
        }
        (before != Some(&status)).then_some(status)
    }

    /// Orders the scale that is wanted, where it is another.
    fn put_right(&mut self, user: &UserRuntime, workspace: &WorkspaceRuntime, now: Timestamp) {
        let id = (user.row.intent.user, workspace.id);
        let replicas = wish::scale(&self.cell, &user.row.intent, workspace);
        let mut world = self.cell.world();
        let Some((uid, have)) = world.set(id).map(|set| (set.uid.clone(), set.replicas)) else {
            return;
        };
        if have == replicas {
            let right = (uid, replicas, workspace.power.since);
            self.settled.insert(id, right);
            return;
        }
        // Was it right since the newest change of power, somebody else has changed it.
        if self.settled.remove(&id) == Some((uid, replicas, workspace.power.since)) {
            world.drift(
                id,
                now,
                format!("the scale was set to {have} by hand; it is {replicas} again"),
            );
        }
        drop(world);
        self.cell.scaler.order(Order {
            id,
            replicas,
            asked: None,
        });
    }
}
