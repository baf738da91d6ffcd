//! What is wanted of a workspace, taken from what the registry holds.

use coditect_core::{CellSummary, Power, Standing, UserIntent};
use coditect_registry::{
    query::{UserRuntime, WorkspaceRuntime},
    record::Requested,
};

use crate::{cell::Cell, observe::Wanted, restart::Restarting};

/// How many pods it should have now: one if it is on and in use, and not just going round for a restart.
pub(crate) fn replicas(
    intent: &UserIntent,
    workspace: &WorkspaceRuntime,
    restarting: &Restarting,
) -> i32 {
    let on = is_active(intent, workspace) && workspace.power.power == Power::On;
    i32::from(on && !restarting.is_down(workspace.id))
}

/// The scale that it should have now. In a held cell that is none: a StatefulSet whose pods the quota refuses waits
/// longer each time before it tries again, up to a quarter of an hour (the controller's work queue), and would still
/// wait when the hold has ended.
pub(crate) fn scale(cell: &Cell, intent: &UserIntent, workspace: &WorkspaceRuntime) -> i32 {
    if cell.is_held() {
        return 0;
    }
    replicas(intent, workspace, &cell.restarting())
}

fn is_active(intent: &UserIntent, workspace: &WorkspaceRuntime) -> bool {
    let standing = intent.workspace(workspace.id).map(|wanted| wanted.standing);
    intent.standing == Standing::Active && standing == Some(Standing::Active)
}

/// Everything that its phase depends on.
pub(crate) fn wanted(
    user: &UserRuntime,
    workspace: &WorkspaceRuntime,
    cell: Option<&CellSummary>,
) -> Wanted {
    let intent = &user.row.intent;
    let standing = intent.workspace(workspace.id).map(|wanted| wanted.standing);
    let requested = user.row.requested.get(&workspace.id).copied();
    Wanted {
        requested: requested.unwrap_or(Requested {
            generation: intent.generation,
            at: user.row.changed_at,
        }),
        landed: user
            .committed
            .as_ref()
            .and_then(|committed| committed.workspaces.get(&workspace.id))
            .cloned(),
        power: workspace.power.clone(),
        active: is_active(intent, workspace),
        marked: intent.standing == Standing::Marked || standing == Some(Standing::Marked),
        held: cell.is_some_and(|cell| cell.held),
        readiness: cell.map(|cell| cell.readiness).unwrap_or_default(),
        quarantine: user.quarantine.clone(),
    }
}
