//! Signing in, staying signed in, signing out.

use std::net::IpAddr;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{AccountId, Email, Error, Kind, LoginId, RequestId, Result, TenantId, UserId};
use coditect_registry::operation::{EndLogin, OpenLogin, RotateRefresh, Rotation};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{auth::Secret, second_factor};
use crate::{
    address::CameFrom,
    challenge::{Challenge, Shown},
    cookie,
    extract::{Checks, JsonBody},
    password::Password,
    problem::{Answer, Problem},
    rate::Caller,
    state::ApiState,
    token::RefreshToken,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Login)]
pub(super) struct LoginBody {
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
    password: Secret,
}

/// An access token. The refresh token comes as a cookie that scripts cannot read.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub(super) struct SignedInBody {
    /// To be sent as `Authorization: Bearer …`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token expires.
    expires_in: i64,
}

impl SignedInBody {
    /// An access token for a login that acts in this tenant.
    pub(super) fn new(
        state: &ApiState,
        (account, login): (AccountId, LoginId),
        membership: Option<(TenantId, UserId)>,
    ) -> Result<Self> {
        let now = state.now();
        Ok(Self {
            access_token: state.tokens.issue(account, login, membership, now)?,
            token_type: "Bearer",
            expires_in: state.tokens.lifetime_seconds(),
        })
    }
}

