//! What the person has open in their workspaces, shared by browser tabs.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use coditect_core::{Error, RequestId, Result, SessionId, WorkspaceId};
use coditect_registry::{
    Operation,
    operation::{EndSession, OpenSession, TouchSession, UpdateSession, shared_session},
    record::Session,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    auth::derived,
    entity,
    paging::{self, Paging},
};
use crate::{
    caller::SignedIn,
    extract::{IdempotencyKey, JsonBody, PathId, Query},
    problem::Answer,
    state::ApiState,
};

/// A page of sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionPage)]
pub(super) struct PageBody {
    /// By id, each without what is open in it.
    items: Vec<ItemBody>,
    /// The `cursor` of the next page, if there is one.
    next_cursor: Option<String>,
}

/// A session.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionItem)]
struct ItemBody {
    #[schema(value_type = Uuid)]
    id: SessionId,
    #[schema(value_type = Uuid)]
    workspace: WorkspaceId,
    opened_at: Timestamp,
    /// When somebody was last in it, to the minute.
    seen_at: Timestamp,
    /// When it is forgotten unless somebody comes back.
    expires_at: Timestamp,
    /// True for the one that the workspace's own tabs share: its gateway keeps it, so it cannot be changed here.
    shared: bool,
}

/// A session with what is open in it.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionBody {
    #[serde(flatten)]
    item: ItemBody,
    /// What is open, as whoever opened it understands it.
    #[schema(value_type = Object)]
    state: Value,
}

impl ItemBody {
    fn new(id: SessionId, session: &Session) -> Self {
        Self {
            id,
            workspace: session.workspace,
            opened_at: session.opened_at,
            seen_at: session.seen_at,
            expires_at: session.expires_at(),
            shared: is_shared(id, session),
        }
    }
}

fn is_shared(id: SessionId, session: &Session) -> bool {
    id == shared_session(session.workspace)
}

fn none() -> Error {
    Error::not_found("there is no session of that id")
}

/// One of the person's sessions, if it is not forgotten.
async fn find(state: &ApiState, caller: &SignedIn, id: SessionId) -> Result<Session> {
    let mut view = state.registry.view().await?;
    let found = view.session(caller.user()?, id).await?;
    found
        .filter(|session| state.now() < session.expires_at())
        .ok_or_else(none)
}

/// The person's sessions, a page at a time.
#[utoipa::path(
    get, path = "/api/v5/sessions", tag = "sessions",
    params(
        ("limit" = Option<u32>, Query, description = "How many on a page, 1 to 100", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("workspace" = Option<Uuid>, Query, description = "Those in this workspace only"),
    ),
    responses((status = 200, description = "A page", body = PageBody)),
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: SignedIn,
    query: Query,
) -> Answer<Json<PageBody>> {
    let [limit, cursor, workspace] = query.take(["limit", "cursor", "workspace"])?;
    let page = Paging::new(limit, cursor)?;
    let after = page.after_id(SessionId::from_bytes)?;
    let workspace: Option<WorkspaceId> = workspace.map(|text| text.parse()).transpose()?;
    let found = state
        .registry
        .view()
        .await?
        .sessions(caller.user()?)
        .await?;
    let now = state.now();
    let mut rest = found
        .iter()
        .filter(|(id, session)| {
            after.is_none_or(|after| *id > after)
                && workspace.is_none_or(|workspace| workspace == session.workspace)
                && now < session.expires_at()
        })
        .map(|(id, session)| ItemBody::new(*id, session));
    let items: Vec<_> = rest.by_ref().take(page.limit).collect();
    let next_cursor = items
        .last()
        .filter(|_| rest.next().is_some())
        .map(|last| paging::cursor(last.id.as_bytes()));
    Ok(Json(PageBody { items, next_cursor }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSession)]
pub(super) struct NewSession {
    /// One of the person's workspaces.
    #[schema(value_type = Uuid)]
    workspace: WorkspaceId,
    /// What is open: an object of at most 32 KiB of JSON.
    #[schema(value_type = Object)]
    state: Value,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionState)]
pub(super) struct StateBody {
    /// What is open now: an object of at most 32 KiB of JSON.
    #[schema(value_type = Object)]
    state: Value,
}

fn object(state: Value) -> Result<Value> {
    match state {
        Value::Object(_) => Ok(state),
        _ => Err(Error::invalid("state", "must be an object")),
    }
}

