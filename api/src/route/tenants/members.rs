//! Who belongs to the tenant, and what they may do there.

use axum::{Json, extract::State};
use coditect_core::{DisplayName, Email, Error, RequestId, Result, UserId};
use coditect_registry::{
    Operation, View,
    operation::{ChangeRole, HandOver, Heir, RemoveMember, RestoreMember},
    record::{Role, User},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{
        me_deletion::grace_end,
        paging::{self, Paging},
        plans::RoleName,
    },
    acting, no_key_makes_an_owner,
};
use crate::{
    caller::SignedIn,
    extract::{JsonBody, PathId, Query},
    problem::Answer,
    state::ApiState,
};

/// A page of members.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberPage)]
pub(in crate::route) struct MembersBody {
    /// By id of the user.
    items: Vec<MemberBody>,
    /// The `cursor` of the next page, if there is one.
    next_cursor: Option<String>,
}

/// A member, or what one left behind.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub(in crate::route) struct MemberBody {
    /// The member's user in the tenant.
    #[schema(value_type = Uuid)]
    user: UserId,
    role: RoleName,
    /// What the person is called; of what was left behind, who has it now.
    #[schema(value_type = Option<String>)]
    display_name: Option<DisplayName>,
    /// For owners and admins only.
    #[schema(value_type = Option<String>)]
    email: Option<Email>,
    joined_at: Timestamp,
    /// True for the caller.
    you: bool,
    /// Set once the membership has ended: until then it can be restored.
    deletes_at: Option<Timestamp>,
    /// True if only the person, who asked for the end of their account, can take the end back.
    asked: bool,
    /// Set once somebody left this user behind.
    left_behind: Option<LeftBehindBody>,
}

/// That a user was left behind.
#[derive(Serialize, ToSchema)]
#[schema(as = LeftBehind)]
struct LeftBehindBody {
    since: Timestamp,
    /// True if the organisation has it: one of its owners, and another when that one leaves.
    organisation: bool,
}

impl MemberBody {
    async fn read(
        view: &mut View,
        caller: &SignedIn,
        as_role: Role,
        (id, user): (UserId, User),
    ) -> Result<Self> {
        let account = view.account(user.account).await?;
        let (display_name, email) = account
            .map(|account| (account.display_name, account.email))
            .unzip();
        Ok(Self {
            user: id,
            role: user.role.into(),
            display_name,
            email: email.filter(|_| as_role >= Role::Admin),
            joined_at: user.joined_at,
            you: user.account == caller.account && user.custody.is_none(),
            deletes_at: user.mark.as_ref().map(|mark| mark.until),
            asked: user.mark.as_ref().is_some_and(|mark| mark.requested) && user.removal.is_none(),
            left_behind: user.custody.map(|custody| LeftBehindBody {
                since: custody.since,
                organisation: custody.organisation,
            }),
        })
    }
}

/// The tenant's members, and what members who left have left behind, a page at a time.
#[utoipa::path(
    get, path = "/api/v5/tenant/members", tag = "tenants",
    params(
        ("limit" = Option<u32>, Query, description = "How many on a page, 1 to 100", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page", body = MembersBody)),
)]
pub(in crate::route) async fn members(
    State(state): State<ApiState>,
    caller: SignedIn,
    query: Query,
) -> Answer<Json<MembersBody>> {
    let [limit, cursor] = query.take(["limit", "cursor"])?;
    let page = Paging::new(limit, cursor)?;
    let after = page.after_id(UserId::from_bytes)?;
    let mut view = state.registry.view().await?;
    let (tenant, me) = acting(&mut view, &caller, Role::Member).await?;
    let (found, more) = view.members_after(tenant, after, page.limit).await?;
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|(id, _)| paging::cursor(id.as_bytes()));
    let mut items = Vec::with_capacity(found.len());
    for member in found {
        items.push(MemberBody::read(&mut view, &caller, me.role, member).await?);
    }
    Ok(Json(MembersBody { items, next_cursor }))
}

/// Changes something about a member, and answers with the member as it is then.
async fn change(
    state: &ApiState,
    caller: &SignedIn,
    id: UserId,
    operation: &impl Operation,
) -> Answer<Json<MemberBody>> {
    let request = RequestId::random();
    state.registry.apply(request, operation).await?;
    let mut view = state.registry.view().await?;
    let (tenant, me) = acting(&mut view, caller, Role::Member).await?;
    let found = view.user(id).await?.filter(|(of, _)| *of == tenant);
    let none = || Error::not_found("there is no user of that id");
    let (_, user) = found.ok_or_else(none)?;
    Ok(Json(
        MemberBody::read(&mut view, caller, me.role, (id, user)).await?,
    ))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoleChoice)]
