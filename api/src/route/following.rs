//! What every stream of live updates does: it waits for a change of what it shows, and ends with its access token.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use coditect_core::{Catalogue, CellName, Error, Result, UserId, WorkspaceId};
use coditect_registry::{
    View, WorkspaceView,
    keys::{self, WorkspacePart},
    record::WorkspacePlace,
    store::{Isolation, Key, StoreError, Value},
};
use futures::{FutureExt, future::select_all};
use tokio::{sync::watch, time::Instant};

use super::{entity, workspace_body::WorkspaceBody};
use crate::{
    caller::SignedIn,
    state::{ApiState, OpenStream},
};

/// How often a comment is sent, so that proxies do not take a quiet stream for a dead one.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the state is read although nothing was said to have changed.
const FALLBACK: Duration = Duration::from_secs(30);
/// How long to wait after the store has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A stream's place, its caller, and how long it lasts.
pub(super) struct Following {
    state: ApiState,
    pub(super) caller: SignedIn,
    policy: watch::Receiver<Arc<Catalogue>>,
    expires: Instant,
    /// Gives the place back when the client has gone.
    #[allow(dead_code, reason = "held, not read")]
    open: OpenStream,
}

/// What a stream is made of.
pub(super) trait Follower: Send + 'static {
    /// The next event, and whether others may follow.
    fn next(&mut self) -> impl Future<Output = (Event, bool)> + Send;
}

/// Why a stream waits no longer.
pub(super) enum Wake {
    Look,
    End(&'static str),
}

/// What changes all of a user's workspaces, or ends the caller's streams.
pub(super) fn keys_of_user(cell: &CellName, user: UserId, caller: &SignedIn) -> Vec<Key> {
    vec![
        keys::intent(cell, user),
        keys::committed(cell, user),
        caller.watched(),
    ]
}

/// What changes one workspace.
pub(super) fn keys_of_workspace(place: &WorkspacePlace, id: WorkspaceId) -> [Key; 3] {
    [
        WorkspacePart::Profile,
        WorkspacePart::Status,
        WorkspacePart::Power,
    ]
    .map(|part| keys::workspace(place.tenant, place.user, id, part))
}

impl Following {
    /// # Errors
    /// `TooMany` if the account has too many streams open.
    pub(super) fn new(state: ApiState, caller: SignedIn) -> Result<Self> {
        let left = caller.expires.saturating_mul(1_000) - state.now().as_millisecond();
        Ok(Self {
            open: state.open_stream(caller.account)?,
            policy: state.catalogue.clone(),
            expires: Instant::now() + Duration::from_millis(u64::try_from(left).unwrap_or(0)),
            state,
            caller,
        })
    }

    /// A view of what holds now, for a caller whose login has not ended.
    pub(super) async fn view(&self) -> Result<View> {
        let mut view = self.state.registry.view().await?;
        self.caller.still(&self.state, &mut view).await?;
        Ok(view)
    }

    /// A workspace's entity tag and JSON, by the policy in force.
    pub(super) fn shown(&mut self, workspace: &WorkspaceView) -> Result<(String, String)> {
        let policy = Arc::clone(&self.policy.borrow_and_update());
        let url = &self.state.config.workspace_url_template;
        let body = WorkspaceBody::new(workspace, &policy, url);
        let unwritable = |_| Error::internal("a workspace cannot be written");
        let tag = entity::tag(workspace.profile.revision, &body)
            .map_err(|_| Error::internal("a workspace cannot be written"))?;
        let json = serde_json::to_string(&body).map_err(unwritable)?;
        Ok((tag.trim_matches('"').to_owned(), json))
    }

    /// What these keys hold.
    pub(super) async fn seen(&self, watched: &[Key]) -> Result<Vec<Option<Value>>, StoreError> {
        let mut transaction = self.state.registry.store().begin().await?;
        let mut values = Vec::with_capacity(watched.len());
        for key in watched {
            values.push(transaction.get(key, Isolation::Snapshot).await?);
        }
        Ok(values)
    }

    /// Waits until one of them is not what was seen, the policy changes, or the stream is over.
    pub(super) async fn wait(
        &mut self,
        watched: &[Key],
        seen: Result<Vec<Option<Value>>, StoreError>,
    ) -> Wake {
        let store = self.state.registry.store();
        let changed = async {
            let Some(seen) = seen.as_ref().ok().filter(|seen| !seen.is_empty()) else {
                return tokio::time::sleep(AFTER_FAILURE).await;
            };
            let waits = watched
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

/// The last event of a stream.
pub(super) fn end(reason: &'static str) -> Event {
    Event::default()
        .event("end")
        .data(format!("{{\"reason\":\"{reason}\"}}"))
}

/// The answer that streams these events.
pub(super) fn streamed(follower: impl Follower) -> Response {
    let events = futures::stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        let (event, more) = follower.next().await;
        Some((Ok::<_, Infallible>(event), more.then_some(follower)))
    });
    let stream =
        Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("still here"));
    // Proxies that gather answers before passing them on are asked not to.
    let unbuffered = [(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    )];
    (unbuffered, stream).into_response()
}
