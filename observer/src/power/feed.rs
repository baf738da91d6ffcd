//! Follows the cell's power feed: whose power changed is read anew, and their scale set at once.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::{RequestId, Result, UserId, Version, WorkspaceId};
use coditect_registry::operation::TrimPower;
use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{cell::Cell, power::Order, wish};

/// Most entries of the feed that are read at once.
const PAGE: usize = 500;
/// How long entries stay in the feed after they were carried out: for another observer of the same cell, which
/// then need not read everything.
const KEPT: Duration = Duration::from_secs(60);
/// How long entries stay at most whose orders cannot be carried out: the orders themselves are not lost, and one
/// workspace whose scale the cluster refuses must not make the feed grow for ever.
const KEPT_AT_MOST: Duration = Duration::from_secs(600);
/// First and longest pause while the registry does not answer.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// A part of the feed whose orders were given.
struct Handled {
    until: Version,
    at: Instant,
    workspaces: BTreeSet<WorkspaceId>,
}

/// Follows the feed until `stop`.
pub(crate) async fn follow(cell: Arc<Cell>, stop: CancellationToken) {
    let mut follower = Follower {
        seen: None,
        handled: VecDeque::new(),
        cell,
    };
    let mut pause = PAUSES[0];
    while !stop.is_cancelled() {
        let step = tokio::select! {
            step = follower.step() => step,
            () = stop.cancelled() => return,
        };
        match step {
            Ok(()) => pause = PAUSES[0],
            Err(error) => {
                tracing::warn!(cell = %follower.cell.settings.cell, error = %error.chain(), "the power feed cannot be read");
                // What happened meanwhile may have been trimmed by another observer.
                follower.seen = None;
                tokio::select! {
                    () = sleep(pause) => {}
                    () = stop.cancelled() => return,
                }
                pause = (pause * 2).min(PAUSES[1]);
            }
        }
    }
}

struct Follower {
    cell: Arc<Cell>,
    /// Up to where the feed was read; none if everything is to be read.
    seen: Option<Version>,
    handled: VecDeque<Handled>,
}

impl Follower {
    /// Reads on, or waits for more.
    async fn step(&mut self) -> Result<()> {
        let cell = Arc::clone(&self.cell);
        let name = &cell.settings.cell;
        let mut view = cell.registry.view().await?;
        let signal = view.power_signal(name).await?;
        let floor = view.power_floor(name).await?;
        let seen = match self.seen {
            Some(seen) if seen >= floor => seen,
            _ => {
                // Everything that is wanted now is read by the other task; the feed goes on from here.
                cell.look_at_all();
                let now = view.version().await?;
                self.seen = Some(now);
                now
            }
        };
        let changes = view.power_after(name, seen, PAGE).await?;
        if !changes.workspaces.is_empty() {
            self.give_orders(&changes.workspaces).await?;
            self.handled.push_back(Handled {
                until: changes.until,
                at: Instant::now(),
                workspaces: changes.workspaces,
            });
        }
        self.seen = Some(changes.until);
        drop(view);
        self.trim().await?;
        if !changes.more {
            tokio::select! {
                changed = cell.registry.power_changed(name, signal) => changed?,
                () = sleep(KEPT) => {}
            }
        }
        Ok(())
    }

    async fn give_orders(&self, workspaces: &BTreeSet<WorkspaceId>) -> Result<()> {
        let cell = &self.cell;
        let mut view = cell.registry.view().await?;
        let mut users: BTreeSet<UserId> = BTreeSet::new();
        for workspace in workspaces {
            if let Some(place) = view.place_of(*workspace).await? {
                users.insert(place.user);
            }
        }
        for user in &users {
            let Some(runtime) = view.runtime(&cell.settings.cell, *user).await? else {
                continue;
            };
            for workspace in &runtime.workspaces {
                let id = (*user, workspace.id);
                // A sign-up's StatefulSet comes by Git, and the watch tells when.
                if workspaces.contains(&workspace.id) && cell.world().set(id).is_some() {
                    cell.scaler.order(Order {
                        id,
                        replicas: wish::scale(cell, &runtime.row.intent, workspace),
                        asked: Some(workspace.power.since),
                    });
                }
            }
        }
        cell.touch_users(users);
        Ok(())
    }

    /// Forgets the part of the feed that was carried out a while ago.
    async fn trim(&mut self) -> Result<()> {
        let mut until = None;
        while let Some(oldest) = self.handled.front()
            && oldest.at.elapsed() >= KEPT
            && (oldest.at.elapsed() >= KEPT_AT_MOST
                || !oldest
                    .workspaces
                    .iter()
                    .any(|workspace| self.cell.scaler.holds(*workspace)))
        {
            until = Some(oldest.until);
            self.handled.pop_front();
        }
        let Some(until) = until else {
            return Ok(());
        };
        let trim = TrimPower {
            cell: self.cell.settings.cell.clone(),
            until,
            at: Timestamp::now(),
        };
        self.cell.registry.apply(RequestId::random(), &trim).await
    }
}
