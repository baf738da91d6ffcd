//! What is seen of each ring: the registry's status, as the observers wrote it, and the checkpoints of the cells.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::{Cause, CellName, Phase, Power, ReleaseName, Result, Standing, UserId};
use coditect_registry::{Registry, query::UserRuntime};
use jiff::{SignedDuration, Timestamp};

use super::decide::Observed;
use crate::policy::Policy;

/// How many users are read at one version: a view lives five seconds.
const PAGE: usize = 200;
/// An observer says every ten seconds how its cell fares, changed or not; one that has not for so long is away.
const STALE: SignedDuration = SignedDuration::from_secs(60);

/// What is seen of one ring, over all cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its users.
    pub users: u64,
    /// How many of them are in cells that were rendered with what the ring runs now.
    pub rendered: u64,
    /// How many workspaces should run: switched on, of users in use, not refused by the cluster.
    pub should_run: u64,
    /// How many of those are ready.
    pub ready: u64,
    /// Users whose file the cluster has refused since the roll-out began.
    pub quarantined: u64,
    /// Users whose objects the cluster refuses without their being quarantined. Observers quarantine a few of a cell at
    /// most (a bad release is not one bad user), and those who run go on running what they ran.
    pub held_back: u64,
    /// Why the above is not known; none if it is.
    pub unknown: Option<String>,
    /// How the restart of its pods fares.
    pub restart: Restarts,
}

/// How restarts fare that a roll-out asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Restarts {
    /// None was asked for, or they are over.
    #[default]
    Over,
    /// Pods are still to be restarted or on their way; in words.
    UnderWay(String),
    /// Too many pods did not come back; in words.
    Failed(String),
}

/// What a cell was rendered with, as its newest checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rendered {
    /// These releases, by ring.
    With(BTreeMap<String, ReleaseName>),
    /// It cannot be told, for this reason.
    Unknown(String),
}

/// Looks at every user of every cell.
///
/// `rendered` says with what each cell was rendered last, `since` when the roll-out began: who was refused before is
/// not the release's doing.
///
/// # Errors
/// `Unavailable` if the registry does not answer.
pub async fn observe(
    registry: &Registry,
    policy: &Policy,
    rendered: &BTreeMap<CellName, Rendered>,
    since: Timestamp,
    now: Timestamp,
) -> Result<Observed> {
    let mut observed: Observed = policy
        .rings()
        .iter()
        .map(|ring| (ring.name.clone(), Seen::default()))
        .collect();
    let unknown_cell = Rendered::Unknown("no renderer has said".to_owned());
    for cell in policy.cells().keys() {
        let state = registry.view().await?.cell_state(cell).await?;
        let away = match &state {
            None => Some("was never seen".to_owned()),
            Some(state) if now.duration_since(state.at) > STALE => {
                Some(format!("was last seen at {:.0}", state.at))
            }
            Some(state) if !state.connected => Some("is not connected".to_owned()),
            Some(_) => None,
        };
        let away = away.map(|why| format!("the cluster of cell {cell} {why}"));
        let rendered = rendered.get(cell).unwrap_or(&unknown_cell);
        let mut concerned = BTreeSet::new();
        let mut after: Option<UserId> = None;
        loop {
            let mut view = registry.view().await?;
            let (users, more) = view.runtimes_after(cell, after, PAGE).await?;
            after = users.last().map(|user| user.row.intent.user);
            for user in &users {
                let intent = &user.row.intent;
                let Some(ring) = policy.ring(intent.user, intent.tenant, intent.ring.as_ref())
                else {
                    continue;
                };
                if let Some(seen) = observed.get_mut(&ring.name) {
                    concerned.insert(ring.name.clone());
                    let has_it = match rendered {
                        Rendered::With(releases) => {
                            releases.get(ring.name.as_str()) == Some(&ring.release)
                        }
                        Rendered::Unknown(_) => false,
                    };
                    seen.add(user, has_it, since);
                }
            }
            if !more {
                break;
            }
        }
        let unreadable = match rendered {
            Rendered::Unknown(why) => Some(format!("what cell {cell} was rendered with: {why}")),
            Rendered::With(_) => None,
        };
        if let Some(why) = away.or(unreadable) {
            for ring in &concerned {
                if let Some(seen) = observed.get_mut(ring) {
                    seen.unknown.get_or_insert_with(|| why.clone());
                }
            }
        }
    }
    Ok(observed)
}

impl Seen {
    fn add(&mut self, user: &UserRuntime, rendered: bool, since: Timestamp) {
        self.users += 1;
        if user
            .quarantine
            .as_ref()
            .is_some_and(|known| known.at >= since)
        {
            self.quarantined += 1;
            return;
        }
        self.rendered += u64::from(rendered);
        let is_refused = user.quarantine.is_none()
            && user.workspaces.iter().any(|workspace| {
                let reason = workspace
                    .status
                    .as_ref()
                    .and_then(|status| status.reason.as_ref());
                reason.is_some_and(|reason| reason.cause == Cause::Admission)
            });
        self.held_back += u64::from(is_refused);
        let intent = &user.row.intent;
        // Who was refused before runs their last good file, which this release does not touch.
        if intent.standing != Standing::Active || user.quarantine.is_some() {
            return;
        }
        for workspace in &user.workspaces {
            let in_use = intent
                .workspace(workspace.id)
                .is_some_and(|intent| intent.standing == Standing::Active);
            if in_use && workspace.power.power == Power::On {
                self.should_run += 1;
                let status = workspace.status.as_ref();
                self.ready += u64::from(status.is_some_and(|status| status.phase == Phase::Ready));
            }
        }
    }
}
