//! Who is calling: checked before any handler behind the door runs.

use std::net::IpAddr;

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use coditect_core::{
    AccountId, Error, Kind, LoginId, RequestId, Result, TenantId, UserId, WorkspaceId,
};
use coditect_registry::{
    View, keys,
    operation::TouchApiKey,
    record::{ApiKey, ApiKeyPlace},
    store::Key,
};

use crate::{
    address::client_address,
    api_key::{ApiKeySecret, KeyHash},
    problem::Problem,
    rate::{self, Allowance, Caller, Limiter, Limits},
    scope::{self, Scope},
    state::ApiState,
    token::Claims,
};

/// A known caller: a person who signed in, or a program with one of their API keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedIn {
    pub(crate) account: AccountId,
    by: By,
    /// When the access token expires, Unix seconds; of a key, when a stream that it opened ends.
    pub(crate) expires: i64,
    membership: Option<(TenantId, UserId)>,
}

/// By what a caller is known.
#[derive(Clone, Copy, Debug)]
enum By {
    Login(LoginId),
    Key(KeyHash),
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

    /// The login.
    ///
    /// # Errors
    /// `Forbidden` to a program with an API key.
    pub(crate) fn login(&self) -> Result<LoginId> {
        match self.by {
            By::Login(login) => Ok(login),
            By::Key(_) => Err(not_for_keys()),
        }
    }

    /// What changes in the registry when this caller is known no more.
    pub(crate) fn watched(&self) -> Key {
        match self.by {
            By::Login(login) => keys::login(self.account, login),
            By::Key(hash) => keys::api_key_hash(&hash.hex()),
        }
    }

    fn of(claims: &Claims) -> Self {
        Self {
            account: claims.sub,
            by: By::Login(claims.sid),
            expires: claims.exp,
            membership: claims.tid.zip(claims.uid),
        }
    }

