//! Restarts of pods for a roll-out that does not wait for their next start: the observers do them.

use coditect_core::{CellName, Kind, RequestId, Result, RingName};
use coditect_registry::{
    Registry,
    operation::{StartRestart, StopRestart},
    record::{Restart, RingRelease, Rollout, RolloutRestart, RolloutRing},
};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    decide::{Observed, reached},
    observe::Restarts,
};
use crate::policy::Runs;

/// The rings whose pods are to be restarted and that are rendered: before that a pod would start on what it ran.
pub(super) fn due(
    rollout: &Rollout,
    runs: &[(RingName, Runs)],
    observed: &Observed,
) -> Vec<RingName> {
    if rollout.restart == RolloutRestart::OnNextStart {
        return Vec::new();
    }
    let is_rendered = |ring: &RingName| {
        observed.get(ring).is_some_and(|seen| {
            seen.unknown.is_none() && seen.rendered + seen.quarantined >= seen.users
        })
    };
    reached(rollout, runs)
        .into_iter()
        .filter(|ring| !ring.restarted && is_rendered(&ring.ring))
        .map(|ring| ring.ring.clone())
        .collect()
}

/// Notes how the restarts of the rings that were reached fare in these cells: until no pod is left that runs what the
/// ring ran before, what is seen of it says little about the release.
pub(super) async fn note<'c>(
    registry: &Registry,
    rollout: &Rollout,
    runs: &[(RingName, Runs)],
    cells: impl Iterator<Item = &'c CellName>,
    observed: &mut Observed,
    now: Timestamp,
) -> Result<()> {
    if rollout.restart == RolloutRestart::OnNextStart {
        return Ok(());
    }
    let mut newest = Vec::new();
    for cell in cells {
        if let Some(restart) = registry.view().await?.restart(cell).await? {
            newest.push((cell, restart));
        }
    }
    for ring in reached(rollout, runs) {
        let Some(seen) = observed.get_mut(&ring.ring) else {
            continue;
        };
        if !ring.restarted {
            let mut others = newest.iter().filter(|(cell, restart)| {
                restart.under_way(now) && is_anothers(rollout, restart, cell)
            });
            seen.restart = Restarts::UnderWay(match others.next() {
                None => "its pods are to be restarted".to_owned(),
                Some((cell, other)) => format!(
                    "its pods are to be restarted after restart {} of cell {cell}, which is under way until {:.0}, or is stopped by `restart stop`",
                    other.id, other.not_after
                ),
            });
            continue;
        }
        let its = newest
            .iter()
            .filter(|(cell, restart)| restart.id == id_of(rollout, &ring.ring, cell));
        for (cell, restart) in its {
            match of_cell(cell, restart, now) {
                Restarts::Over => {}
                failed @ Restarts::Failed(_) => {
                    seen.restart = failed;
                    break;
                }
                under_way => seen.restart = under_way,
            }
        }
    }
    Ok(())
}

fn of_cell(cell: &CellName, restart: &Restart, now: Timestamp) -> Restarts {
    let Restart { done, failed, .. } = restart;
    if Restart::too_many_failed(*done, *failed) {
        return Restarts::Failed(format!(
            "{failed} pods of cell {cell} did not get ready after their restart, {done} did"
        ));
    }
    match restart.left {
        _ if !restart.under_way(now) => Restarts::Over,
        Some(0) => Restarts::Over,
        Some(left) => Restarts::UnderWay(format!(
            "{left} pods of cell {cell} are still to be restarted, {done} were"
        )),
        None if now < restart.not_before => Restarts::UnderWay(format!(
            "pods of cell {cell} are restarted from {:.0} on",
            restart.not_before
        )),
        None => Restarts::UnderWay(format!("the restart of cell {cell} begins")),
    }
}

