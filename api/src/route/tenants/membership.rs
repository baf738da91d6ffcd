//! The tenants a person belongs to, and in which of them they act.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use coditect_core::{Error, PlanName, RequestId, TenantId, TenantName, UserId};
use coditect_registry::{
    operation::{ActIn, NameTenant, RemoveMember},
    record::Role,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{
        entity,
        login::SignedInBody,
        me_deletion::grace_end,
        plans::{RoleName, TenantBody},
    },
    acting,
};
use crate::{
    caller::SignedIn,
    extract::{JsonBody, PathId},
    problem::Answer,
    state::ApiState,
};

/// The tenant in which the caller acts.
#[utoipa::path(get, path = "/api/v5/tenant", tag = "tenants", responses((status = 200, description = "The tenant", body = TenantBody)))]
pub(in crate::route) async fn present(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<Response> {
    let mut view = state.registry.view().await?;
    let (tenant, user) = acting(&mut view, &caller, Role::Member).await?;
    let body = TenantBody::read(&mut view, &state.policy(), tenant, user.role).await?;
    let gone = || Error::not_found("this tenant is gone");
    entity::answer(StatusCode::OK, 0, &body.ok_or_else(gone)?)
}

/// What is to change of the tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantChange)]
pub(in crate::route) struct TenantChange {
    /// 1 to 64 visible characters; null takes the name away.
    #[schema(max_length = 64)]
    #[serde(deserialize_with = "Option::deserialize")]
    name: Option<String>,
}

/// Names the tenant in which the caller acts. The name is shown to its members and to whom they invite, and nowhere else.
#[utoipa::path(
    patch, path = "/api/v5/tenant", tag = "tenants", request_body = TenantChange,
    responses(
        (status = 200, description = "The tenant as changed", body = TenantBody),
        (status = 403, description = "Neither owner nor admin"),
    ),
)]
pub(in crate::route) async fn name_tenant(
    State(state): State<ApiState>,
    caller: SignedIn,
    JsonBody(change): JsonBody<TenantChange>,
) -> Answer<Response> {
    let (tenant, _) = caller.membership()?;
    let name = change.name.map(|name| name.parse()).transpose()?;
    let operation = NameTenant {
        by: caller.account,
        tenant,
        name,
        at: state.now(),
    };
    let random = RequestId::random();
    state.registry.apply(random, &operation).await?;
    present(State(state), caller).await
}

/// The tenants of the signed-in person.
#[derive(Serialize, ToSchema)]
#[schema(as = Memberships)]
pub(in crate::route) struct MembershipsBody {
    /// In the order in which the person joined.
    items: Vec<MembershipBody>,
}

/// The person's membership in a tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Membership)]
struct MembershipBody {
    #[schema(value_type = Uuid)]
    tenant: TenantId,
    /// What its people call it; null: it has no name.
    #[schema(value_type = Option<String>)]
    name: Option<TenantName>,
    /// The person's user there.
    #[schema(value_type = Uuid)]
    user: UserId,
    role: RoleName,
    #[schema(value_type = String)]
    plan: PlanName,
    joined_at: Timestamp,
    /// True for the one in which the caller acts.
    present: bool,
    /// Set once the membership has ended: until then it can be restored.
    deletes_at: Option<Timestamp>,
}

/// The tenants that the person belongs to.
#[utoipa::path(get, path = "/api/v5/tenants", tag = "tenants", responses((status = 200, description = "The tenants", body = MembershipsBody)))]
pub(in crate::route) async fn mine(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<Json<MembershipsBody>> {
    let mut view = state.registry.view().await?;
    let present = caller.membership().ok().map(|(tenant, _)| tenant);
    let mut items = Vec::new();
    for (id, user) in view.memberships(caller.account).await? {
        let tenant = view.tenant(id).await?;
        if let (Some(tenant), Some((_, record))) = (tenant, view.user(user).await?) {
            items.push(MembershipBody {
                tenant: id,
                name: tenant.name,
                user,
                role: record.role.into(),
                plan: tenant.plan,
                joined_at: record.joined_at,
                present: present == Some(id),
                deletes_at: record.mark.map(|mark| mark.until),
            });
        }
    }
    items.sort_by_key(|item| (item.joined_at, item.tenant));
    Ok(Json(MembershipsBody { items }))
}

/// Acts in another of the person's tenants from now on, by this login: one at a time.
#[utoipa::path(
    post, path = "/api/v5/tenants/{id}/switch", tag = "tenants", params(("id" = Uuid, Path, description = "The tenant")),
    responses(
        (status = 200, description = "An access token for that tenant; the one before stays valid for the one before", body = SignedInBody),
        (status = 409, description = "The membership has ended"),
    ),
)]
pub(in crate::route) async fn switch(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(tenant): PathId<TenantId>,
) -> Answer<Json<SignedInBody>> {
    let login = caller.login()?;
    let operation = ActIn {
        account: caller.account,
        login,
        tenant,
        at: state.now(),
    };
    let user = state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    let membership = Some((tenant, user));
    Ok(Json(SignedInBody::new(
        &state,
        (caller.account, login),
        membership,
    )?))
}

/// Leaves the present tenant. The person's workspaces there stop; an owner or an admin can restore the membership, or
/// hand the workspaces over, until the grace period ends.
#[utoipa::path(
    post, path = "/api/v5/tenant/leave", tag = "tenants",
    responses(
        (status = 204, description = "Left; refreshing the access token leads to another of the person's tenants, if there is one"),
        (status = 409, description = "The person is the tenant's last owner"),
    ),
)]
pub(in crate::route) async fn leave(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<StatusCode> {
    caller.login()?;
    let (tenant, user) = caller.membership()?;
    let at = state.now();
    let operation = RemoveMember {
        by: caller.account,
        tenant,
        user,
        until: grace_end(&state, at)?,
        at,
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
