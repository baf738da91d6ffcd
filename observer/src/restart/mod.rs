//! Restarts pods that run on an older template, a few at a time, within a window.
//!
//! What is done next follows from what the cluster shows, so an observer that starts again goes on: a pod that is
//! still outdated is restarted, one that is gone comes back because its workspace is on.

mod plan;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use coditect_core::{RequestId, Result, WorkspaceId};
use coditect_registry::{operation::NoteRestart, record::Restart};
use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub(crate) use plan::Restarting;
use plan::{Candidate, Move};

use crate::{
    cell::Cell,
    power::Order,
    seen::{Condition, NamespaceSeen},
    wish,
};

/// How often it is looked at while one is under way, and while none is.
const LOOK: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

/// Carries out restarts until `stop`.
pub(crate) async fn run(cell: Arc<Cell>, stop: CancellationToken) {
    loop {
        let pause = match step(&cell).await {
            Ok(true) => LOOK[0],
            Ok(false) => LOOK[1],
            Err(error) => {
                tracing::warn!(cell = %cell.settings.cell, error = %error.chain(), "a restart waits for the registry");
                LOOK[1]
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Goes on with the restart that is under way; true if there is one.
async fn step(cell: &Cell) -> Result<bool> {
    let now = Timestamp::now();
    let restart = cell
        .registry
        .view()
        .await?
        .restart(&cell.settings.cell)
        .await?;
    let Some(restart) = restart.filter(|restart| restart.stopped.is_none()) else {
        let left = cell.restarting().clear();
        bring_up(cell, left);
        return Ok(false);
    };
    let known = cell.world().is_known() && cell.is_read();
    if now < restart.not_before || !known || cell.is_held() {
        return Ok(false);
    }
    let candidates = candidates(cell, &restart);
    let moves = cell.restarting().step(&restart, &candidates, now);
    let mut up = Vec::new();
    for one in &moves {
        match one {
            Move::Down(workspace) => order(cell, *workspace, 0),
            Move::Up(workspace) => up.push(*workspace),
        }
    }
    bring_up(cell, up);
    let (done, failed, stopped) = cell.restarting().outcome(&restart, &candidates, now);
    let left = cell.restarting().left(&candidates, now);
    let noted = (restart.done, restart.failed, restart.left);
    if (done, failed, Some(left)) != noted || stopped.is_some() {
        if let Some(why) = &stopped {
            tracing::warn!(cell = %cell.settings.cell, restart = %restart.id, done, failed, why, "a restart has ended");
        }
        let note = NoteRestart {
            cell: cell.settings.cell.clone(),
            id: restart.id,
            done,
            failed,
            left,
            stopped,
            at: now,
        };
        cell.registry.apply(RequestId::random(), &note).await?;
    }
    Ok(true)
}

/// How a user stands to a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// Their pods are restarted.
    Has,
    /// They are when the cluster has the release.
    Waits,
}

/// How a user stands to a restart; none: it does not concern them.
fn share(
    restart: &Restart,
    namespace: Option<&NamespaceSeen>,
    is_quarantined: bool,
) -> Option<Share> {
    if restart.of.is_empty() {
        return Some(Share::Has);
    }
    let runs = namespace?.runs.as_ref()?;
    let of = restart.of.iter().find(|of| of.ring == runs.ring)?;
    if runs.release == of.release {
        Some(Share::Has)
    } else {
        // What stands in the place of a refused file stays.
        (!is_quarantined).then_some(Share::Waits)
    }
}

/// Every workspace that is on and that the restart concerns, as far as it needs it.
fn candidates(cell: &Cell, restart: &Restart) -> BTreeMap<WorkspaceId, Candidate> {
    let rows = cell.rows();
    let world = cell.world();
    let mut all = BTreeMap::new();
    for (user, runtime) in rows.iter() {
        let Some(share) = share(
            restart,
            world.namespace(*user),
            runtime.quarantine.is_some(),
        ) else {
            continue;
        };
        for workspace in &runtime.workspaces {
            let id = (*user, workspace.id);
            if wish::replicas(&runtime.row.intent, workspace, &Restarting::default()) == 0 {
                continue;
            }
            let Some(set) = world.set(id) else {
                continue;
            };
            let pod = world.pods_of(id).next();
            let known = pod.filter(|pod| {
                share == Share::Has
                    && set.observed
                    && pod.deleting.is_none()
                    && pod.revision.is_some()
                    && set.update_revision.is_some()
            });
            let is_of_ring = !restart.of.is_empty();
            let outdated = known.is_some_and(|pod| {
                (is_of_ring || pod.created < restart.outdated_before)
                    && pod.revision != set.update_revision
            });
            all.insert(
                workspace.id,
                Candidate {
                    pod: pod.map(|pod| (pod.uid.clone(), pod.ready)),
                    outdated,
                    current: is_of_ring
                        && known.is_some_and(|pod| pod.revision == set.update_revision),
                    waits: share == Share::Waits && pod.is_some(),
                    fresh: pod.is_some_and(|pod| pod.created >= restart.outdated_before),
                    broken: pod.is_some_and(|pod| is_broken(&pod.condition)),
                },
            );
        }
    }
    all
}

/// True if it does not get ready whatever time it is given.
const fn is_broken(condition: &Condition) -> bool {
    matches!(
        condition,
        Condition::Crash(_) | Condition::Image(_) | Condition::Ended(_)
    )
}

fn bring_up(cell: &Cell, workspaces: Vec<WorkspaceId>) {
    for workspace in workspaces {
        order(cell, workspace, 1);
    }
}

/// Orders the scale, unless the workspace is gone or is to be off anyway.
fn order(cell: &Cell, workspace: WorkspaceId, replicas: i32) {
    let id = cell.rows().iter().find_map(|(user, runtime)| {
        let one = runtime.workspaces.iter().find(|one| one.id == workspace)?;
        let on = wish::replicas(&runtime.row.intent, one, &Restarting::default()) == 1;
        (on && !cell.is_held()).then_some((*user, workspace))
    });
    if let Some(id) = id {
        cell.scaler.order(Order {
            id,
            replicas,
            asked: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use coditect_registry::record::RingRelease;
    use uuid::Uuid;

    use super::*;

    fn runs(ring: &str, release: &str) -> Option<RingRelease> {
        Some(RingRelease {
            ring: ring.parse().unwrap(),
            release: release.parse().unwrap(),
        })
    }

    #[test]
    fn a_rings_restart_concerns_its_users_once_the_cluster_has_the_release() {
        let now = Timestamp::UNIX_EPOCH;
        let all = Restart::asked(Uuid::nil(), now, None, 1, now);
        let canary = Restart {
            of: runs("canary", "v2").into_iter().collect(),
            ..all.clone()
        };
        let namespace = |runs| NamespaceSeen {
            uid: "n".to_owned(),
            generation: 1,
            runs,
            deleting: false,
            edit: None,
        };
        let of =
            |restart, runs, is_quarantined| share(restart, Some(&namespace(runs)), is_quarantined);
        assert_eq!(of(&canary, runs("canary", "v2"), false), Some(Share::Has));
        assert_eq!(of(&canary, runs("canary", "v1"), false), Some(Share::Waits));
        assert_eq!(of(&canary, runs("canary", "v1"), true), None);
        assert_eq!(of(&canary, runs("everyone", "v2"), false), None);
        assert_eq!(of(&canary, None, false), None);
        assert_eq!(share(&canary, None, false), None);
        assert_eq!(share(&all, None, true), Some(Share::Has));
    }
}
