//! With which providers' sign-ins the person can come in.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{ProviderName, RequestId};
use coditect_registry::operation::UnlinkIdentity;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    auth::Secret,
    identity::{begin, switched_on},
    presence::is_person,
};
use crate::{
    caller::SignedIn,
    extract::{JsonBody, PathId},
    identity::{Flow, Purpose},
    problem::Answer,
    state::ApiState,
};

/// With what else the person can sign in.
#[derive(Serialize, ToSchema)]
#[schema(as = Connections)]
pub(super) struct ConnectionsBody {
    items: Vec<ConnectionBody>,
}

/// A provider's identity that is linked to the account.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectedProvider)]
struct ConnectionBody {
    #[schema(value_type = String)]
    provider: ProviderName,
    connected_at: Timestamp,
}

/// The providers with which the person can sign in: those that are linked.
#[utoipa::path(get, path = "/api/v5/me/connections", tag = "me", operation_id = "connections", responses((status = 200, description = "The providers", body = ConnectionsBody)))]
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<Json<ConnectionsBody>> {
    let mut view = state.registry.view().await?;
    let found = view.identities(caller.account).await?;
    let items = found.into_iter().map(|(provider, linked)| ConnectionBody {
        provider,
        connected_at: linked.linked_at,
    });
    Ok(Json(ConnectionsBody {
        items: items.collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProviderConnection)]
pub(super) struct ConnectBody {
    /// The account's password. Who has none must have signed in within the last ten minutes.
    password: Option<Secret>,
}

/// Where the person goes to prove that a provider's identity is theirs.
#[derive(Serialize, ToSchema)]
#[schema(as = ProviderConnectionBegun)]
pub(super) struct BegunBody {
    /// The provider's page. It leads back to the web app's `/identity`, in this browser, within ten minutes.
    authorize_url: String,
}

/// Begins to link a provider's sign-in to the account.
#[utoipa::path(
    post, path = "/api/v5/me/connections/{provider}", tag = "me", request_body = ConnectBody,
    params(("provider" = String, Path, description = "The provider", example = "google")),
    responses(
        (status = 200, description = "Where to go; a cookie binds what follows to the browser", body = BegunBody),
        (status = 404, description = "That provider is not switched on"),
        (status = 503, description = "The provider does not answer"),
    ),
)]
pub(super) async fn connect(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(name): PathId<ProviderName>,
    JsonBody(body): JsonBody<ConnectBody>,
) -> Answer<Response> {
    let provider = switched_on(&state, &name)?;
    // Whoever adds a way in keeps it after every change of the password.
    is_person(&state, &caller, body.password.as_ref()).await?;
    let purpose = Purpose::Link {
        account: caller.account,
        login: caller.login()?,
    };
    let flow = Flow::begin(name, purpose, state.now());
    let (authorize_url, cookie) = begin(&state, provider, &flow).await?;
    let body = Json(BegunBody { authorize_url });
    Ok(([(header::SET_COOKIE, cookie)], body).into_response())
}

/// Unlinks a provider's sign-in. The last way to sign in stays.
#[utoipa::path(
    delete, path = "/api/v5/me/connections/{provider}", tag = "me",
    params(("provider" = String, Path, description = "The provider", example = "google")),
    responses(
        (status = 204, description = "Unlinked"),
        (status = 404, description = "No sign-in of that provider is linked"),
        (status = 409, description = "It is the only way to sign in"),
    ),
)]
pub(super) async fn disconnect(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(provider): PathId<ProviderName>,
) -> Answer<StatusCode> {
    let operation = UnlinkIdentity {
        account: caller.account,
        provider,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
