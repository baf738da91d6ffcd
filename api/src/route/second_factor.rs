//! The second factor: offered, switched on, asked for at sign-in, switched off.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use coditect_core::{AccountId, Error, Kind, RequestId, Result};
use coditect_registry::{
    operation::{
        ConfirmSecondFactor, OfferSecondFactor, RemoveSecondFactor, SecondProof, UseSecondFactor,
    },
    record::SecondFactor,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{
    auth::Secret,
    identity::sign_in_once,
    login::{SignedInBody, sign_in},
    presence::confirm,
};
use crate::{
    address::CameFrom,
    caller::SignedIn,
    challenge::{Challenge, Shown},
    cookie,
    extract::JsonBody,
    mail::Letter,
    password::Password,
    problem::Answer,
    sealed,
    state::ApiState,
    totp::{self, Totp},
};

/// How many recovery codes there are, each good once.
const RECOVERY_CODES: usize = 10;
/// Bytes of a recovery code: 80 bits, which nobody guesses online.
const RECOVERY_BYTES: usize = 10;

/// Whether a second factor is asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = SecondFactor)]
pub(super) struct StatusBody {
    enabled: bool,
    /// How many recovery codes are left.
    recovery_codes_left: usize,
}

/// Whether signing in asks for a second factor.
#[utoipa::path(
    get, path = "/api/v5/me/second-factor", tag = "me",
    responses((status = 200, description = "Whether it does", body = StatusBody)),
)]
pub(super) async fn second_factor(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<Json<StatusBody>> {
    let found = confirmed(&state, caller.account).await?;
    Ok(Json(StatusBody {
        enabled: found.is_some(),
        recovery_codes_left: found.map_or(0, |found| found.recovery.len()),
    }))
}

async fn confirmed(state: &ApiState, account: AccountId) -> Result<Option<SecondFactor>> {
    let found = state.registry.view().await?.second_factor(account).await?;
    Ok(found.filter(|found| found.confirmed_at.is_some()))
}

/// Whether this account's sign-ins need a second factor.
pub(super) async fn is_on(state: &ApiState, account: AccountId) -> Result<bool> {
    Ok(confirmed(state, account).await?.is_some())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecondFactorPassword)]
pub(super) struct PasswordBody {
    /// The account's password.
    password: Secret,
}

/// A secret for an authenticator app. It is told this once.
#[derive(Serialize, ToSchema)]
#[schema(as = SecondFactorOffer)]
pub(super) struct OfferBody {
    /// The secret in base32, to be typed.
    secret: String,
    /// The same as an address, to be shown as a QR code.
    uri: String,
}

