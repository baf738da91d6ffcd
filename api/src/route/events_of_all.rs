//! Live updates of all of a person's workspaces, by one stream.

use std::collections::{BTreeMap, VecDeque};

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use coditect_core::{Kind, Result, UserId, WorkspaceId};
use coditect_registry::store::Key;

use super::following::{Follower, Following, Wake, end, keys_of_user, keys_of_workspace, streamed};
use crate::{caller::SignedIn, problem::Answer, state::ApiState};

/// Every workspace of the person now, and each again after it changed.
///
/// Events `workspace` hold a workspace as `GET` shows it; the id is its entity tag. `gone` holds the `id` of one that is
/// there no more. The last event is `end`; its `reason` is `expired` (the access token has; refresh it and come
/// again), `signed_out`, `deleted` (the person belongs to no tenant any more) or `stopping` (the server is; come
/// again). A new stream begins with every workspace. Read it by a streamed `fetch`, which can send the access token.
#[utoipa::path(
    get, path = "/api/v5/workspaces/events", tag = "workspaces",
    responses((status = 200, description = "The stream", content_type = "text/event-stream", body = String)),
)]
pub(super) async fn events_of_all(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<Response> {
    let follower = OfAll {
        user: caller.user()?,
        following: Following::new(state, caller)?,
        watched: Vec::new(),
        known: BTreeMap::new(),
        news: VecDeque::new(),
    };
    Ok(streamed(follower))
}

struct OfAll {
    following: Following,
    user: UserId,
    /// Whatever changes what the stream shows or ends it.
    watched: Vec<Key>,
    /// The entity tags that the client has.
    known: BTreeMap<WorkspaceId, String>,
    /// What the client is still to be told.
    news: VecDeque<Event>,
}

impl Follower for OfAll {
    async fn next(&mut self) -> (Event, bool) {
        loop {
            if let Some(event) = self.news.pop_front() {
                return (event, true);
            }
            // Seen first, read second: what changes in between is noticed as a change of what was seen.
            let seen = self.following.seen(&self.watched).await;
            match self.read().await {
                // A workspace more or less is another list to watch: what was seen is of the one before.
                Ok(true) => continue,
                Ok(false) if !self.news.is_empty() => continue,
                Ok(false) => {}
                Err(Kind::NotFound) => return (end("deleted"), false),
                Err(Kind::Unauthenticated) => return (end("signed_out"), false),
                // The store is away for a moment; the client keeps what it has.
                Err(_) => {}
            }
            if let Wake::End(reason) = self.following.wait(&self.watched, seen).await {
                return (end(reason), false);
            }
        }
    }
}

impl OfAll {
    /// Reads all, notes what is news, and says whether there is more or less to watch than before.
    async fn read(&mut self) -> Result<bool, Kind> {
        let kind = |error: coditect_core::Error| error.kind().clone();
        let mut view = self.following.view().await.map_err(kind)?;
        let (_, user) = view
            .user(self.user)
            .await
            .map_err(kind)?
            .ok_or(Kind::NotFound)?;
        let workspaces = view.workspaces(self.user).await.map_err(kind)?;
        let mut gone = std::mem::take(&mut self.known);
        let mut watched = keys_of_user(&user.cell, self.user, &self.following.caller);
        for workspace in &workspaces {
            let id = workspace.id;
            watched.extend(keys_of_workspace(&workspace.place, id));
            let (tag, json) = self.following.shown(workspace).map_err(kind)?;
            if gone.remove(&id).as_ref() != Some(&tag) {
                let event = Event::default().event("workspace").id(&tag).data(json);
                self.news.push_back(event);
            }
            self.known.insert(id, tag);
        }
        for id in gone.into_keys() {
            let event = Event::default().event("gone");
            self.news
                .push_back(event.data(format!("{{\"id\":\"{id}\"}}")));
        }
        let differs = watched != self.watched;
        self.watched = watched;
        Ok(differs)
    }
}
