//! Everybody's users, and holding one.

use axum::{Json, extract::State};
use coditect_core::{
    AccountId, CellName, DisplayName, Email, Error, PlanName, RequestId, Result, TenantId, UserId,
};
use coditect_registry::{
    View,
    operation::{NoteLook, SetHold},
    record::User,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    super::{
        paging::{self, Paging},
        plans::RoleName,
    },
    workspaces::SeenWorkspaceBody,
};
use crate::{
    caller::SignedIn,
    extract::{PathId, Query},
    problem::Answer,
    state::ApiState,
};

/// A page of users.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenUserPage)]
pub(in crate::route) struct SeenUsersBody {
    /// By id.
    items: Vec<SeenUserBody>,
    /// The `cursor` of the next page, if there is one.
    next_cursor: Option<String>,
}

/// A user as administrators list it.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenUser)]
struct SeenUserBody {
    #[schema(value_type = Uuid)]
    user: UserId,
    #[schema(value_type = Uuid)]
    tenant: TenantId,
    #[schema(value_type = Uuid)]
    account: AccountId,
    role: RoleName,
    #[schema(value_type = String)]
    cell: CellName,
    joined_at: Timestamp,
    /// Since when an administrator holds the user.
    held_at: Option<Timestamp>,
    /// When it is deleted, if it is on its way out.
    deletes_at: Option<Timestamp>,
}

impl SeenUserBody {
    fn new(id: UserId, tenant: TenantId, user: &User) -> Self {
        Self {
            user: id,
            tenant,
            account: user.account,
            role: user.role.into(),
            cell: user.cell.clone(),
            joined_at: user.joined_at,
            held_at: user.held,
            deletes_at: user.mark.as_ref().map(|mark| mark.until),
        }
    }
}

/// A user with its person.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenPerson)]
pub(in crate::route) struct SeenPersonBody {
    #[serde(flatten)]
    user: SeenUserBody,
    #[schema(value_type = Option<String>)]
    email: Option<Email>,
    #[schema(value_type = Option<String>)]
    display_name: Option<DisplayName>,
    /// The tenant's plan.
    #[schema(value_type = Option<String>)]
    plan: Option<PlanName>,
    workspaces: Vec<SeenWorkspaceBody>,
}

/// Everybody's users, a page at a time: ids alone. With `email`, those of the account of that address; with `tenant`,
/// those of that tenant.
#[utoipa::path(
    get, path = "/api/v5/admin/users", tag = "admin",
    params(
        ("limit" = Option<u32>, Query, description = "How many on a page, 1 to 100", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("email" = Option<String>, Query, description = "The whole address of an account"),
        ("tenant" = Option<Uuid>, Query, description = "A tenant; not together with `email`"),
    ),
    responses((status = 200, description = "A page", body = SeenUsersBody), (status = 403, description = "The caller is no administrator")),
)]
pub(in crate::route) async fn users(
    State(state): State<ApiState>,
    query: Query,
) -> Answer<Json<SeenUsersBody>> {
    let [limit, cursor, email, tenant] = query.take(["limit", "cursor", "email", "tenant"])?;
    let page = Paging::new(limit, cursor)?;
    let after = page.after_id(UserId::from_bytes)?;
    let mut view = state.registry.view().await?;
    let (items, more): (Vec<_>, bool) = match (email, tenant) {
        (Some(_), Some(_)) => {
            let message = "does not go together with email";
            return Err(Error::invalid("tenant", message).into());
        }
        (Some(email), None) => of_address(&mut view, &email.parse()?, after, page.limit).await?,
        (None, Some(tenant)) => {
            let tenant: TenantId = tenant.parse()?;
            let (found, more) = view.members_after(tenant, after, page.limit).await?;
            let found = found.iter();
            let items = found.map(|(id, user)| SeenUserBody::new(*id, tenant, user));
            (items.collect(), more)
        }
        (None, None) => {
            let (found, more) = view.users_after(after, page.limit).await?;
            let found = found.iter();
            let items = found.map(|(id, place, user)| SeenUserBody::new(*id, place.tenant, user));
            (items.collect(), more)
        }
    };
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|last| paging::cursor(last.user.as_bytes()));
    Ok(Json(SeenUsersBody { items, next_cursor }))
}

