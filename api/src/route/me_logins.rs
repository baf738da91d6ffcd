//! Where the person is signed in.

use axum::{Json, extract::State, http::StatusCode};
use coditect_core::{Error, LoginId, RequestId};
use coditect_registry::operation::EndLogin;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{caller::SignedIn, extract::PathId, problem::Answer, state::ApiState};

/// The person's logins.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenLogins)]
pub(super) struct LoginsBody {
    /// Those that are not over, the newest first.
    items: Vec<LoginBody>,
}

/// One login.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenLogin)]
struct LoginBody {
    #[schema(value_type = Uuid)]
    id: LoginId,
    began_at: Timestamp,
    /// When it was last refreshed.
    used_at: Timestamp,
    /// What the browser called itself; empty if it did not say.
    agent: String,
    /// True for the one that asks.
    present: bool,
}

/// Where the person is signed in.
#[utoipa::path(get, path = "/api/v5/me/logins", tag = "me", responses((status = 200, description = "The logins", body = LoginsBody)))]
pub(super) async fn logins(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<Json<LoginsBody>> {
    let present = caller.login()?;
    let mut view = state.registry.view().await?;
    let found = view.sign_ins(caller.account, state.now()).await?;
    let mut items: Vec<LoginBody> = found
        .into_iter()
        .filter_map(|(id, sign_in, login)| {
            let login = login?;
            Some(LoginBody {
                id,
                began_at: login.created_at,
                used_at: login.rotated_at,
                agent: sign_in.agent.unwrap_or_default(),
                present: id == present,
            })
        })
        .collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.began_at));
    Ok(Json(LoginsBody { items }))
}

/// Ends one of the person's logins: whoever is there is out within seconds.
#[utoipa::path(
    delete, path = "/api/v5/me/logins/{id}", tag = "me", params(("id" = Uuid, Path, description = "The login")),
    responses((status = 204, description = "Ended"), (status = 404, description = "It is none of the person's, or is over")),
)]
pub(super) async fn end_login(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(login): PathId<LoginId>,
) -> Answer<StatusCode> {
    let now = state.now();
    let mut view = state.registry.view().await?;
    if view.login(caller.account, login, now).await?.is_none() {
        return Err(Error::not_found("there is no login of that id").into());
    }
    let operation = EndLogin {
        account: caller.account,
        login,
        at: now,
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