/// Asks for a restart in each cell. False if one of them is still at another one: asked again at the next look.
pub(super) async fn ask(
    registry: &Registry,
    rollout: &Rollout,
    ring: &RingName,
    cells: &[CellName],
    now: Timestamp,
) -> Result<bool> {
    let RolloutRestart::Now {
        from,
        until,
        at_once,
    } = &rollout.restart
    else {
        return Ok(true);
    };
    let not_before = from.unwrap_or(now).max(now);
    if until.is_some_and(|until| until <= not_before) {
        // The window is over: pods come to it when they next start.
        return Ok(true);
    }
    let mut all = true;
    for cell in cells {
        let id = id_of(rollout, ring, cell);
        let known = registry.view().await?.restart(cell).await?;
        if known.as_ref().is_some_and(|known| known.id == id) {
            continue;
        }
        // That of a ring before, whose window is still open: no pod was left of it when this ring got the release. Or
        // another one that has nothing to do any more.
        let has_ended = |known: &Restart| {
            known.under_way(now) && (!is_anothers(rollout, known, cell) || known.left == Some(0))
        };
        if let Some(known) = known.filter(has_ended) {
            let stop = StopRestart {
                cell: cell.clone(),
                id: Some(known.id),
                why: format!("it was the turn of ring {ring}"),
                at: now,
            };
            registry.apply(RequestId::random(), &stop).await?;
        }
        let of = rollout.release.iter().map(|release| RingRelease {
            ring: ring.clone(),
            release: release.clone(),
        });
        let restart = Restart {
            of: of.collect(),
            ..Restart::asked(id, not_before, *until, *at_once, now)
        };
        let start = StartRestart {
            cell: cell.clone(),
            restart,
            at: now,
        };
        match registry.apply(RequestId::random(), &start).await {
            Ok(()) => {}
            Err(error) if *error.kind() == Kind::Conflict => all = false,
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Asks each cell to restart the pods of the rings that were reached, now that they go back: those that did not come back
/// are helped by nothing else. Within the window that was given; where another restart is under way, that one does.
pub(super) async fn ask_back(
    registry: &Registry,
    rollout: &Rollout,
    cells: &[CellName],
    now: Timestamp,
) -> Result<()> {
    let RolloutRestart::Now {
        from,
        until,
        at_once,
    } = &rollout.restart
    else {
        return Ok(());
    };
    let was_reached = |ring: &&RolloutRing| ring.should_run.is_some();
    let of: Vec<RingRelease> = rollout
        .rings
        .iter()
        .filter(was_reached)
        .map(|ring| RingRelease {
            ring: ring.ring.clone(),
            release: ring.release.clone(),
        })
        .collect();
    let not_before = from.unwrap_or(now).max(now);
    if of.is_empty() || until.is_some_and(|until| until <= not_before) {
        return Ok(());
    }
    for cell in cells {
        let restart = Restart {
            of: of.clone(),
            ..Restart::asked(id_back(rollout, cell), not_before, *until, *at_once, now)
        };
        let known = registry.view().await?.restart(cell).await?;
        if known.is_some_and(|known| known.id == restart.id) {
            continue;
        }
        let start = StartRestart {
            cell: cell.clone(),
            restart,
            at: now,
        };
        match registry.apply(RequestId::random(), &start).await {
            Err(error) if *error.kind() != Kind::Conflict => return Err(error),
            Err(error) => {
                tracing::warn!(%cell, "pods are not restarted to go back: {}", error.chain())
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Stops the restarts that the roll-out asked for and that are under way.
pub(super) async fn stop(
    registry: &Registry,
    rollout: &Rollout,
    cells: &[CellName],
    why: &str,
    now: Timestamp,
) -> Result<()> {
    if rollout.restart == RolloutRestart::OnNextStart {
        return Ok(());
    }
    for cell in cells {
        let known = registry.view().await?.restart(cell).await?;
        let its = known.filter(|known| known.under_way(now) && !is_anothers(rollout, known, cell));
        if let Some(its) = its {
            let stop = StopRestart {
                cell: cell.clone(),
                id: Some(its.id),
                why: why.to_owned(),
                at: now,
            };
            registry.apply(RequestId::random(), &stop).await?;
        }
    }
    Ok(())
}

/// True if somebody else asked for this restart, or another roll-out.
fn is_anothers(rollout: &Rollout, restart: &Restart, cell: &CellName) -> bool {
    let mut rings = rollout.rings.iter();
    !rings.any(|ring| restart.id == id_of(rollout, &ring.ring, cell))
}

/// The same for every attempt, so that a restart that was asked for is not asked for again.
fn id_of(rollout: &Rollout, ring: &RingName, cell: &CellName) -> Uuid {
    id(rollout, ring.as_str(), cell)
}

/// The same of the way back.
fn id_back(rollout: &Rollout, cell: &CellName) -> Uuid {
    // No ring's name is empty.
    id(rollout, "", cell)
}

fn id(rollout: &Rollout, ring: &str, cell: &CellName) -> Uuid {
    let release = rollout
        .release
        .as_ref()
        .map_or("", |release| release.as_str());
    let text = format!("{release}\0{}\0{ring}\0{cell}", rollout.started_at);
    let digest: [u8; 32] = Sha256::new_with_prefix(b"coditect rollout restart\0")
        .chain_update(text)
        .finalize()
        .into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(id).into_uuid()
}
