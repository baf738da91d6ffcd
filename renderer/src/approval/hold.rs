//! What is published while people are asked.

use std::collections::BTreeSet;

use coditect_core::{ApprovalReason, UserIntent, WorkspaceId};

/// What stands while `wanted` waits for these reasons: the fields that they name stay as in `before`, all else is as
/// wanted. A hold, a mark and a workspace that goes never wait. None: nothing of the user is published, as nothing was
/// before.
///
/// The generation is that of `before`: what Git says was wanted is what has been published, and whoever compares
/// generations sees that the newest has not arrived. `before` has its volumes as large as they are rendered.
#[must_use]
pub fn held_back(
    before: Option<&UserIntent>,
    wanted: &UserIntent,
    reasons: &[ApprovalReason],
) -> Option<UserIntent> {
    let before = before?;
    let (mut plan, mut ring, mut added) = (false, false, false);
    let mut volumes = BTreeSet::<WorkspaceId>::new();
    for reason in reasons {
        match reason {
            ApprovalReason::Plan { .. } => plan = true,
            ApprovalReason::Storage { workspace, .. }
            | ApprovalReason::StorageAboveLimit { workspace, .. } => {
                volumes.insert(*workspace);
                // A plan gives every volume its size.
                plan |= before.plan != wanted.plan;
            }
            ApprovalReason::StorageClass { workspace, .. } => {
                volumes.insert(*workspace);
            }
            ApprovalReason::Workspaces { .. } | ApprovalReason::WorkspacesAboveLimit { .. } => {
                added = true;
            }
            ApprovalReason::Users { .. } => (plan, ring) = (true, true),
            ApprovalReason::Cell { .. } | ApprovalReason::Deletion => {}
        }
    }
    let mut held = wanted.clone();
    held.generation = before.generation;
    if plan {
        held.plan.clone_from(&before.plan);
    }
    if ring {
        held.ring.clone_from(&before.ring);
    }
    // A plan also says how many workspaces there may be.
    added |= plan;
    held.workspaces.retain_mut(|workspace| {
        let waits = plan || volumes.contains(&workspace.id);
        match before.workspace(workspace.id) {
            Some(stood) if waits => {
                workspace.storage_gib = stood.storage_gib;
                true
            }
            // A registry that was restored may have forgotten a size; no volume shrinks for that.
            Some(stood) => {
                workspace.storage_gib = workspace.storage_gib.max(stood.storage_gib);
                true
            }
            None => !added && !waits,
        }
    });
    Some(held)
}
