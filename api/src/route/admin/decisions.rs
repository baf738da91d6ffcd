//! What was decided: by administrators, in a tenant, or about a user.

use axum::{Json, extract::State};
use coditect_core::{Error, TenantId, UserId};
use coditect_registry::record::{AuditEntry, PLATFORM};

use super::{
    super::{paging::Paging, tenants::AuditBody},
    users::look,
};
use crate::{
    caller::SignedIn,
    extract::{PathId, Query},
    problem::Answer,
    state::ApiState,
};

/// What administrators did, the newest first, a page at a time; with `tenant`, what was decided there.
#[utoipa::path(
    get, path = "/api/v5/admin/audit", tag = "admin",
    params(
        ("limit" = Option<u32>, Query, description = "How many on a page, 1 to 100", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("tenant" = Option<Uuid>, Query, description = "A tenant"),
    ),
    responses((status = 200, description = "A page", body = AuditBody), (status = 403, description = "The caller is no administrator")),
)]
pub(in crate::route) async fn decisions(
    State(state): State<ApiState>,
    query: Query,
) -> Answer<Json<AuditBody>> {
    let [limit, cursor, tenant] = query.take(["limit", "cursor", "tenant"])?;
    let page = Paging::new(limit, cursor)?;
    let tenant: Option<TenantId> = tenant.map(|text| text.parse()).transpose()?;
    let mut view = state.registry.view().await?;
    let audit = tenant.unwrap_or(PLATFORM);
    Ok(Json(
        AuditBody::read(&mut view, audit, &page, |_| true).await?,
    ))
}

/// A user's time line: what its person decided, and what was decided about it and its workspaces, the newest first. A
/// page may hold fewer than asked for although there are more. That an administrator looked is written into the audit of
/// the user's tenant, and so stands in the time line itself.
#[utoipa::path(
    get, path = "/api/v5/admin/users/{id}/audit", tag = "admin",
    params(
        ("id" = Uuid, Path, description = "The user"),
        ("limit" = Option<u32>, Query, description = "How many on a page, 1 to 100", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page", body = AuditBody), (status = 403, description = "The caller is no administrator")),
)]
pub(in crate::route) async fn user_history(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<UserId>,
    query: Query,
) -> Answer<Json<AuditBody>> {
    let [limit, cursor] = query.take(["limit", "cursor"])?;
    let page = Paging::new(limit, cursor)?;
    look(&state, &caller, id).await?;
    let mut view = state.registry.view().await?;
    let none = || Error::not_found("there is no user of that id");
    let (tenant, user) = view.user(id).await?.ok_or_else(none)?;
    let mut about = vec![id.to_string()];
    for workspace in view.workspaces(id).await? {
        about.push(workspace.id.to_string());
    }
    let concerns = |entry: &AuditEntry| {
        entry.actor == Some(user.account)
            || serde_json::to_value(&entry.action).is_ok_and(|action| {
                let fields = action.as_object().into_iter().flatten();
                let mut texts = fields.filter_map(|(_, value)| value.as_str());
                texts.any(|text| about.iter().any(|id| id == text))
            })
    };
    Ok(Json(
        AuditBody::read(&mut view, tenant, &page, concerns).await?,
    ))
}