/// Opens a session in a workspace. Of 20 sessions the one that nobody was in for longest is ended for it.
///
/// With an `Idempotency-Key`, the same key always names the same session.
#[utoipa::path(
    post, path = "/api/v5/sessions", tag = "sessions", request_body = NewSession,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt; 1 to 255 visible ASCII characters")),
    responses(
        (status = 201, description = "Opened", body = SessionBody),
        (status = 404, description = "There is no such workspace, or the attempt's session has ended meanwhile"),
    ),
)]
pub(super) async fn create(
    State(state): State<ApiState>,
    caller: SignedIn,
    attempt: IdempotencyKey,
    JsonBody(body): JsonBody<NewSession>,
) -> Answer<Response> {
    let mut view = state.registry.view().await?;
    let workspace = view.workspace(caller.account, body.workspace).await?;
    if workspace.place.user != caller.user()? {
        let elsewhere = "there is no workspace of that id in your present membership";
        return Err(Error::not_found(elsewhere).into());
    }
    let drawn = |purpose| attempt.draw(&state.tokens.keys, purpose, caller.account);
    let session = SessionId::from_bytes(derived(drawn("session")));
    let operation = OpenSession {
        account: caller.account,
        session,
        workspace: body.workspace,
        state: object(body.state)?,
        at: state.now(),
    };
    let request = RequestId::from_bytes(derived(drawn("open session")));
    state.registry.apply(request, &operation).await?;
    let mut response = show(&state, &caller, session, StatusCode::CREATED).await?;
    let location = HeaderValue::from_str(&format!("/api/v5/sessions/{session}"));
    response.headers_mut().insert(
        header::LOCATION,
        location.map_err(|error| Error::internal("a header cannot be written").because(error))?,
    );
    Ok(response)
}

async fn show(
    state: &ApiState,
    caller: &SignedIn,
    id: SessionId,
    status: StatusCode,
) -> Answer<Response> {
    let session = find(state, caller, id).await?;
    let (revision, body) = body_of(id, session);
    entity::answer(status, revision, &body)
}

fn body_of(id: SessionId, session: Session) -> (u64, SessionBody) {
    let item = ItemBody::new(id, &session);
    let body = SessionBody {
        item,
        state: session.state,
    };
    (session.revision, body)
}

/// One session with what is open in it.
#[utoipa::path(
    get, path = "/api/v5/sessions/{id}", tag = "sessions", params(("id" = Uuid, Path, description = "The session")),
    responses((status = 200, description = "The session", body = SessionBody), (status = 304, description = "Unchanged since `If-None-Match`")),
)]
pub(super) async fn get(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<SessionId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let session = find(&state, &caller, id).await?;
    let (revision, body) = body_of(id, session);
    entity::answer_get(&headers, revision, &body)
}

/// Replaces what is open.
#[utoipa::path(
    put, path = "/api/v5/sessions/{id}", tag = "sessions", request_body = StateBody,
    params(
        ("id" = Uuid, Path, description = "The session"),
        ("If-Match" = Option<String>, Header, description = "The entity tag the change is based on"),
    ),
    responses(
        (status = 200, description = "The session as changed", body = SessionBody),
        (status = 409, description = "It is the one that the workspace's tabs share"),
        (status = 412, description = "It was changed meanwhile"),
    ),
)]
pub(super) async fn put(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(session): PathId<SessionId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<StateBody>,
) -> Answer<Response> {
    let expected = entity::expected_revision(&headers)?;
    if is_shared(session, &find(&state, &caller, session).await?) {
        let message = "the workspace's gateway keeps this session; change it in the workspace";
        return Err(Error::conflict(message).into());
    }
    let operation = UpdateSession {
        account: caller.account,
        user: caller.user()?,
        session,
        expected,
        state: object(body.state)?,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await
        .map_err(|error| entity::failed(error, expected))?;
    show(&state, &caller, session, StatusCode::OK).await
}

/// Says that somebody is in a session: it is forgotten later.
#[utoipa::path(
    post, path = "/api/v5/sessions/{id}/seen", tag = "sessions", params(("id" = Uuid, Path, description = "The session")),
    responses((status = 204, description = "Noted")),
)]
pub(super) async fn seen(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(session): PathId<SessionId>,
) -> Answer<StatusCode> {
    let operation = TouchSession {
        account: caller.account,
        user: caller.user()?,
        session,
        at: state.now(),
    };
    note(&state, &caller, session, &operation).await
}

/// Ends a session: what was open in it is forgotten.
#[utoipa::path(
    delete, path = "/api/v5/sessions/{id}", tag = "sessions", params(("id" = Uuid, Path, description = "The session")),
    responses((status = 204, description = "Ended")),
)]
pub(super) async fn delete(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(session): PathId<SessionId>,
) -> Answer<StatusCode> {
    let operation = EndSession {
        account: caller.account,
        user: caller.user()?,
        session,
        at: state.now(),
    };
    note(&state, &caller, session, &operation).await
}

/// Does something to a session that is not forgotten.
async fn note(
    state: &ApiState,
    caller: &SignedIn,
    session: SessionId,
    operation: &impl Operation,
) -> Answer<StatusCode> {
    find(state, caller, session).await?;
    let request = RequestId::random();
    state.registry.apply(request, operation).await?;
    Ok(StatusCode::NO_CONTENT)
}
