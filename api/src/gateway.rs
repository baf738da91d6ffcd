//! Which workspace's gateway is calling: checked before any handler behind the door runs. The pod that it is in is its
//! user's: whatever a credential allows is bounded by the handlers.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::request::Parts,
    middleware::Next,
    response::{IntoResponse, Response},
};
use coditect_core::{AccountId, CellName, Error, Kind, Result, UserId, WorkspaceId};
use coditect_registry::record::WorkspacePlace;

use crate::{
    caller::{bearer, limited},
    problem::Problem,
    state::ApiState,
};

/// A workspace's gateway.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    pub(crate) workspace: WorkspaceId,
    pub(crate) place: WorkspacePlace,
    /// Who may be in the workspace.
    pub(crate) account: AccountId,
}

impl Gateway {
    pub(crate) fn user(&self) -> UserId {
        self.place.user
    }

    pub(crate) fn cell(&self) -> CellName {
        self.place.cell.clone()
    }
}

impl FromRequestParts<ApiState> for Gateway {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        // Set by `require_credential`; a route without that layer answers 401 to everybody.
        let gateway = parts.extensions.get::<Self>().cloned();
        gateway.ok_or_else(|| Error::new(Kind::Unauthenticated, "a credential is needed").into())
    }
}

/// Lets only gateways through, each within its workspace's rate.
pub(crate) async fn require_credential(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = bearer(request.headers());
    let gateway = match authenticate(&state, token).await {
        Ok(gateway) => gateway,
        Err(error) => return Problem::from(error).into_response(),
    };
    let workspace = gateway.workspace;
    request.extensions_mut().insert(gateway);
    let limit = state.limits.as_ref().map(|limits| &limits.gateway);
    limited(limit, &workspace, next.run(request)).await
}

async fn authenticate(state: &ApiState, token: Option<String>) -> Result<Gateway> {
    let refused = |why: &str| Error::new(Kind::Unauthenticated, why);
    let token = token.ok_or_else(|| {
        refused("a credential is needed: exchange the pod's token at /api/v5/sidecar/credential, then send it as Authorization: Bearer …")
    })?;
    let claims = state.gateways.verify(&token, state.now())?;
    let behind = state.registry.view().await?.behind(claims.sub).await?;
    let behind = behind
        .filter(|behind| behind.place.user == claims.uid && behind.place.cell == claims.cell)
        .ok_or_else(|| refused("the workspace of this credential is gone"))?;
    Ok(Gateway {
        workspace: claims.sub,
        place: behind.place,
        account: behind.account,
    })
}