/// Signs in with e-mail and password.
#[utoipa::path(
    post, path = "/api/v5/auth/login", tag = "auth", request_body = LoginBody,
    responses(
        (status = 200, description = "Signed in; the refresh cookie is set", body = SignedInBody),
        (status = 401, description = "E-mail or password is wrong", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
        (status = 403, description = "A page of another origin; or the password is right and a second factor is asked for: the problem's `challenge` goes with it to `/api/v5/auth/login/second-factor`", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn login(
    State(state): State<ApiState>,
    headers: HeaderMap,
    from: CameFrom,
    JsonBody(body): JsonBody<LoginBody>,
) -> Answer<Response> {
    // A foreign page could otherwise sign its visitor in to an account of its own making.
    cookie::check_origin(&headers, &state)?;
    let mut checks = Checks::default();
    let email = checks.check(body.email.parse::<Email>());
    let password = checks.check(Password::presented("password", &body.password.0));
    let (Some(email), Some(password)) = (email, password) else {
        return Err(checks.problem());
    };
    let guess = count_guess(&state, &email, from.address).await?;
    let wrong = || {
        metrics::counter!("coditect_api_logins_total", "outcome" => "refused").increment(1);
        Error::new(Kind::Unauthenticated, "e-mail or password is wrong")
    };
    let mut view = state.registry.view().await?;
    let found = view.account_by_email(&email).await?;
    if found.is_none() {
        // As many reads as for an address with an account.
        view.credential(AccountId::random()).await?;
    }
    let hash = found
        .as_ref()
        .map(|(_, credential)| credential.password_hash.clone());
    // Also for nobody: an unknown address must take as long as a wrong password.
    if !state.passwords.verify(password, hash).await? {
        return Err(wrong().into());
    }
    let (account, credential) = found.ok_or_else(wrong)?;
    if let (Some(limits), Some(guess)) = (&state.limits, &guess) {
        limits.wrong_passwords.right(guess);
    }
    if second_factor::is_on(&state, account).await? {
        return Err(challenged(
            &state,
            account,
            Shown::Password(credential.changed_at),
        )?);
    }
    let response = sign_in(&state, account, Some(credential.changed_at), from).await?;
    metrics::counter!("coditect_api_logins_total", "outcome" => "signed_in").increment(1);
    Ok(response)
}

/// Counts a guess at an account's password, whether or not there is such an account: from this network at this account,
/// and from everywhere at this account. What others guess shuts nobody out who signed in from their network before.
///
/// # Errors
/// `TooMany` if there were too many; the password must not be looked at then.
async fn count_guess(
    state: &ApiState,
    email: &Email,
    address: IpAddr,
) -> Result<Option<([u8; 32], Caller)>> {
    let Some(limits) = &state.limits else {
        return Ok(None);
    };
    let keys = &state.tokens.keys;
    let account = keys.derive("guesses", &[email.as_str().as_bytes()]);
    let guess = (account, Caller::from_address(address));
    limits.wrong_passwords.guess(&guess, state.now())?;
    if let Err((error, _)) = limits.guesses.take(&account)
        && !signed_in_from(state, email, guess.1).await?
    {
        return Err(error);
    }
    Ok(Some(guess))
}

/// Whether somebody signed in to the account from this network in the last 30 days.
async fn signed_in_from(state: &ApiState, email: &Email, network: Caller) -> Result<bool> {
    let mut view = state.registry.view().await?;
    let Some((account, _)) = view.account_by_email(email).await? else {
        return Ok(false);
    };
    let sign_ins = view.sign_ins(account, state.now()).await?;
    let mut addresses = sign_ins.into_iter().filter_map(|(_, from, _)| from.address);
    Ok(addresses.any(|address| Caller::from_address(address) == network))
}

/// What a sign-in is answered with that lacks its second factor.
pub(super) fn challenged(state: &ApiState, account: AccountId, shown: Shown) -> Result<Problem> {
    metrics::counter!("coditect_api_logins_total", "outcome" => "challenged").increment(1);
    let (keys, issuer) = (&state.tokens.keys, &state.config.public_url);
    let challenge = Challenge::issue(keys, issuer, account, shown, state.now())?;
    Ok(Problem::challenge(challenge))
}

/// Opens a login and hands out its first tokens.
///
/// `credential_of` is when the password that was checked was set: if it has been changed since, there is no login.
/// `None` if no password was checked.
pub(super) async fn sign_in(
    state: &ApiState,
    account: AccountId,
    credential_of: Option<Timestamp>,
    from: CameFrom,
) -> Answer<Response> {
    let login = LoginId::random();
    state
        .registry
        .apply(
            RequestId::random(),
            &OpenLogin {
                account,
                login,
                credential_of,
                from: Some((from.address, from.agent)),
                at: state.now(),
            },
        )
        .await?;
    hand_out(
        state,
        RefreshToken {
            account,
            login,
            counter: 0,
        },
    )
    .await
}

/// The tokens of a login that is open.
pub(super) async fn hand_out(state: &ApiState, refresh: RefreshToken) -> Answer<Response> {
    let RefreshToken { account, login, .. } = refresh;
    let membership = acts_in(state, account, login).await?;
    let body = SignedInBody::new(state, (account, login), membership)?;
    let cookie = cookie::set(&refresh, &state.tokens.keys)?;
    Ok(([(header::SET_COOKIE, cookie)], Json(body)).into_response())
}

/// In which tenant a login acts: the one it switched to, while its person is a member there; else the one they joined
/// first. What has ended is the last choice: who asked for the end of their account must be able to take it back.
async fn acts_in(
    state: &ApiState,
    account: AccountId,
    login: LoginId,
) -> Result<Option<(TenantId, UserId)>> {
    let mut view = state.registry.view().await?;
    let chosen = view.login(account, login, state.now()).await?;
    let chosen = chosen.and_then(|login| login.tenant);
    let mut best = None;
    for (tenant, user) in view.memberships(account).await? {
        if let Some((_, record)) = view.user(user).await? {
            let order = (
                record.removal.is_some(),
                chosen != Some(tenant),
                record.joined_at,
                tenant,
            );
            if best.as_ref().is_none_or(|(first, _)| order < *first) {
                best = Some((order, (tenant, user)));
            }
        }
    }
    Ok(best.map(|(_, membership)| membership))
}

/// Exchanges the refresh cookie for a new one and an access token.
///
/// The cookie before the newest still works for ten seconds and yields the same successor, for two tabs or a
/// lost answer. An older one ends the login: somebody has copied it.
#[utoipa::path(
    post, path = "/api/v5/auth/refresh", tag = "auth", security(("refresh_cookie" = [])),
    responses(
        (status = 200, description = "A new access token; a new refresh cookie is set", body = SignedInBody),
        (status = 401, description = "No valid refresh cookie", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
        (status = 403, description = "A page of another origin", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn refresh(State(state): State<ApiState>, headers: HeaderMap) -> Answer<Response> {
    cookie::check_origin(&headers, &state)?;
    let signed_out = || Error::new(Kind::Unauthenticated, "this login has ended; sign in again");
    let RefreshToken {
        account,
        login,
        counter,
    } = cookie::read(&headers, &state.tokens.keys).ok_or_else(signed_out)?;
    let rotation = RotateRefresh {
        account,
        login,
        counter,
        at: state.now(),
    };
    match state.registry.apply(RequestId::random(), &rotation).await? {
        Rotation::Current(counter) => {
            hand_out(
                &state,
                RefreshToken {
                    account,
                    login,
                    counter,
                },
            )
            .await
        }
        ended @ (Rotation::Reused | Rotation::Ended) => {
            if ended == Rotation::Reused {
                metrics::counter!("coditect_api_refresh_reused_total").increment(1);
                tracing::warn!(%account, %login, "an old refresh token was used again; the login is ended");
            }
            let mut response = Problem::from(signed_out()).into_response();
            response
                .headers_mut()
                .insert(header::SET_COOKIE, cookie::clear()?);
            Ok(response)
        }
    }
}

/// Ends the login of the refresh cookie and that of the access token, if either came.
#[utoipa::path(
    post, path = "/api/v5/auth/logout", tag = "auth", security((), ("refresh_cookie" = []), ("access_token" = [])),
    responses((status = 204, description = "Signed out")),
)]
pub(super) async fn logout(State(state): State<ApiState>, headers: HeaderMap) -> Answer<Response> {
    cookie::check_origin(&headers, &state)?;
    let by_cookie =
        cookie::read(&headers, &state.tokens.keys).map(|token| (token.account, token.login));
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split_once(' '));
    let by_token = bearer
        .and_then(|(_, token)| state.tokens.verify(token.trim(), state.now()).ok())
        .map(|claims| (claims.sub, claims.sid));
    for (account, login) in by_cookie.into_iter().chain(by_token) {
        end(&state, account, login).await?;
    }
    Ok((
        StatusCode::NO_CONTENT,
        [(header::SET_COOKIE, cookie::clear()?)],
    )
        .into_response())
}

async fn end(state: &ApiState, account: AccountId, login: LoginId) -> Result<()> {
    state
        .registry
        .apply(
            RequestId::random(),
            &EndLogin {
                account,
                login,
                at: state.now(),
            },
        )
        .await
}
