//! Who is calling: checked before any handler behind the door runs.

use std::net::IpAddr;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use coditect_core::{AccountId, Error, Kind, LoginId, Result, TenantId, UserId};
use coditect_registry::View;

use crate::{
    address::client_address,
    problem::Problem,
    rate::{Allowance, Caller, Limiter, Limits},
    state::ApiState,
    token::Claims,
};

/// A signed-in caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedIn {
    pub(crate) account: AccountId,
    pub(crate) login: LoginId,
    /// When the access token expires, Unix seconds.
    pub(crate) expires: i64,
    membership: Option<(TenantId, UserId)>,
}

impl SignedIn {
    /// The tenant and the user that the caller acts as.
    pub(crate) fn membership(&self) -> Result<(TenantId, UserId)> {
        self.membership
            .ok_or_else(|| Error::not_found("this account belongs to no tenant any more"))
    }

    /// The caller's user.
    pub(crate) fn user(&self) -> Result<UserId> {
        self.membership().map(|(_, user)| user)
    }

    fn of(claims: &Claims) -> Self {
        Self {
            account: claims.sub,
            login: claims.sid,
            expires: claims.exp,
            membership: claims.tid.zip(claims.uid),
        }
    }

    /// Refuses a caller whose login has ended meanwhile.
    pub(crate) async fn still(&self, state: &ApiState, view: &mut View) -> Result<()> {
        match view.login(self.account, self.login, state.now()).await? {
            Some(_) => Ok(()),
            None => Err(Error::new(
                Kind::Unauthenticated,
                "this login has ended; sign in again",
            )),
        }
    }
}

impl FromRequestParts<ApiState> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        // Set by `require_login`; a route without that layer answers 401 to everybody.
        parts
            .extensions
            .get::<Self>()
            .copied()
            .ok_or_else(|| Error::new(Kind::Unauthenticated, "an access token is needed").into())
    }
}

/// Lets only signed-in callers through, each within their account's rate.
pub(crate) async fn require_login(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = bearer(request.headers());
    let caller = match authenticate(&state, token).await {
        Ok(caller) => caller,
        Err(error) => return Problem::from(error).into_response(),
    };
    request.extensions_mut().insert(caller);
    let limit = state.limits.as_ref().map(|limits| &limits.account);
    limited(limit, &caller.account, next.run(request)).await
}

async fn authenticate(state: &ApiState, token: Option<String>) -> Result<SignedIn> {
    let token = token.ok_or_else(|| {
        Error::new(
            Kind::Unauthenticated,
            "an access token is needed: sign in, then send it as Authorization: Bearer …",
        )
    })?;
    let caller = SignedIn::of(&state.tokens.verify(&token, state.now())?);
    caller
        .still(state, &mut state.registry.view().await?)
        .await?;
    Ok(caller)
}

/// The bearer token of a request (RFC 6750 section 2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

/// Lets a client address through within the rate of requests that need no sign-in.
pub(crate) async fn limit_address(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    by_address(&state, request, next, |limits| &limits.address).await
}

/// Lets a client address through within the rate of exchanges of pods' tokens.
pub(crate) async fn limit_pods(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    by_address(&state, request, next, |limits| &limits.pods).await
}

/// Lets a client address through within the rate of requests that check a password.
pub(crate) async fn limit_credentials(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    by_address(&state, request, next, |limits| &limits.credentials).await
}

async fn by_address(
    state: &ApiState,
    request: Request,
    next: Next,
    limit: impl Fn(&Limits) -> &Limiter<Caller>,
) -> Response {
    let key = Caller::from_address(client_address(&request, state.config.trusted_proxy_hops));
    limited(state.limits.as_ref().map(limit), &key, next.run(request)).await
}

pub(crate) async fn limited<K: std::hash::Hash + Eq + Clone>(
    limit: Option<&Limiter<K>>,
    key: &K,
    rest: impl Future<Output = Response>,
) -> Response {
    let Some(limit) = limit else {
        return rest.await;
    };
    let (mut response, allowance): (Response, Allowance) = match limit.take(key) {
        Ok(allowance) => (rest.await, allowance),
        Err((error, allowance)) => (Problem::from(error).into_response(), allowance),
    };
    allowance.write(response.headers_mut());
    response
}

/// Counts one new workspace of somebody who may be anybody: by the network it comes from.
///
/// # Errors
/// `TooMany` if there were too many.
pub(crate) fn count_new_workspace(state: &ApiState, from: IpAddr) -> Result<()> {
    let Some(limits) = &state.limits else {
        return Ok(());
    };
    limits
        .workspaces
        .take(&Caller::from_address(from))
        .map(|_| ())
        .map_err(|(error, _)| error)
}

/// Counts one password check of a signed-in account.
///
/// # Errors
/// `TooMany` if there were too many.
pub(crate) fn count_password_check(state: &ApiState, account: AccountId) -> Result<()> {
    let Some(limits) = &state.limits else {
        return Ok(());
    };
    limits
        .credentials
        .take(&Caller::Account(account))
        .map(|_| ())
        .map_err(|(error, _)| error)
}
