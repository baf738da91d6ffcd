//! The one file that a change's branch adds to the policy.

use std::{collections::BTreeSet, fmt::Write};

use coditect_core::ChangeId;
use coditect_registry::record::ApprovalRequest;

use crate::{inputs::POLICY, policy::Approval};

/// The branch that asks about a change. The id is random and never given out again, so nobody else's branch is meant.
#[must_use]
pub fn branch_of(change: ChangeId) -> String {
    format!("coditect/approvals/{change}")
}

/// Where the approval of a change stands in the policy repository.
#[must_use]
pub fn path_of(change: ChangeId) -> String {
    format!("{POLICY}/approvals/{change}.yaml")
}

/// The approval of everything that the change asks for, as the policy reads it. The same change gives the same bytes.
#[must_use]
pub fn file_of(request: &ApprovalRequest) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "tenant: \"{}\"\ncell: \"{}\"\nreasons:",
        request.tenant, request.cell
    );
    for reason in reasons(request) {
        let _ = writeln!(text, "  - {}", quoted(&reason));
    }
    text.push_str("users:\n");
    for asked in &request.users {
        // In quotes: some hashes look like numbers.
        let _ = writeln!(
            text,
            "  - user: \"{}\"\n    generation: {}\n    intentHash: \"{}\"",
            asked.user, asked.generation, asked.intent_hash
        );
    }
    text
}

/// What is asked, in a line. Ids only.
pub(super) fn subject_of(request: &ApprovalRequest) -> String {
    let users = match request.users.len() {
        1 => "a user".to_owned(),
        many => format!("{many} users"),
    };
    format!("approvals: {users} of tenant {}", request.tenant)
}

/// The message of the commit that adds the file. Ids only.
#[must_use]
pub fn message_of(request: &ApprovalRequest) -> String {
    let ApprovalRequest {
        change,
        cell,
        tenant,
        ..
    } = request;
    let mut text = format!("{}\n\n", subject_of(request));
    for reason in reasons(request) {
        let _ = writeln!(text, "Asked because {reason}.");
    }
    let _ = write!(
        text,
        "\nCoditect-Change: {change}\nCoditect-Cell: {cell}\nCoditect-Tenant: {tenant}\n"
    );
    text
}

/// How much of a change a merged approval lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// Everything that is asked.
    All,
    /// Less: whoever merged it left somebody out, or it was about something else. Whom it names passes; for everybody else
    /// the change is declined.
    NotAll,
}

/// Compares an approval that was merged with what its change asks for.
#[must_use]
pub fn agreed(approval: &Approval, request: &ApprovalRequest) -> Agreed {
    let all = approval.tenant == request.tenant
        && approval.cell == request.cell
        && request.users.iter().all(|asked| {
            approval.users.iter().any(|approved| {
                approved.user == asked.user
                    && approved.generation == asked.generation
                    && approved.intent_hash == asked.intent_hash
            })
        });
    if all { Agreed::All } else { Agreed::NotAll }
}

/// What is asked of several users for the same reason is said once.
pub(super) fn reasons(request: &ApprovalRequest) -> BTreeSet<String> {
    let all = request.users.iter().flat_map(|asked| &asked.reasons);
    all.map(ToString::to_string).collect()
}

/// JSON's strings are YAML's too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
