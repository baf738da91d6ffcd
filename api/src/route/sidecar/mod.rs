//! What workspaces' gateways call (`coditect_core::sidecar`).

mod access;
mod body;
mod contents;
mod files;
mod restores;

pub(super) use access::*;
pub(super) use files::*;
pub(super) use restores::*;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use coditect_core::{
    Error, Kind, Power, RequestId,
    sidecar::{Credential, Entry, Heartbeat, Redeem, SharedState},
};
use coditect_registry::operation::{Beat, Enter, KeepState};
use jiff::SignedDuration;
use uuid::Uuid;

use self::body::{CredentialBody, EntryBody, HeartbeatBody, RedeemBody, SharedStateBody};
use super::auth::derived;
use crate::{
    caller::bearer,
    code::EntryCode,
    extract::{GatewayBody, JsonBody},
    gateway::Gateway,
    gateway_token::CREDENTIAL_SECONDS,
    problem::{Answer, NO_MODELS, Problem},
    state::ApiState,
};

/// Exchanges the token that the cluster projected into a pod for a credential of five minutes.
///
/// The token must be the cell's cluster's, for the audience `coditect-api`, and of the pod of a workspace that is
/// switched on. A credential renews nothing: the next one needs the projected token again.
#[utoipa::path(
    post, path = "/api/v5/sidecar/credential", tag = "sidecar",
    responses(
        (status = 200, description = "The credential", body = CredentialBody),
        (status = 401, description = "No token of a cell's cluster, or one that is not valid any more"),
        (status = 403, description = "The workspace is switched off"),
    ),
)]
pub(in crate::route) async fn credential(
    State(state): State<ApiState>,
    headers: HeaderMap,
) -> Answer<Json<Credential>> {
    let token = bearer(&headers).ok_or_else(|| {
        Error::new(
            Kind::Unauthenticated,
            "the token that the cluster projected into the pod is needed, as Authorization: Bearer …",
        )
    })?;
    let now = state.now();
    let pod = state.cells.verify(&token, now)?;
    let behind = state.registry.view().await?.behind(pod.workspace).await?;
    let behind = behind
        .filter(|behind| behind.place.user == pod.user && behind.place.cell == pod.cell)
        .ok_or_else(|| {
            Error::new(
                Kind::Unauthenticated,
                "the pod's token is of a workspace that is gone, or in another cell",
            )
        })?;
    if behind.power == Power::Off {
        let message = "the workspace is switched off; its gateway gets no credential";
        return Err(Error::new(Kind::Forbidden, message).into());
    }
    let lasts = SignedDuration::from_secs(CREDENTIAL_SECONDS);
    Ok(Json(Credential {
        credential: state.gateways.credential(pod, now)?,
        expires_at: now.saturating_add(lasts).unwrap_or(now),
        issuer: state.config.public_url.clone(),
        web_app: state.web_app.clone(),
    }))
}

/// Exchanges a one-time code for the token with which its person is in the workspace.
///
/// The token is a JWT of the type `workspace+jwt`, for this workspace alone, and lasts at most 15 minutes.
#[utoipa::path(
    post, path = "/api/v5/sidecar/codes/redeem", tag = "sidecar", request_body = RedeemBody,
    responses(
        (status = 200, description = "The token", body = EntryBody),
        (status = 404, description = "The code is unknown, used, too old, or another workspace's; or its login has ended"),
    ),
)]
pub(in crate::route) async fn redeem(
    State(state): State<ApiState>,
    gateway: Gateway,
    JsonBody(Redeem { code }): JsonBody<Redeem>,
) -> Answer<Json<Entry>> {
    let worthless = || {
        Error::not_found(
            "the code was used already, is too old, or is for another workspace; open the workspace again",
        )
    };
    let (now, keys) = (state.now(), &state.tokens.keys);
    let code = EntryCode::decode(&code, keys, now)
        .filter(|code| code.workspace == gateway.workspace)
        .ok_or_else(worthless)?;
    let attempt = Uuid::new_v4();
    let operation = Enter {
        login: code.login,
        workspace: code.workspace,
        attempt,
        at: now,
    };
    let request = RequestId::from_bytes(derived(code.use_of(keys)));
    let admitted = state.registry.apply(request, &operation).await;
    let admitted = admitted.map_err(|error| match error.kind() {
        Kind::NotFound | Kind::Conflict => worthless().because(error),
        _ => error,
    })?;
    // The first one who sent it got another answer under the same request.
    if admitted.attempt != attempt {
        return Err(worthless().into());
    }
    let who = (admitted.account, code.login);
    let token = state
        .gateways
        .entry(code.workspace, who, now, admitted.until)?;
    Ok(Json(Entry { token }))
}

/// Says how the workspace is.
///
/// Times that lie ahead count as now, and nobody typed after the last token with which one could be in has ended.
/// `unknown` does not count as having been seen.
#[utoipa::path(
    put, path = "/api/v5/sidecar/heartbeat", tag = "sidecar", request_body = HeartbeatBody,
    responses((status = 204, description = "Noted")),
)]
pub(in crate::route) async fn heartbeat(
    State(state): State<ApiState>,
    gateway: Gateway,
    JsonBody(heartbeat): JsonBody<Heartbeat>,
) -> Answer<StatusCode> {
    let operation = Beat {
        cell: gateway.cell(),
        user: gateway.user(),
        workspace: gateway.workspace,
        used: heartbeat.used,
        input_at: heartbeat.input_at,
        output_at: heartbeat.output_at,
        volume: heartbeat.volume,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the tabs of the workspace shared last.
#[utoipa::path(
    get, path = "/api/v5/sidecar/state", tag = "sidecar",
    responses(
        (status = 200, description = "What they share", body = SharedStateBody),
        (status = 404, description = "Nothing, or nobody came back to it for 30 days"),
    ),
)]
pub(in crate::route) async fn state(
    State(state): State<ApiState>,
    gateway: Gateway,
) -> Answer<Json<SharedState>> {
    let mut view = state.registry.view().await?;
    let session = view
        .shared_state(&gateway.place, gateway.workspace)
        .await?
        .ok_or_else(|| Error::not_found("the tabs of this workspace share nothing yet"))?;
    let shared = serde_json::from_value(session.state).map_err(|error| {
        Error::internal("what the tabs of a workspace share cannot be read").because(error)
    })?;
    Ok(Json(shared))
}

/// Keeps what the tabs of the workspace share: at most 80 KiB of JSON.
#[utoipa::path(
    put, path = "/api/v5/sidecar/state", tag = "sidecar", request_body = SharedStateBody,
    responses(
        (status = 204, description = "Kept"),
        (status = 409, description = "Its revision is not above what is kept: read that, then put what is to hold"),
    ),
)]
pub(in crate::route) async fn put_state(
    State(state): State<ApiState>,
    gateway: Gateway,
    GatewayBody(shared): GatewayBody<SharedState>,
) -> Answer<StatusCode> {
    let operation = KeepState {
        cell: gateway.cell(),
        user: gateway.user(),
        workspace: gateway.workspace,
        revision: shared.revision,
        state: serde_json::to_value(&shared)
            .map_err(|error| Error::internal("a body cannot be kept").because(error))?,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks a language model: this installation has none.
#[utoipa::path(
    post, path = "/api/v5/sidecar/llm/chat/completions", tag = "sidecar",
    responses((status = 404, description = "There are no language models here")),
)]
pub(in crate::route) async fn complete(_: Gateway) -> Problem {
    Problem::new(&NO_MODELS, "This installation offers no language models.")
}