async fn of_address(
    view: &mut View,
    email: &Email,
    after: Option<UserId>,
    limit: usize,
) -> Result<(Vec<SeenUserBody>, bool)> {
    let Some(account) = view.account_of_address(email).await? else {
        return Ok((Vec::new(), false));
    };
    let mut all = view.memberships(account).await?;
    all.sort_by_key(|(_, user)| *user);
    all.retain(|(_, user)| after.is_none_or(|after| *user > after));
    let more = all.len() > limit;
    let mut items = Vec::new();
    for (tenant, id) in all.into_iter().take(limit) {
        if let Some((_, user)) = view.user(id).await? {
            items.push(SeenUserBody::new(id, tenant, &user));
        }
    }
    Ok((items, more))
}

/// A user with its person and its workspaces. That an administrator looked is written into the audit of the user's tenant.
#[utoipa::path(
    get, path = "/api/v5/admin/users/{id}", tag = "admin", params(("id" = Uuid, Path, description = "The user")),
    responses((status = 200, description = "The user", body = SeenPersonBody), (status = 403, description = "The caller is no administrator")),
)]
pub(in crate::route) async fn user(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(user): PathId<UserId>,
) -> Answer<Json<SeenPersonBody>> {
    look(&state, &caller, user).await?;
    Ok(Json(read(&state, user).await?))
}

/// Writes down that an administrator looks at a user's person, before they see anything: nobody sees what was not noted.
pub(super) async fn look(state: &ApiState, caller: &SignedIn, user: UserId) -> Result<()> {
    let operation = NoteLook {
        by: caller.account,
        user,
        at: state.now(),
    };
    let request = RequestId::random();
    state.registry.apply(request, &operation).await
}

async fn read(state: &ApiState, id: UserId) -> Result<SeenPersonBody> {
    let mut view = state.registry.view().await?;
    let none = || Error::not_found("there is no user of that id");
    let (tenant, user) = view.user(id).await?.ok_or_else(none)?;
    let account = view.account(user.account).await?;
    let (email, display_name) = account
        .map(|account| (account.email, account.display_name))
        .unzip();
    let workspaces = view.workspaces(id).await?;
    Ok(SeenPersonBody {
        user: SeenUserBody::new(id, tenant, &user),
        email,
        display_name,
        plan: view.tenant(tenant).await?.map(|tenant| tenant.plan),
        workspaces: workspaces.iter().map(SeenWorkspaceBody::new).collect(),
    })
}

/// Holds a user: the next commit gives its namespace a quota of zero pods, and its workspaces stop. Files are kept, and
/// the person may still sign in, take their data with them and delete it.
#[utoipa::path(
    post, path = "/api/v5/admin/users/{id}/hold", tag = "admin", params(("id" = Uuid, Path, description = "The user")),
    responses((status = 200, description = "The user, held", body = SeenPersonBody), (status = 403, description = "The caller is no administrator")),
)]
pub(in crate::route) async fn hold(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(user): PathId<UserId>,
) -> Answer<Json<SeenPersonBody>> {
    set_hold(&state, &caller, user, true).await
}

/// Lets a held user go. Its workspaces stay off until somebody starts them.
#[utoipa::path(
    post, path = "/api/v5/admin/users/{id}/let-go", tag = "admin", params(("id" = Uuid, Path, description = "The user")),
    responses((status = 200, description = "The user, not held", body = SeenPersonBody), (status = 403, description = "The caller is no administrator")),
)]
pub(in crate::route) async fn let_go(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(user): PathId<UserId>,
) -> Answer<Json<SeenPersonBody>> {
    set_hold(&state, &caller, user, false).await
}

async fn set_hold(
    state: &ApiState,
    caller: &SignedIn,
    user: UserId,
    held: bool,
) -> Answer<Json<SeenPersonBody>> {
    let operation = SetHold {
        by: caller.account,
        user,
        held,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(Json(read(state, user).await?))
}
