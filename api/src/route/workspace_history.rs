//! What Git holds for a workspace, and how it came to be.

use std::sync::Arc;

use axum::{Json, extract::State};
use coditect_core::{Error, WorkspaceId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    caller::SignedIn,
    extract::{PathId, Query},
    problem::{Answer, NO_REPOSITORY, Problem},
    repositories::{CommittedChange, Manifests, Repositories},
    state::ApiState,
};

/// How many commits are shown.
const MOST: usize = 50;

/// The commits that touched a workspace.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkspaceHistory)]
pub(super) struct HistoryBody {
    /// The newest 50, the newest first.
    items: Vec<CommittedChange>,
}

fn elsewhere() -> Problem {
    Problem::new(
        &NO_REPOSITORY,
        "The repository of this workspace's cell is not where this answer was made.",
    )
}

fn reader(state: &ApiState) -> Answer<Arc<dyn Repositories>> {
    state.repositories().ok_or_else(elsewhere)
}

/// The commits that touched the workspace or what all workspaces of its user share, the newest first.
#[utoipa::path(
    get, path = "/api/v5/workspaces/{id}/history", tag = "workspaces", params(("id" = Uuid, Path, description = "The workspace")),
    responses(
        (status = 200, description = "The commits", body = HistoryBody),
        (status = 404, description = "There is no such workspace, or the API cannot read its cell's repository"),
    ),
)]
pub(super) async fn history(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<WorkspaceId>,
) -> Answer<Json<HistoryBody>> {
    let mut view = state.registry.view().await?;
    let place = view.workspace(caller.account, id).await?.place;
    let found = reader(&state)?
        .history(place.cell, place.user, MOST)
        .await?;
    Ok(Json(HistoryBody {
        items: found.ok_or_else(elsewhere)?,
    }))
}

/// What Git holds for the workspace, as of its newest commit or of one that its history names.
#[utoipa::path(
    get, path = "/api/v5/workspaces/{id}/manifests", tag = "workspaces",
    params(
        ("id" = Uuid, Path, description = "The workspace"),
        ("commit" = Option<String>, Query, description = "A commit of its history, 40 hexadecimal digits"),
    ),
    responses(
        (status = 200, description = "The objects", body = Manifests),
        (status = 404, description = "There is no such workspace or commit, or the API cannot read its cell's repository"),
    ),
)]
pub(super) async fn manifests(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<WorkspaceId>,
    query: Query,
) -> Answer<Json<Manifests>> {
    let [commit] = query.take(["commit"])?;
    let is_commit = |text: &String| {
        text.len() == 40
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if commit.as_ref().is_some_and(|commit| !is_commit(commit)) {
        let message = "must be 40 lower-case hexadecimal digits";
        return Err(Error::invalid("commit", message).into());
    }
    let mut view = state.registry.view().await?;
    let place = view.workspace(caller.account, id).await?.place;
    let reader = reader(&state)?;
    let found = reader.manifests(place.cell, place.user, id, commit).await?;
    Ok(Json(found.ok_or_else(elsewhere)?))
}
