//! The way into a workspace: a code for its own origin.

use axum::{Json, extract::State};
use coditect_core::{Error, Power, WorkspaceId};
use serde::Serialize;
use utoipa::ToSchema;

use super::workspace_body::address;
use crate::{
    caller::SignedIn, code::EntryCode, config::origin, extract::PathId, problem::Answer,
    state::ApiState,
};

/// The way into a workspace.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkspaceConnection)]
pub(super) struct ConnectionBody {
    /// One use, 30 seconds, for this workspace and this login. Handed to a page of `origin` by `postMessage`, never
    /// put into an address.
    code: String,
    /// Where that page is: scheme, host, and port if it is not the scheme's own.
    #[schema(example = "https://quiet-otter-7k3fm.workspaces.example.com")]
    origin: String,
}

/// A one-time code with which this login comes into the workspace.
///
/// Starts nothing: a workspace that is stopped is started by a person's click.
#[utoipa::path(
    post, path = "/api/v5/workspaces/{id}/connect", tag = "workspaces", params(("id" = Uuid, Path, description = "The workspace")),
    responses(
        (status = 200, description = "The code", body = ConnectionBody),
        (status = 409, description = "The workspace is stopped, or on its way out"),
    ),
)]
pub(super) async fn connect(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<WorkspaceId>,
) -> Answer<Json<ConnectionBody>> {
    let mut view = state.registry.view().await?;
    let workspace = view.workspace(caller.account, id).await?;
    if workspace.power.power == Power::Off {
        return Err(Error::conflict("the workspace is stopped; start it first").into());
    }
    let template = &state.config.workspace_url_template;
    let url = address(&workspace, &state.policy(), template).ok_or_else(|| {
        Error::unavailable(
            "no policy in force knows this workspace's cell; an operator must add it",
        )
    })?;
    let code = EntryCode::new(caller.login()?, id, state.now());
    Ok(Json(ConnectionBody {
        code: code.encode(&state.tokens.keys),
        origin: origin("workspace_url_template", &url)?,
    }))
}
