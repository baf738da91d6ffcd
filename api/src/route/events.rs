//! Live updates of a workspace.

use axum::{
    extract::State,
    http::HeaderMap,
    response::{Response, sse::Event},
};
use coditect_core::{Kind, Result, WorkspaceId};
use coditect_registry::store::Key;

use super::following::{Follower, Following, Wake, end, keys_of_user, keys_of_workspace, streamed};
use crate::{caller::SignedIn, extract::PathId, problem::Answer, state::ApiState};

/// A workspace's state now, and again after each change.
///
/// Events `workspace` hold the workspace as `GET` shows it; the id is its entity tag. With `Last-Event-ID`, the
/// first is left out if nothing has changed since. The last event is `end`; its `reason` is `expired` (the
/// access token has; refresh it and come again), `signed_out`, `deleted` or `stopping` (the server is; come
/// again). Read it by a streamed `fetch`, which can send the access token.
#[utoipa::path(
    get, path = "/api/v5/workspaces/{id}/events", tag = "workspaces",
    params(
        ("id" = Uuid, Path, description = "The workspace"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event received"),
    ),
    responses((status = 200, description = "The stream", content_type = "text/event-stream", body = String)),
)]
pub(super) async fn events(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<WorkspaceId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let view = state
        .registry
        .view()
        .await?
        .workspace(caller.account, id)
        .await?;
    let mut watched = keys_of_user(&view.place.cell, view.place.user, &caller);
    watched.extend(keys_of_workspace(&view.place, id));
    let follower = OfOne {
        watched,
        last: headers
            .get("last-event-id")
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned),
        workspace: id,
        following: Following::new(state, caller)?,
    };
    Ok(streamed(follower))
}

struct OfOne {
    following: Following,
    workspace: WorkspaceId,
    /// Whatever changes what the stream shows or ends it.
    watched: Vec<Key>,
    /// The id of the last event that the client has.
    last: Option<String>,
}

impl Follower for OfOne {
    async fn next(&mut self) -> (Event, bool) {
        loop {
            // Seen first, read second: what changes in between is noticed as a change of what was seen.
            let seen = self.following.seen(&self.watched).await;
            match self.read().await {
                Ok((tag, json)) if self.last.as_ref() != Some(&tag) => {
                    let event = Event::default().event("workspace").id(&tag).data(json);
                    self.last = Some(tag);
                    return (event, true);
                }
                Ok(_) => {}
                Err(Kind::NotFound) => return (end("deleted"), false),
                Err(Kind::Unauthenticated) => return (end("signed_out"), false),
                // The store is away for a moment; the client keeps what it has.
                Err(_) => {}
            }
            match self.following.wait(&self.watched, seen).await {
                Wake::Look => {}
                Wake::End(reason) => return (end(reason), false),
            }
        }
    }
}

impl OfOne {
    async fn read(&mut self) -> Result<(String, String), Kind> {
        let kind = |error: coditect_core::Error| error.kind().clone();
        let mut view = self.following.view().await.map_err(kind)?;
        let workspace = view
            .workspace(self.following.caller.account, self.workspace)
            .await
            .map_err(kind)?;
        self.following.shown(&workspace).map_err(kind)
    }
}
