//! Which rules ask about a change.

use coditect_core::{ApprovalReason, UserIntent};

use super::provisioned;
use crate::policy::Policy;

/// The reasons for which the policy's rules want an approval before `wanted` takes the place of `before` (none: Git has
/// nothing of the user), in order. What stands already needs none: fewer reasons the more stands, and none for the same
/// again.
#[must_use]
pub fn judge(
    before: Option<&UserIntent>,
    wanted: &UserIntent,
    policy: &Policy,
) -> Vec<ApprovalReason> {
    let rules = policy.approval_rules();
    let wanted = &provisioned(wanted, policy);
    let before = before.map(|before| provisioned(before, policy));
    let before = before.as_ref();
    let entitlement = |intent: &UserIntent| policy.entitlement(intent.tenant, &intent.plan);
    let (plan, limits) = match entitlement(wanted) {
        Some((plan, limits)) => (plan, Some(limits)),
        // Nothing is rendered with a plan that no policy has.
        None => (&wanted.plan, None),
    };
    let mut reasons = Vec::new();
    let stood = before.and_then(entitlement).map(|(plan, _)| plan);
    if rules.plans.contains(plan) && stood != Some(plan) {
        reasons.push(ApprovalReason::Plan { plan: plan.clone() });
    }
    let mut added = false;
    for workspace in &wanted.workspaces {
        let stood = before.and_then(|before| before.workspace(workspace.id));
        added |= stood.is_none();
        let (id, gib) = (workspace.id, workspace.storage_gib);
        if stood.is_none_or(|stood| stood.storage_gib < gib) {
            if let Some(above) = rules.storage_gib_above.filter(|above| gib > *above) {
                reasons.push(ApprovalReason::Storage {
                    workspace: id,
                    gib,
                    above,
                });
            }
            let limit = limits.map(|limits| limits.storage_gib);
            if let Some(limit) = limit.filter(|limit| rules.limits_above_plan && gib > *limit) {
                reasons.push(ApprovalReason::StorageAboveLimit {
                    workspace: id,
                    gib,
                    limit,
                });
            }
        }
        let class = &workspace.storage_class;
        if rules.storage_classes.contains(class)
            && stood.is_none_or(|stood| stood.storage_class != *class)
        {
            reasons.push(ApprovalReason::StorageClass {
                workspace: id,
                class: class.clone(),
            });
        }
    }
    let workspaces = u32::try_from(wanted.workspaces.len()).unwrap_or(u32::MAX);
    if added {
        if let Some(above) = rules.workspaces_above.filter(|above| workspaces > *above) {
            reasons.push(ApprovalReason::Workspaces { workspaces, above });
        }
        let limit = limits.map(|limits| limits.workspaces);
        if let Some(limit) = limit.filter(|limit| rules.limits_above_plan && workspaces > *limit) {
            reasons.push(ApprovalReason::WorkspacesAboveLimit { workspaces, limit });
        }
    }
    if before.is_none() && rules.cells.contains(&wanted.cell) {
        let cell = wanted.cell.clone();
        reasons.push(ApprovalReason::Cell { cell });
    }
    reasons.sort();
    reasons
}

/// Whether `wanted` asks for anything that `before` does not have and that could be held back: not a hold, a mark or a
/// workspace that goes, which never wait.
#[must_use]
pub fn is_change(before: &UserIntent, wanted: &UserIntent, policy: &Policy) -> bool {
    let (before, wanted) = (provisioned(before, policy), provisioned(wanted, policy));
    let more = |workspace: &coditect_core::WorkspaceIntent| {
        before.workspace(workspace.id).is_none_or(|stood| {
            (stood.storage_gib, &stood.storage_class)
                != (workspace.storage_gib, &workspace.storage_class)
        })
    };
    before.plan != wanted.plan || before.ring != wanted.ring || wanted.workspaces.iter().any(more)
}
