//! The person's workspaces.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use coditect_core::{Error, Power, RequestId, WorkspaceId, WorkspaceName};
use coditect_registry::operation::{CreateWorkspace, RenameWorkspace, SetPower};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    auth::derived,
    entity,
    paging::{self, Paging},
    workspace_body::WorkspaceBody,
};
use crate::{
    address::CameFrom,
    caller::{SignedIn, count_new_workspace},
    extract::{IdempotencyKey, JsonBody, PathId, Query},
    problem::Answer,
    state::ApiState,
};

/// A page of workspaces.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkspacePage)]
pub(super) struct PageBody {
    /// By id.
    items: Vec<WorkspaceBody>,
    /// The `cursor` of the next page, if there is one.
    next_cursor: Option<String>,
}

/// The person's workspaces, a page at a time.
#[utoipa::path(
    get, path = "/api/v5/workspaces", tag = "workspaces",
    params(
        ("limit" = Option<u32>, Query, description = "How many on a page, 1 to 100", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page", body = PageBody)),
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: SignedIn,
    query: Query,
) -> Answer<Json<PageBody>> {
    let [limit, cursor] = query.take(["limit", "cursor"])?;
    let page = Paging::new(limit, cursor)?;
    let after = page.after_id(WorkspaceId::from_bytes)?;
    let found = state
        .registry
        .view()
        .await?
        .workspaces(caller.user()?)
        .await?;
    let policy = state.policy();
    let mut rest = found
        .iter()
        .filter(|view| after.is_none_or(|after| view.id > after));
    let shown: Vec<_> = rest.by_ref().take(page.limit).collect();
    let next_cursor = shown
        .last()
        .filter(|_| rest.next().is_some())
        .map(|last| paging::cursor(last.id.as_bytes()));
    Ok(Json(PageBody {
        items: shown
            .into_iter()
            .map(|view| WorkspaceBody::new(view, &policy, &state.config.workspace_url_template))
            .collect(),
        next_cursor,
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkspaceNaming)]
pub(super) struct Naming {
    /// 1 to 40 letters, digits, spaces and `- _ . '`, in one script.
    #[schema(max_length = 40, example = "thesis")]
    name: String,
}

/// Makes a workspace; it starts at once.
///
/// With an `Idempotency-Key`, the same key always names the same workspace.
#[utoipa::path(
    post, path = "/api/v5/workspaces", tag = "workspaces", request_body = Naming,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt; 1 to 255 visible ASCII characters")),
    responses((status = 201, description = "Made", body = WorkspaceBody)),
)]
pub(super) async fn create(
    State(state): State<ApiState>,
    caller: SignedIn,
    attempt: IdempotencyKey,
    from: CameFrom,
    JsonBody(naming): JsonBody<Naming>,
) -> Answer<Response> {
    let name: WorkspaceName = naming.name.parse()?;
    let (tenant_id, user_id) = caller.membership()?;
    count_new_workspace(&state, from.address)?;
    let mut view = state.registry.view().await?;
    let gone = || Error::not_found("this account belongs to no tenant any more");
    let tenant = view.tenant(tenant_id).await?.ok_or_else(gone)?;
    let (_, user) = view.user(user_id).await?.ok_or_else(gone)?;
    let policy = state.policy();
    let entitlement = policy.entitlement(tenant_id, &tenant.plan);
    let entitlement = entitlement.ok_or_else(|| {
        Error::unavailable("no policy in force knows this tenant's plan; an operator must add it")
    })?;
    let cell = policy.cells.get(&user.cell).cloned();
    let cell = cell.ok_or_else(|| {
        Error::unavailable("no policy in force knows this user's cell; an operator must add it")
    })?;
    let request = attempt.draw(&state.tokens.keys, "create workspace", caller.account);
    let operation = CreateWorkspace {
        account: caller.account,
        user: user_id,
        name,
        entitlement,
        cell,
        at: state.now(),
    };
    let id = state
        .registry
        .apply(RequestId::from_bytes(derived(request)), &operation)
        .await?;
    let mut response = show(&state, &caller, id, StatusCode::CREATED).await?;
    let location = HeaderValue::from_str(&format!("/api/v5/workspaces/{id}"));
    response.headers_mut().insert(
        header::LOCATION,
        location.map_err(|error| Error::internal("a header cannot be written").because(error))?,
    );
    Ok(response)
}

/// Answers with a workspace as it is now.
pub(super) async fn show(
    state: &ApiState,
    caller: &SignedIn,
    id: WorkspaceId,
    status: StatusCode,
) -> Answer<Response> {
    let view = state
        .registry
        .view()
        .await?
        .workspace(caller.account, id)
        .await?;
    entity::answer(
        status,
        view.profile.revision,
        &WorkspaceBody::new(&view, &state.policy(), &state.config.workspace_url_template),
    )
}

/// One workspace: its phase, the commit that holds it, and how long that took.
#[utoipa::path(
    get, path = "/api/v5/workspaces/{id}", tag = "workspaces", params(("id" = Uuid, Path, description = "The workspace")),
    responses((status = 200, description = "The workspace", body = WorkspaceBody), (status = 304, description = "Unchanged since `If-None-Match`")),
)]
pub(super) async fn get(
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
    entity::answer_get(
        &headers,
        view.profile.revision,
        &WorkspaceBody::new(&view, &state.policy(), &state.config.workspace_url_template),
    )
}

/// Renames a workspace.
#[utoipa::path(
    patch, path = "/api/v5/workspaces/{id}", tag = "workspaces", request_body = Naming,
    params(
        ("id" = Uuid, Path, description = "The workspace"),
        ("If-Match" = Option<String>, Header, description = "The entity tag the change is based on"),
    ),
    responses((status = 200, description = "The workspace as changed", body = WorkspaceBody)),
)]
pub(super) async fn patch(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(workspace): PathId<WorkspaceId>,
    headers: HeaderMap,
    JsonBody(naming): JsonBody<Naming>,
) -> Answer<Response> {
    let expected = entity::expected_revision(&headers)?;
    let name: WorkspaceName = naming.name.parse()?;
    let operation = RenameWorkspace {
        account: caller.account,
        workspace,
        name,
        expected,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await
        .map_err(|error| entity::failed(error, expected))?;
    show(&state, &caller, workspace, StatusCode::OK).await
}

/// Starts a workspace.
#[utoipa::path(
    post, path = "/api/v5/workspaces/{id}/start", tag = "workspaces", params(("id" = Uuid, Path, description = "The workspace")),
    responses((status = 202, description = "On its way", body = WorkspaceBody)),
)]
pub(super) async fn start(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<WorkspaceId>,
) -> Answer<Response> {
    set_power(&state, &caller, id, Power::On).await
}

/// Stops a workspace; its files are kept.
#[utoipa::path(
    post, path = "/api/v5/workspaces/{id}/stop", tag = "workspaces", params(("id" = Uuid, Path, description = "The workspace")),
    responses((status = 202, description = "On its way", body = WorkspaceBody)),
)]
pub(super) async fn stop(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<WorkspaceId>,
) -> Answer<Response> {
    set_power(&state, &caller, id, Power::Off).await
}

async fn set_power(
    state: &ApiState,
    caller: &SignedIn,
    workspace: WorkspaceId,
    power: Power,
) -> Answer<Response> {
    let operation = SetPower {
        account: caller.account,
        workspace,
        power,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    show(state, caller, workspace, StatusCode::ACCEPTED).await
}
