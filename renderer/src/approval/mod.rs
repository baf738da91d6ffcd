//! Which changes of a user wait for a person's approval, and what is published meanwhile. Pure.
//!
//! Intents are judged, not policy: that was reviewed when it was merged. So what stands before and what is wanted are
//! both read by the policy in force, and a user is asked about only where the two differ.

mod hash;
mod hold;
mod judge;

#[cfg(test)]
mod tests;

use coditect_core::{ApprovalReason, UserIntent};
use coditect_registry::record::{ApprovalUser, IntentRow};

pub use self::{
    hash::intent_hash,
    hold::held_back,
    judge::{is_change, judge},
};
use crate::policy::{Approval, Policy};

/// What a row asks for, with the volumes that policy gives it and the generation that it was asked for with: raising
/// the registry's sizes afterwards makes another generation of the same.
#[must_use]
pub fn wanted(row: &IntentRow, policy: &Policy) -> UserIntent {
    let mut wanted = provisioned(&row.intent, policy);
    wanted.generation = row.raised_from.unwrap_or(row.intent.generation);
    wanted
}

/// The intent with its volumes as large as they are rendered: a size is a high-water mark, and a plan may ask for more.
#[must_use]
pub fn provisioned(intent: &UserIntent, policy: &Policy) -> UserIntent {
    let mut intent = intent.clone();
    if let Some((_, limits)) = policy.entitlement(intent.tenant, &intent.plan) {
        for workspace in &mut intent.workspaces {
            workspace.storage_gib = workspace.storage_gib.max(limits.storage_gib);
        }
    }
    intent
}

/// What people are asked about this intent.
#[must_use]
pub fn asked(wanted: &UserIntent, reasons: Vec<ApprovalReason>) -> ApprovalUser {
    ApprovalUser {
        user: wanted.user,
        generation: wanted.generation,
        intent_hash: intent_hash(wanted),
        reasons,
    }
}

/// The name of the approval that lets exactly this pass, if the policy has one.
#[must_use]
pub fn approved_by<'p>(
    policy: &'p Policy,
    wanted: &UserIntent,
    asked: &ApprovalUser,
) -> Option<&'p str> {
    let names = |approval: &Approval| {
        approval.tenant == wanted.tenant
            && approval.cell == wanted.cell
            && approval.users.iter().any(|approved| {
                approved.user == asked.user
                    && approved.generation == asked.generation
                    && approved.intent_hash == asked.intent_hash
            })
    };
    let mut approvals = policy.approvals().iter();
    let found = approvals.find(|(_, approval)| names(approval));
    found.map(|(change, _)| change.as_str())
}
