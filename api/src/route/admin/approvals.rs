//! What waits for approval, in all cells.

use axum::{Json, extract::State};
use coditect_core::{CellName, ChangeId, TenantId, UserId};
use coditect_registry::record::{ApprovalRequest, ApprovalState, ApprovalUser};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::approval_body::ApprovalStateName;
use crate::{extract::Query, problem::Answer, state::ApiState};

/// Changes that wait for approval or lately did.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenApprovals)]
pub(in crate::route) struct SeenApprovalsBody {
    /// Those that wait first, the oldest of them first.
    items: Vec<SeenApprovalBody>,
}

/// A change that waits for approval: ids, hashes and numbers alone.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenApproval)]
struct SeenApprovalBody {
    #[schema(value_type = Uuid)]
    change: ChangeId,
    #[schema(value_type = String)]
    cell: CellName,
    #[schema(value_type = Uuid)]
    tenant: TenantId,
    state: ApprovalStateName,
    /// The branch of the policy repository that proposes it.
    branch: Option<String>,
    /// Where people look at the proposal.
    url: Option<String>,
    /// The commit of the policy that approves it.
    commit: Option<String>,
    opened_at: Timestamp,
    changed_at: Timestamp,
    users: Vec<SeenApprovalUserBody>,
}

/// One user of a change.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenApprovalUser)]
struct SeenApprovalUserBody {
    #[schema(value_type = Uuid)]
    user: UserId,
    /// The generation of the intent that waits.
    generation: u64,
    /// The hash that an approval names.
    intent_hash: String,
    /// Why it needs an approval, a sentence each.
    reasons: Vec<String>,
}

impl From<ApprovalRequest> for SeenApprovalBody {
    fn from(request: ApprovalRequest) -> Self {
        let state = (&request.state).into();
        let (mut branch, mut url, mut commit) = (None, None, None);
        match request.state {
            ApprovalState::Proposed {
                branch: on,
                url: at,
            } => (branch, url) = (Some(on), at),
            ApprovalState::Approved { commit: by } => commit = Some(by),
            ApprovalState::Waiting | ApprovalState::Rejected { .. } | ApprovalState::Overtaken => {}
        }
        Self {
            change: request.change,
            cell: request.cell,
            tenant: request.tenant,
            state,
            branch,
            url,
            commit,
            opened_at: request.opened_at,
            changed_at: request.changed_at,
            users: request.users.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ApprovalUser> for SeenApprovalUserBody {
    fn from(asked: ApprovalUser) -> Self {
        Self {
            user: asked.user,
            generation: asked.generation,
            intent_hash: asked.intent_hash,
            reasons: asked.reasons.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What waits for approval in every cell, or in one, and what was decided in the last 30 days.
#[utoipa::path(
    get, path = "/api/v5/admin/approvals", tag = "admin",
    params(("cell" = Option<String>, Query, description = "One cell's alone")),
    responses((status = 200, description = "The changes", body = SeenApprovalsBody), (status = 403, description = "The caller is no administrator")),
)]
pub(in crate::route) async fn approvals(
    State(state): State<ApiState>,
    query: Query,
) -> Answer<Json<SeenApprovalsBody>> {
    let [cell] = query.take(["cell"])?;
    let cells: Vec<CellName> = match cell {
        Some(cell) => vec![cell.parse()?],
        None => state.policy().cells.keys().cloned().collect(),
    };
    let mut found = Vec::new();
    for cell in &cells {
        // A view of its own each: one lives five seconds.
        found.extend(state.registry.view().await?.approvals(cell).await?);
    }
    found.sort_by_key(|request| (request.state.is_final(), request.opened_at, request.change));
    let items = found.into_iter().map(Into::into).collect();
    Ok(Json(SeenApprovalsBody { items }))
}