/// Offers a secret for an authenticator app. Nothing is asked for until a code of it is confirmed; an earlier offer is void.
#[utoipa::path(
    post, path = "/api/v5/me/second-factor", tag = "me", request_body = PasswordBody,
    responses(
        (status = 200, description = "The secret", body = OfferBody),
        (status = 409, description = "There is a second factor; switch it off first", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn offer_second_factor(
    State(state): State<ApiState>,
    caller: SignedIn,
    JsonBody(body): JsonBody<PasswordBody>,
) -> Answer<Json<OfferBody>> {
    let password = Password::presented("password", &body.password.0)?;
    confirm(&state, &caller, "password", password).await?;
    let secret = Zeroizing::new(rand::random::<[u8; totp::SECRET]>().to_vec());
    let at = state.now();
    let operation = OfferSecondFactor {
        account: caller.account,
        sealed_secret: sealed::seal(&state.tokens.keys, caller.account, &secret)?,
        at,
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    let account = state.registry.view().await?.account(caller.account).await?;
    let account = account.ok_or_else(|| Error::not_found("this account is gone"))?;
    let totp = Totp::new(secret);
    Ok(Json(OfferBody {
        secret: totp.base32().to_string(),
        uri: totp.uri("Coditect", account.email.as_str()).to_string(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecondFactorCode)]
pub(super) struct CodeBody {
    /// Six digits of the authenticator app.
    #[schema(max_length = 64, example = "123456")]
    code: Secret,
}

/// What to write down. Each code signs in once, in the place of the app's.
#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryCodes)]
pub(super) struct RecoveryBody {
    recovery_codes: Vec<String>,
}

/// Switches the second factor on, by a code of the secret that was offered.
#[utoipa::path(
    post, path = "/api/v5/me/second-factor/confirm", tag = "me", request_body = CodeBody,
    responses(
        (status = 200, description = "On from now; the recovery codes are told this once", body = RecoveryBody),
        (status = 409, description = "Nothing was offered, or something else meanwhile", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn confirm_second_factor(
    State(state): State<ApiState>,
    caller: SignedIn,
    JsonBody(body): JsonBody<CodeBody>,
) -> Answer<Json<RecoveryBody>> {
    crate::caller::count_password_check(&state, caller.account)?;
    let mut view = state.registry.view().await?;
    let offered = view.second_factor(caller.account).await?;
    let offered = offered
        .filter(|offered| offered.confirmed_at.is_none())
        .ok_or_else(|| Error::conflict("no second factor is offered; ask for one first"))?;
    let keys = &state.tokens.keys;
    let at = state.now();
    let totp = Totp::new(sealed::open(keys, caller.account, &offered.sealed_secret)?);
    let step = totp.step_of(&body.code.0, at).ok_or_else(|| {
        Error::invalid(
            "code",
            "is not the app's code now; look at its clock and try again",
        )
    })?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
    let operation = ConfirmSecondFactor {
        account: caller.account,
        sealed_secret: offered.sealed_secret,
        step,
        recovery: codes
            .iter()
            .map(|code| recovery_hash(&state, caller.account, code))
            .collect(),
        at,
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    notify(&state, caller.account, &Letter::SecondFactorOn).await?;
    Ok(Json(RecoveryBody {
        recovery_codes: codes,
    }))
}

/// Switches the second factor off.
#[utoipa::path(
    delete, path = "/api/v5/me/second-factor", tag = "me", request_body = PasswordBody,
    responses((status = 204, description = "Off; the recovery codes are worth nothing any more")),
)]
pub(super) async fn remove_second_factor(
    State(state): State<ApiState>,
    caller: SignedIn,
    JsonBody(body): JsonBody<PasswordBody>,
) -> Answer<StatusCode> {
    let password = Password::presented("password", &body.password.0)?;
    confirm(&state, &caller, "password", password).await?;
    let was_on = is_on(&state, caller.account).await?;
    let operation = RemoveSecondFactor {
        account: caller.account,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    if was_on {
        notify(&state, caller.account, &Letter::SecondFactorOff).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecondFactorLogin)]
pub(super) struct LoginBody {
    /// The `challenge` of the problem with which signing in was answered, by password or by a provider.
    #[schema(max_length = 2048)]
    challenge: String,
    /// Six digits of the authenticator app, or a recovery code.
    #[schema(max_length = 64, example = "123456")]
    code: Secret,
}

/// Completes a sign-in that asked for a second factor.
#[utoipa::path(
    post, path = "/api/v5/auth/login/second-factor", tag = "auth", request_body = LoginBody,
    responses(
        (status = 200, description = "Signed in; the refresh cookie is set", body = SignedInBody),
        (status = 401, description = "The code is wrong or was used before, or the challenge is over", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
        (status = 403, description = "A page of another origin", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn answer_second_factor(
    State(state): State<ApiState>,
    headers: HeaderMap,
    from: CameFrom,
    JsonBody(body): JsonBody<LoginBody>,
) -> Answer<Response> {
    cookie::check_origin(&headers, &state)?;
    let (keys, at) = (&state.tokens.keys, state.now());
    let challenge = Challenge::read(keys, &state.config.public_url, &body.challenge, at)?;
    let account = challenge.sub;
    if let Some(limits) = &state.limits {
        // Wherever from: three of a million codes are right at a time, and whoever comes here knows the password already,
        // or is in at a provider. Against them a new password helps, or unlinking: both end their challenges.
        limits.wrong_codes.guess(&account, at)?;
    }
    let wrong = || {
        metrics::counter!("coditect_api_logins_total", "outcome" => "refused").increment(1);
        Error::new(
            Kind::Unauthenticated,
            "the code is wrong, or was used before",
        )
    };
    let found = confirmed(&state, account).await?;
    if let Some(found) = found {
        let totp = Totp::new(sealed::open(keys, account, &found.sealed_secret)?);
        let proof = match totp.step_of(&body.code.0, at) {
            Some(step) => SecondProof::Step(step),
            None => SecondProof::Recovery(recovery_hash(&state, account, &body.code.0)),
        };
        let is_recovery = matches!(proof, SecondProof::Recovery(_));
        let operation = UseSecondFactor { account, proof, at };
        if !state
            .registry
            .apply(RequestId::random(), &operation)
            .await?
        {
            return Err(wrong().into());
        }
        if let Some(limits) = &state.limits {
            limits.wrong_codes.right(&account);
        }
        if is_recovery {
            let left = found.recovery.len().saturating_sub(1);
            notify(&state, account, &Letter::RecoveryCodeUsed { left }).await?;
        }
    }
    // Switched off meanwhile, by somebody who is signed in and knows the password: what was shown is enough then.
    let response = match challenge.shown {
        Shown::Password(set_at) => sign_in(&state, account, Some(set_at), from).await?,
        Shown::Identity(provider, request) => {
            let mut view = state.registry.view().await?;
            let linked = view.identities(account).await?;
            if !linked.iter().any(|(name, _)| *name == provider) {
                return Err(wrong().into());
            }
            sign_in_once(&state, account, request, from).await?
        }
    };
    metrics::counter!("coditect_api_logins_total", "outcome" => "signed_in").increment(1);
    Ok(response)
}

async fn notify(state: &ApiState, account: AccountId, letter: &Letter) -> Result<()> {
    if let Some(account) = state.registry.view().await?.account(account).await? {
        state.mail.send(&account.email, letter);
    }
    Ok(())
}

/// Sixteen characters in groups of four.
fn recovery_code() -> String {
    let text = totp::base32(&rand::random::<[u8; RECOVERY_BYTES]>());
    let groups = text.as_bytes().chunks(4).map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join("-")
}

/// What the registry keeps of a recovery code, however it is typed.
fn recovery_hash(state: &ApiState, account: AccountId, code: &str) -> String {
    let plain: String = code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_uppercase())
        .collect();
    let parts = [account.as_bytes().as_slice(), plain.as_bytes()];
    let hash = state.tokens.keys.derive("recovery code", &parts);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