    /// Refuses a caller whose login or key has ended meanwhile.
    pub(crate) async fn still(&self, state: &ApiState, view: &mut View) -> Result<()> {
        match self.by {
            By::Login(login) => {
                let ended = "this login has ended; sign in again";
                let found = view.login(self.account, login, state.now()).await?;
                found
                    .map(drop)
                    .ok_or_else(|| Error::new(Kind::Unauthenticated, ended))
            }
            By::Key(hash) => key_of(state, view, hash).await.map(drop),
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
    let shows_key = token.as_deref().and_then(ApiKeySecret::recognise).is_some();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str).unwrap_or_default();
    let asked = scope::asked(request.method(), route);
    let known = match authenticate(&state, token).await {
        Ok(known) => known,
        Err(error) => {
            if shows_key && matches!(error.kind(), Kind::Unauthenticated) {
                count_use(asked, "unknown");
            }
            return Problem::from(error).into_response();
        }
    };
    let caller = known.caller;
    let allowed = match &known.key {
        Some(key) => match may(key, asked) {
            Ok(()) => stays_home(&state, &caller, route, request.uri().path()).await,
            refused => refused,
        },
        None => Ok(()),
    };
    request.extensions_mut().insert(caller);
    let limit = state.limits.as_ref().map(|limits| &limits.account);
    let rest = async {
        if known.key.is_some() {
            count_use(asked, if allowed.is_ok() { "let_in" } else { "refused" });
        }
        match allowed {
            Ok(()) => next.run(request).await,
            Err(error) => Problem::from(error).into_response(),
        }
    };
    limited(limit, &caller.account, rest).await
}

/// Lets only administrators of the platform through, of those that [`require_login`] let in.
pub(crate) async fn require_administrator(
    State(state): State<ApiState>,
    caller: SignedIn,
    request: Request,
    next: Next,
) -> Response {
    if state.config.administrators.contains(&caller.account) {
        return next.run(request).await;
    }
    let message = "only an administrator of this installation may do this";
    Problem::from(Error::new(Kind::Forbidden, message)).into_response()
}

/// Who calls, and with which key if it is one.
struct Known {
    caller: SignedIn,
    key: Option<ApiKey>,
}

async fn authenticate(state: &ApiState, token: Option<String>) -> Result<Known> {
    let token = token.ok_or_else(|| {
        Error::new(
            Kind::Unauthenticated,
            "an access token is needed: sign in, then send it as Authorization: Bearer …",
        )
    })?;
    if let Some(secret) = ApiKeySecret::recognise(&token) {
        return authenticate_key(state, secret.hash()).await;
    }
    let caller = SignedIn::of(&state.tokens.verify(&token, state.now())?);
    caller
        .still(state, &mut state.registry.view().await?)
        .await?;
    Ok(Known { caller, key: None })
}

async fn authenticate_key(state: &ApiState, hash: KeyHash) -> Result<Known> {
    let now = state.now();
    let (place, key) = key_of(state, &mut state.registry.view().await?, hash).await?;
    if key
        .used_at
        .is_none_or(|used| now.duration_since(used) >= ApiKey::USED_AGAIN)
    {
        let touch = TouchApiKey { place, at: now };
        // When it was last used is for the person to see: nothing fails because it could not be noted.
        if let Err(error) = state.registry.apply(RequestId::random(), &touch).await {
            tracing::warn!(error = error.chain(), "the use of an API key is not noted");
        }
    }
    let caller = SignedIn {
        account: place.account,
        by: By::Key(hash),
        expires: now.as_second() + state.tokens.lifetime_seconds(),
        membership: Some((place.tenant, place.user)),
    };
    Ok(Known {
        caller,
        key: Some(key),
    })
}

async fn key_of(state: &ApiState, view: &mut View, hash: KeyHash) -> Result<(ApiKeyPlace, ApiKey)> {
    let found = view.api_key_by_hash(&hash.hex(), state.now()).await?;
    let unknown = "this API key is unknown, revoked or expired; make another";
    found
        .map(|(place, key, _)| (place, key))
        .ok_or_else(|| Error::new(Kind::Unauthenticated, unknown))
}

fn not_for_keys() -> Error {
    let message = "no API key may do this; sign in and do it yourself";
    Error::new(Kind::Forbidden, message)
}

/// Refuses a key what its person has in another tenant than the key's, or what was left to them.
async fn stays_home(state: &ApiState, caller: &SignedIn, route: &str, path: &str) -> Result<()> {
    let Some(rest) = route.strip_prefix(OF_A_WORKSPACE) else {
        return Ok(());
    };
    if !rest.is_empty() && !rest.starts_with('/') {
        return Ok(());
    }
    let none = || Error::not_found("there is no workspace of that id");
    let at = OF_A_WORKSPACE.matches('/').count();
    // An id that is written in another way than ids are is none.
    let id: WorkspaceId = path
        .split('/')
        .nth(at)
        .and_then(|id| id.parse().ok())
        .ok_or_else(none)?;
    let place = state.registry.view().await?.workspace_place(id).await?;
    let user = caller.user()?;
    place
        .filter(|place| place.user == user)
        .map(drop)
        .ok_or_else(none)
}

/// How the routes of one workspace begin.
const OF_A_WORKSPACE: &str = "/api/v5/workspaces/{id}";

/// Counts a use of an API key by what the route asks of keys, and what came of it. Those over their account's rate are
/// counted there.
fn count_use(asked: Option<Scope>, outcome: &'static str) {
    let scope = asked.map_or("none", Scope::name);
    metrics::counter!("coditect_api_key_uses_total", "scope" => scope, "outcome" => outcome)
        .increment(1);
}

/// Refuses a key whose scopes do not hold what the route asks.
fn may(key: &ApiKey, asked: Option<Scope>) -> Result<()> {
    let scope = asked.ok_or_else(not_for_keys)?;
    if key.scopes.contains(scope.name()) {
        return Ok(());
    }
    let message = format!(
        "this API key lacks the scope {}; use one that has it",
        scope.name()
    );
    Err(Error::new(Kind::Forbidden, message))
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

pub(crate) async fn limited<K: rate::Key>(
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
