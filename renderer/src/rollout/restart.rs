//! Restarts of pods for a roll-out that does not wait for their next start: the observers do them.

use coditect_core::{CellName, Kind, RequestId, Result, RingName};
use coditect_registry::{
    Registry,
    operation::StartRestart,
    record::{Restart, Rollout, RolloutRestart},
};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::decide::{Observed, reached};
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
        if known.is_some_and(|known| known.id == id) {
            continue;
        }
        let restart = Restart::asked(id, not_before, *until, *at_once, now);
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

/// The same for every attempt, so that a restart that was asked for is not asked for again.
fn id_of(rollout: &Rollout, ring: &RingName, cell: &CellName) -> Uuid {
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
