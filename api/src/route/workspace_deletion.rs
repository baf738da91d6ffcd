//! How workspaces are deleted: marked first, or erased at once by who knows the password.

use axum::{extract::State, http::StatusCode, response::Response};
use coditect_core::{RequestId, WorkspaceId};
use coditect_registry::operation::{DeleteWorkspace, MarkWorkspace, RestoreWorkspace};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    auth::Secret, me_deletion::grace_end, presence::is_person, workspace_body::WorkspaceBody,
    workspaces::show,
};
use crate::{
    caller::SignedIn,
    extract::{JsonBody, PathId},
    problem::Answer,
    state::ApiState,
};

/// Deletes a workspace once the grace period has passed.
#[utoipa::path(
    delete, path = "/api/v5/workspaces/{id}", tag = "workspaces", params(("id" = Uuid, Path, description = "The workspace")),
    responses((status = 202, description = "Stopped and marked; it can be restored until the grace period ends", body = WorkspaceBody)),
)]
pub(super) async fn delete(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(workspace): PathId<WorkspaceId>,
) -> Answer<Response> {
    let at = state.now();
    let operation = MarkWorkspace {
        account: caller.account,
        workspace,
        until: grace_end(&state, at)?,
        at,
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    show(&state, &caller, workspace, StatusCode::ACCEPTED).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkspaceErasure)]
pub(super) struct Erasure {
    /// The account's password. Who has none must have signed in within the last ten minutes.
    password: Option<Secret>,
}

/// Erases a workspace at once and for good.
#[utoipa::path(
    post, path = "/api/v5/workspaces/{id}/erase", tag = "workspaces", request_body = Erasure,
    params(("id" = Uuid, Path, description = "The workspace")),
    responses((status = 204, description = "Erased")),
)]
pub(super) async fn erase(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(workspace): PathId<WorkspaceId>,
    JsonBody(body): JsonBody<Erasure>,
) -> Answer<StatusCode> {
    // Of what is not theirs nobody is asked for a password.
    let mut view = state.registry.view().await?;
    view.workspace(caller.account, workspace).await?;
    is_person(&state, &caller, body.password.as_ref()).await?;
    let operation = DeleteWorkspace {
        account: caller.account,
        workspace,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the mark off a workspace. It stays off until it is started.
#[utoipa::path(
    post, path = "/api/v5/workspaces/{id}/restore", tag = "workspaces", params(("id" = Uuid, Path, description = "The workspace")),
    responses((status = 200, description = "Restored", body = WorkspaceBody)),
)]
pub(super) async fn restore(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(workspace): PathId<WorkspaceId>,
) -> Answer<Response> {
    let operation = RestoreWorkspace {
        account: caller.account,
        workspace,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    show(&state, &caller, workspace, StatusCode::OK).await
}
