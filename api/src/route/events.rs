//! Live updates of a workspace.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use coditect_core::{Catalogue, Kind, Result, WorkspaceId};
use coditect_registry::{
    WorkspaceView,
    keys::{self, WorkspacePart},
    store::{Isolation, Key, StoreError, Value},
};
use futures::{FutureExt, Stream, future::select_all};
use tokio::{sync::watch, time::Instant};

use super::{entity, workspace_body::WorkspaceBody};
use crate::{
    caller::SignedIn,
    extract::PathId,
    problem::Answer,
    state::{ApiState, OpenStream},
};

/// How often a comment is sent, so that proxies do not take a quiet stream for a dead one.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the state is read although nothing was said to have changed.
const FALLBACK: Duration = Duration::from_secs(30);
/// How long to wait after the store has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

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
    let left = Duration::from_millis(
        u64::try_from(caller.expires.saturating_mul(1_000) - state.now().as_millisecond())
            .unwrap_or(0),
    );
    let follower = Follower {
        watched: watched_keys(&caller, &view),
        open: state.open_stream(caller.account)?,
        policy: state.catalogue.clone(),
        expires: Instant::now() + left,
        last: headers
            .get("last-event-id")
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned),
        workspace: id,
        state,
        caller,
    };
    let stream = Sse::new(follow(follower))
        .keep_alive(KeepAlive::new().interval(HEARTBEAT).text("still here"));
    // Proxies that gather answers before passing them on are asked not to.
    Ok((
        [(
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        )],
        stream,
    )
        .into_response())
}

struct Follower {
    state: ApiState,
    caller: SignedIn,
    workspace: WorkspaceId,
    /// Whatever changes what the stream shows or ends it.
    watched: Vec<Key>,
    policy: watch::Receiver<Arc<Catalogue>>,
    expires: Instant,
    /// The id of the last event that the client has.
    last: Option<String>,
    /// Gives the place back when the client has gone.
    #[allow(dead_code, reason = "held, not read")]
    open: OpenStream,
}

fn watched_keys(caller: &SignedIn, view: &WorkspaceView) -> Vec<Key> {
    let place = &view.place;
    let part = |part| keys::workspace(place.tenant, place.user, view.id, part);
    vec![
        keys::intent(&place.cell, place.user),
        keys::committed(&place.cell, place.user),
        part(WorkspacePart::Profile),
        part(WorkspacePart::Status),
        part(WorkspacePart::Power),
        keys::login(caller.account, caller.login),
    ]
}

fn follow(follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> {
    futures::stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        let (event, more) = follower.next().await;
        Some((Ok(event), more.then_some(follower)))
    })
}

/// Why a stream waits no longer.
enum Wake {
    Look,
    End(&'static str),
}

impl Follower {
    /// The next event, and whether others may follow.
    async fn next(&mut self) -> (Event, bool) {
        loop {
            // Seen first, read second: what changes in between is noticed as a change of what was seen.
            let seen = self.seen().await;
            match self.read().await {
                Ok((tag, json)) if self.last.as_ref() != Some(&tag) => {
                    let event = Event::default().event("workspace").id(&tag).data(json);
                    self.last = Some(tag);
                    return (event, true);
                }
                Ok(_) => {}
                Err(Kind::NotFound) => return end("deleted"),
                Err(Kind::Unauthenticated) => return end("signed_out"),
                // The store is away for a moment; the client keeps what it has.
                Err(_) => {}
            }
            match self.wait(seen).await {
                Wake::Look => {}
                Wake::End(reason) => return end(reason),
            }
        }
    }

    async fn seen(&self) -> Result<Vec<Option<Value>>, StoreError> {
        let mut transaction = self.state.registry.store().begin().await?;
        let mut values = Vec::with_capacity(self.watched.len());
        for key in &self.watched {
            values.push(transaction.get(key, Isolation::Snapshot).await?);
        }
        Ok(values)
    }

    async fn read(&mut self) -> Result<(String, String), Kind> {
        let kind = |error: coditect_core::Error| error.kind().clone();
        let mut view = self.state.registry.view().await.map_err(kind)?;
        self.caller
            .still(&self.state, &mut view)
            .await
            .map_err(kind)?;
        let workspace = view
            .workspace(self.caller.account, self.workspace)
            .await
            .map_err(kind)?;
        let policy = Arc::clone(&self.policy.borrow_and_update());
        let url = &self.state.config.workspace_url_template;
        let body = WorkspaceBody::new(&workspace, &policy, url);
        let tag = entity::tag(workspace.profile.revision, &body).map_err(|_| Kind::Internal)?;
        let json = serde_json::to_string(&body).map_err(|_| Kind::Internal)?;
        Ok((tag.trim_matches('"').to_owned(), json))
    }

    async fn wait(&mut self, seen: Result<Vec<Option<Value>>, StoreError>) -> Wake {
        let store = self.state.registry.store();
        let changed = async {
            let Ok(seen) = &seen else {
                return tokio::time::sleep(AFTER_FAILURE).await;
            };
            let waits = self
                .watched
                .iter()
                .zip(seen)
                .map(|(key, seen)| store.changed(key, seen.as_deref()).boxed());
            if select_all(waits).await.0.is_err() {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        };
        let policy_changed = async {
            if self.policy.changed().await.is_err() {
                // Nobody publishes policies any more.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = self.state.stopping.cancelled() => Wake::End("stopping"),
            () = tokio::time::sleep_until(self.expires) => Wake::End("expired"),
            () = changed => Wake::Look,
            () = policy_changed => Wake::Look,
            () = tokio::time::sleep(FALLBACK) => Wake::Look,
        }
    }
}

fn end(reason: &'static str) -> (Event, bool) {
    (
        Event::default()
            .event("end")
            .data(format!("{{\"reason\":\"{reason}\"}}")),
        false,
    )
}