pub(in crate::route) struct RoleChoice {
    role: RoleName,
}

/// Gives a member another role. Nobody gives or takes a role above their own, and no API key makes an owner.
#[utoipa::path(
    patch, path = "/api/v5/tenant/members/{id}", tag = "tenants", request_body = RoleChoice,
    params(("id" = Uuid, Path, description = "The member's user")),
    responses(
        (status = 200, description = "The member as changed", body = MemberBody),
        (status = 403, description = "The caller's role does not reach"),
        (status = 409, description = "It is the tenant's last owner, or was left behind"),
    ),
)]
pub(in crate::route) async fn change_role(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(user): PathId<UserId>,
    JsonBody(choice): JsonBody<RoleChoice>,
) -> Answer<Json<MemberBody>> {
    let (tenant, _) = caller.membership()?;
    no_key_makes_an_owner(&caller, choice.role)?;
    let operation = ChangeRole {
        by: caller.account,
        tenant,
        user,
        role: choice.role.into(),
        at: state.now(),
    };
    change(&state, &caller, user, &operation).await
}

/// Removes a member, or what one left behind. Their workspaces stop, and are deleted when the grace period ends unless
/// the member is restored or the workspaces are handed over.
#[utoipa::path(
    delete, path = "/api/v5/tenant/members/{id}", tag = "tenants", params(("id" = Uuid, Path, description = "The member's user")),
    responses(
        (status = 200, description = "The member on their way out", body = MemberBody),
        (status = 403, description = "The caller's role does not reach"),
        (status = 409, description = "It is the tenant's last owner, or the caller, who leaves by `POST /api/v5/tenant/leave`"),
    ),
)]
pub(in crate::route) async fn remove_member(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(user): PathId<UserId>,
) -> Answer<Json<MemberBody>> {
    let (tenant, me) = caller.membership()?;
    if user == me {
        let message = "this is you; leave by POST /api/v5/tenant/leave";
        return Err(Error::conflict(message).into());
    }
    let at = state.now();
    let operation = RemoveMember {
        by: caller.account,
        tenant,
        user,
        until: grace_end(&state, at)?,
        at,
    };
    change(&state, &caller, user, &operation).await
}

/// Takes the end of a membership back. Workspaces stay off until they are started.
#[utoipa::path(
    post, path = "/api/v5/tenant/members/{id}/restore", tag = "tenants", params(("id" = Uuid, Path, description = "The member's user")),
    responses(
        (status = 200, description = "The member, restored", body = MemberBody),
        (status = 403, description = "The caller's role does not reach"),
        (status = 409, description = "The person asked for the end of their account, which only they take back"),
    ),
)]
pub(in crate::route) async fn restore_member(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(user): PathId<UserId>,
) -> Answer<Json<MemberBody>> {
    let (tenant, _) = caller.membership()?;
    let operation = RestoreMember {
        by: caller.account,
        tenant,
        user,
        at: state.now(),
    };
    change(&state, &caller, user, &operation).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HandingOver)]
pub(in crate::route) struct HandingOver {
    /// The user of the member who takes over; null: the organisation.
    #[schema(value_type = Option<Uuid>)]
    to: Option<UserId>,
}

/// Hands a leaver's workspaces with their files over to a member who stays, or to the organisation. What was the
/// leaver's own (sessions, API keys, conversations) goes away.
#[utoipa::path(
    post, path = "/api/v5/tenant/members/{id}/hand-over", tag = "tenants", request_body = HandingOver,
    params(("id" = Uuid, Path, description = "The leaver's user")),
    responses(
        (status = 200, description = "What was left behind, with who has it now", body = MemberBody),
        (status = 403, description = "The caller's role does not reach"),
        (status = 409, description = "The member has not left, or asked for the end of their account, or nobody can take over"),
    ),
)]
pub(in crate::route) async fn hand_over(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(user): PathId<UserId>,
    JsonBody(body): JsonBody<HandingOver>,
) -> Answer<Json<MemberBody>> {
    let (tenant, _) = caller.membership()?;
    let operation = HandOver {
        by: caller.account,
        tenant,
        user,
        to: body.to.map_or(Heir::Organisation, Heir::Member),
        at: state.now(),
    };
    change(&state, &caller, user, &operation).await
}
