//! What others left behind and the person has now.

use axum::{Json, extract::State};
use coditect_core::{TenantId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{
    paging::{self, Paging},
    workspace_body::WorkspaceBody,
};
use crate::{caller::SignedIn, extract::Query, problem::Answer, state::ApiState};

/// A page of what others left behind.
#[derive(Serialize, ToSchema)]
#[schema(as = LeftToMePage)]
pub(in crate::route) struct LeftToMeBody {
    /// By id of the user.
    items: Vec<LeftUserBody>,
    /// The `cursor` of the next page, if there is one.
    next_cursor: Option<String>,
}

/// A user that somebody left behind, with its workspaces.
#[derive(Serialize, ToSchema)]
#[schema(as = LeftToMe)]
struct LeftUserBody {
    #[schema(value_type = Uuid)]
    user: UserId,
    #[schema(value_type = Uuid)]
    tenant: TenantId,
    workspaces: Vec<WorkspaceBody>,
}

/// What others left behind and the person has now: workspaces that can be started, opened and deleted like their own.
#[utoipa::path(
    get, path = "/api/v5/me/left-behind", tag = "tenants",
    params(
        ("limit" = Option<u32>, Query, description = "How many on a page, 1 to 100", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page", body = LeftToMeBody)),
)]
pub(in crate::route) async fn left_behind(
    State(state): State<ApiState>,
    caller: SignedIn,
    query: Query,
) -> Answer<Json<LeftToMeBody>> {
    let [limit, cursor] = query.take(["limit", "cursor"])?;
    let page = Paging::new(limit, cursor)?;
    let after = page.after_id(UserId::from_bytes)?;
    let mut view = state.registry.view().await?;
    let policy = state.policy();
    let url = &state.config.workspace_url_template;
    let mut rest = view.custodies(caller.account).await?;
    rest.retain(|(_, user)| after.is_none_or(|after| *user > after));
    rest.sort_by_key(|(_, user)| *user);
    let more = rest.len() > page.limit;
    rest.truncate(page.limit);
    let last = rest.last().filter(|_| more);
    let next_cursor = last.map(|(_, user)| paging::cursor(user.as_bytes()));
    let mut items = Vec::with_capacity(rest.len());
    for (tenant, user) in rest {
        let workspaces = view.workspaces(user).await?;
        let shown = workspaces
            .iter()
            .map(|workspace| WorkspaceBody::new(workspace, &policy, url));
        items.push(LeftUserBody {
            user,
            tenant,
            workspaces: shown.collect(),
        });
    }
    Ok(Json(LeftToMeBody { items, next_cursor }))
}
