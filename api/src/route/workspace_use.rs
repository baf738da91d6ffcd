//! Whether a workspace is used: what a person says, and what is reported.

use axum::{extract::State, http::StatusCode};
use coditect_core::{Activity, Error, RequestId, WorkspaceId};
use coditect_registry::operation::{Keep, NoteActivity};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    caller::SignedIn,
    extract::{JsonBody, PathId},
    problem::Answer,
    state::ApiState,
};

/// Says that a running workspace is in use, so that it is not suspended for want of it.
///
/// Sent when the person clicks, never by itself. One that is stopped is not kept but started.
#[utoipa::path(
    post, path = "/api/v5/workspaces/{id}/keep", tag = "workspaces", params(("id" = Uuid, Path, description = "The workspace")),
    responses((status = 204, description = "Counts as used now")),
)]
pub(super) async fn keep(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(workspace): PathId<WorkspaceId>,
) -> Answer<StatusCode> {
    let operation = Keep {
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

/// When a workspace was last used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkspaceActivity)]
pub(super) struct Report {
    /// When a person last typed or clicked.
    input_at: Option<Timestamp>,
    /// When a terminal last printed something, or a task last ran.
    output_at: Option<Timestamp>,
}

/// Reports when a workspace was last used.
///
/// A report without times says that it could be seen and was not used. What is known never goes back, and
/// times that lie ahead count as now.
#[utoipa::path(
    put, path = "/api/v5/workspaces/{id}/activity", tag = "workspaces", request_body = Report,
    params(("id" = Uuid, Path, description = "The workspace")),
    responses((status = 204, description = "Noted")),
)]
pub(super) async fn report(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<WorkspaceId>,
    JsonBody(report): JsonBody<Report>,
) -> Answer<StatusCode> {
    let found = state
        .registry
        .view()
        .await?
        .workspace(caller.account, id)
        .await?;
    let at = state.now();
    let operation = NoteActivity {
        cell: found.place.cell,
        workspace: id,
        activity: Activity {
            input_at: report.input_at,
            output_at: report.output_at,
            reported_at: at,
        },
        at,
    };
    if !state
        .registry
        .apply(RequestId::random(), &operation)
        .await?
    {
        return Err(Error::not_found("there is no workspace of that id").into());
    }
    Ok(StatusCode::NO_CONTENT)
}
