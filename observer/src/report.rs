//! How the cell fares as a whole: health, metrics, and the note in the registry.

use std::{sync::Arc, time::Duration};

use coditect_core::{Phase, RequestId, Result};
use coditect_registry::{operation::NoteCell, record::CellState};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{cell::Cell, connection::Standing, wish};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Reports until `stop`.
pub(crate) async fn run(cell: Arc<Cell>, stop: CancellationToken) {
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut noted: Option<CellState> = None;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
        }
        let now = Timestamp::now();
        let standing = cell.connections.standing(now);
        let state = state(&cell, &standing, now);
        health(&cell, &standing, &state);
        if state.is_news(noted.as_ref()) {
            match note(&cell, state.clone()).await {
                Ok(()) => noted = Some(state),
                Err(error) => {
                    tracing::debug!(cell = %cell.settings.cell, error = %error.chain(), "the cell's state is noted later");
                }
            }
        }
    }
}

async fn note(cell: &Cell, state: CellState) -> Result<()> {
    let note = NoteCell {
        cell: cell.settings.cell.clone(),
        at: state.at,
        state,
    };
    cell.registry.apply(RequestId::random(), &note).await
}

fn state(cell: &Cell, standing: &Standing, now: Timestamp) -> CellState {
    let held = cell.is_held();
    let rows = cell.rows();
    let restarting = cell.restarting();
    let world = cell.world();
    let mut state = CellState {
        held,
        scales_wrong: 0,
        workspaces: 0,
        ready: 0,
        // Before both sides are read as a whole, no wrong scale means nothing: a held cell is let go by this note.
        connected: cell.is_read()
            && world.is_known()
            && matches!(
                standing,
                Standing::Connected | Standing::WithoutApplications(_)
            ),
        argocd_unreachable: match (standing, world.applications()) {
            (Standing::WithoutApplications(why), _) => Some(why.clone()),
            (_, Some(0)) => Some(format!(
                "no Application in namespace {} is labelled {}={}",
                cell.settings.argocd_namespace,
                crate::seen::CELL,
                cell.settings.cell
            )),
            _ => None,
        },
        at: now,
    };
    for (user, runtime) in rows.iter() {
        let intent = &runtime.row.intent;
        for workspace in &runtime.workspaces {
            let id = (*user, workspace.id);
            state.workspaces += 1;
            let wanted = if held {
                0
            } else {
                wish::replicas(intent, workspace, &restarting)
            };
            state.scales_wrong += u32::from(match world.set(id) {
                Some(set) => set.replicas != wanted,
                // A StatefulSet that is still to come starts with 1: the hold must not end before.
                None => held && runtime.quarantine.is_none(),
            });
            state.ready += u32::from(world.pods_of(id).any(|pod| pod.ready));
        }
    }
    state
}

fn health(cell: &Cell, standing: &Standing, state: &CellState) {
    let part = format!("observer/{}", cell.settings.cell);
    let gauge = |name: &'static str, value: u32| {
        metrics::gauge!(name, "cell" => cell.name()).set(f64::from(value));
    };
    gauge(
        "coditect_observer_connected_ratio",
        u32::from(state.connected),
    );
    gauge("coditect_observer_scales_wrong_count", state.scales_wrong);
    gauge("coditect_observer_workspaces_count", state.workspaces);
    gauge("coditect_observer_ready_count", state.ready);
    for phase in PHASES {
        let rows = cell.rows();
        let statuses = rows
            .values()
            .flat_map(|user| &user.workspaces)
            .filter_map(|one| one.status.as_ref());
        let count = statuses.filter(|status| status.phase == phase).count();
        metrics::gauge!("coditect_observer_phase_count", "cell" => cell.name(), "phase" => phase.to_string())
            .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
    if let Some(why) = cell.refusals().clone() {
        return cell.health.failing(part, why);
    }
    match (standing, &state.argocd_unreachable) {
        (Standing::Away(why), _) => cell.health.failing(
            part,
            format!("the cluster does not answer; scales and statuses wait: {why}"),
        ),
        (Standing::Listing(what), _) => {
            cell.health.degraded(
                part,
                format!("reads the cluster for the first time: {what}"),
            );
        }
        (_, Some(why)) => cell.health.degraded(
            part,
            format!(
                "Argo CD is not seen, so refused objects and unreadable shards are not told: {why}"
            ),
        ),
        (Standing::Connected | Standing::WithoutApplications(_), None) => cell.health.ok(
            part,
            format!(
                "connected; {} of {} workspaces ready, {} scales to set",
                state.ready, state.workspaces, state.scales_wrong
            ),
        ),
    }
}

const PHASES: [Phase; 9] = [
    Phase::Requested,
    Phase::Committed,
    Phase::Synced,
    Phase::Starting,
    Phase::Ready,
    Phase::Suspending,
    Phase::Suspended,
    Phase::Deleting,
    Phase::Failed,
];
