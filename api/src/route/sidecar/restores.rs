//! Earlier contents of files that a person wants back, as the workspace's gateway is told of them.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{
    Error, RequestId, Result,
    sidecar::{Restore, Restored},
};
use coditect_registry::{operation::EndRestore, record::FileRestore};
use uuid::Uuid;

use super::body::RestoredBody;
use crate::{
    extract::JsonBody,
    gateway::Gateway,
    problem::{Answer, NOT_FOUND, Problem},
    state::ApiState,
};

/// Longest name of what stays beside, in bytes: as long as a file's name may be.
const LONGEST_NAME: usize = 255;

/// Those of a workspace that wait.
pub(super) async fn waiting(state: &ApiState, gateway: &Gateway) -> Result<Vec<Restore>> {
    let mut view = state.registry.view().await?;
    let asked = view.restores(&gateway.place, gateway.workspace).await?;
    let waiting = asked.into_iter().filter(|one| one.ended.is_none());
    Ok(waiting.map(told).collect())
}

fn told(asked: FileRestore) -> Restore {
    Restore {
        id: asked.id,
        path: asked.path.to_string(),
        size: asked.snapshot.size,
        sha256: asked.snapshot.hash,
        replaces: asked.replaces,
    }
}

fn nothing() -> Problem {
    Problem::new(
        &NOT_FOUND,
        "Nobody waits for this content, or it is not kept any more.",
    )
}

/// An earlier content of a file that somebody wants back.
#[utoipa::path(
    get, path = "/api/v5/sidecar/restores/{restore}", tag = "sidecar",
    params(("restore" = Uuid, Path, description = "The wish")),
    responses(
        (status = 200, description = "The content as it was", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 404, description = "Nobody waits for it, or it is not kept any more"),
    ),
)]
pub(in crate::route) async fn restored_content(
    State(state): State<ApiState>,
    gateway: Gateway,
    Path(id): Path<String>,
) -> Answer<Response> {
    let id: Uuid = id.parse().map_err(|_| nothing())?;
    let mut view = state.registry.view().await?;
    let asked = view.restores(&gateway.place, gateway.workspace).await?;
    let asked = asked
        .into_iter()
        .find(|one| one.id == id && one.ended.is_none())
        .ok_or_else(nothing)?;
    let objects = state.objects().ok_or_else(nothing)?;
    let content = objects.get(&asked.snapshot.object).await?;
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((kind, content.ok_or_else(nothing)?).into_response())
}

/// Says what became of it. What was said already, or of something that is unknown, changes nothing.
#[utoipa::path(
    post, path = "/api/v5/sidecar/restores/{restore}", tag = "sidecar", request_body = RestoredBody,
    params(("restore" = Uuid, Path, description = "The wish")),
    responses((status = 204, description = "Noted")),
)]
pub(in crate::route) async fn restored(
    State(state): State<ApiState>,
    gateway: Gateway,
    Path(id): Path<String>,
    JsonBody(outcome): JsonBody<Restored>,
) -> Answer<StatusCode> {
    if let Restored::Done { beside: Some(name) } = &outcome
        && (name.len() > LONGEST_NAME || name.contains('/'))
    {
        return Err(Error::invalid("beside", "is no name of a file").into());
    }
    let operation = EndRestore {
        cell: gateway.cell(),
        user: gateway.user(),
        workspace: gateway.workspace,
        id: id.parse().map_err(|_| nothing())?,
        outcome,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
