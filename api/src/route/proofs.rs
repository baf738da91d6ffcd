//! What a code from a letter does: completes a sign-up, changes an address, replaces a password.

use axum::{Json, extract::State, http::StatusCode};
use coditect_core::{AccountId, Email, Error, RequestId};
use coditect_registry::operation::{
    CompleteRegistration, ConfirmEmail, RequestPasswordReset, ResetPassword,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Secret, placement};
use crate::{
    address::CameFrom,
    caller::count_new_workspace,
    extract::{Checks, JsonBody},
    mail::{Letter, Purpose},
    password::Password,
    problem::{Answer, NO_MAIL, Problem},
    proof::{Proof, not_valid},
    state::ApiState,
};

/// How long the codes of an account are valid (OWASP Forgot Password Cheat Sheet: no longer than needed).
const LASTS: SignedDuration = SignedDuration::from_hours(1);

/// When a code that is made now ends.
pub(super) fn end_of(at: Timestamp) -> Timestamp {
    at.saturating_add(LASTS).unwrap_or(Timestamp::MAX)
}

/// Refuses what needs letters where none are sent.
pub(super) fn needs_mail(state: &ApiState) -> Answer<()> {
    if state.mail.is_on() {
        return Ok(());
    }
    let detail = "This installation sends no mail, which this needs.";
    Err(Problem::new(&NO_MAIL, detail))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddressProof)]
pub(super) struct VerifyBody {
    /// What stands behind `#code=` in the letter's link.
    #[schema(max_length = 44)]
    code: String,
}

/// What a code from a letter did.
#[derive(Serialize, ToSchema)]
#[schema(as = AddressProved)]
pub(super) struct VerifiedBody {
    done: Proved,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Proved {
    /// The sign-up is complete: account and first workspace exist.
    SignUp,
    /// The account has the new address.
    NewAddress,
}

/// Shows the code of a letter that asks whether an address is somebody's.
///
/// It completes a sign-up, or gives an account the address that it asked for. It signs nobody in: whoever is lured to a
/// link of somebody else's must not find themselves in their account.
#[utoipa::path(
    post, path = "/api/v5/auth/verify-email", tag = "auth", request_body = VerifyBody,
    responses(
        (status = 200, description = "The address is proved", body = VerifiedBody),
        (status = 403, description = "The code is not valid, or not any more", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
        (status = 409, description = "The address has an account by now", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn verify_email(
    State(state): State<ApiState>,
    from: CameFrom,
    JsonBody(body): JsonBody<VerifyBody>,
) -> Answer<Json<VerifiedBody>> {
    let done = match Proof::decode(&body.code, &state.tokens.keys)? {
        Proof::SignUp(registration) => {
            count_new_workspace(&state, from.address)?;
            let operation = CompleteRegistration {
                registration,
                placement: placement(&state)?,
                at: state.now(),
            };
            let completed = state.registry.apply(RequestId::random(), &operation).await;
            // A sign-up that was forgotten meanwhile looks like one that never was.
            completed.map_err(|error| match error.kind() {
                coditect_core::Kind::NotFound => not_valid(),
                _ => error,
            })?;
            Proved::SignUp
        }
        proof @ Proof::NewAddress(account, _) => {
            let before = state.registry.view().await?.account(account).await?;
            let before = before.ok_or_else(not_valid)?;
            let operation = ConfirmEmail {
                account,
                proof_hash: proof.hash(&state.tokens.keys),
                at: state.now(),
            };
            state
                .registry
                .apply(RequestId::random(), &operation)
                .await?;
            state.mail.send(&before.email, &Letter::AddressChanged);
            Proved::NewAddress
        }
        Proof::Reset(..) => return Err(not_valid().into()),
    };
    Ok(Json(VerifiedBody { done }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ForgottenPassword)]
pub(super) struct ForgotBody {
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
}

/// Asks for a letter with which a forgotten password can be replaced.
///
/// The answer and its time are the same whether or not the address has an account: whatever depends on it happens after
/// the answer.
#[utoipa::path(
    post, path = "/api/v5/auth/forgot-password", tag = "auth", request_body = ForgotBody,
    responses(
        (status = 202, description = "If the address has an account, a letter is on its way"),
        (status = 404, description = "This installation sends no mail", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn forgot_password(
    State(state): State<ApiState>,
    JsonBody(body): JsonBody<ForgotBody>,
) -> Answer<StatusCode> {
    needs_mail(&state)?;
    let email: Email = body.email.parse()?;
    // Asked before anything is changed: what comes of a letter that is not sent must not replace one that was.
    if state.mail.may(&email, Purpose::Reset) {
        let left = state.clone();
        let work = async move { offer_reset(&left, &email).await };
        state.after_answers.spawn("forgot_password", work)?;
    }
    Ok(StatusCode::ACCEPTED)
}

async fn offer_reset(state: &ApiState, email: &Email) -> Result<(), Error> {
    let found = state.registry.view().await?.account_by_email(email).await?;
    let Some((account, _)) = found else {
        return Ok(());
    };
    let at = state.now();
    let proof = Proof::Reset(account, rand::random());
    let keys = &state.tokens.keys;
    let operation = RequestPasswordReset {
        account,
        proof_hash: proof.hash(keys),
        expires_at: end_of(at),
        at,
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    let code = proof.encode(keys);
    state.mail.post(email, &Letter::ResetPassword { code });
    Ok(())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordReset)]
pub(super) struct ResetBody {
    /// What stands behind `#code=` in the letter's link.
    #[schema(max_length = 44)]
    code: String,
    password: Secret,
}

/// Replaces a forgotten password by the code of a letter. Every sign-in of the account ends.
#[utoipa::path(
    post, path = "/api/v5/auth/reset-password", tag = "auth", request_body = ResetBody,
    responses(
        (status = 204, description = "The password is replaced; every sign-in is ended"),
        (status = 403, description = "The code is not valid, or not any more", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn reset_password(
    State(state): State<ApiState>,
    JsonBody(body): JsonBody<ResetBody>,
) -> Answer<StatusCode> {
    let keys = &state.tokens.keys;
    let proof = Proof::decode(&body.code, keys)?;
    let Proof::Reset(account, _) = proof else {
        return Err(not_valid().into());
    };
    let email = address(&state, account).await?;
    let mut checks = Checks::default();
    let password = checks.check(Password::chosen("password", &body.password.0, Some(&email)));
    let Some(password) = password else {
        return Err(checks.problem());
    };
    let operation = ResetPassword {
        account,
        proof_hash: proof.hash(keys),
        password_hash: state
            .passwords
            .hash("password", password, rand::random())
            .await?,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    state.mail.send(&email, &Letter::PasswordChanged);
    Ok(StatusCode::NO_CONTENT)
}

/// An account's address; an account that is gone has no valid code.
async fn address(state: &ApiState, account: AccountId) -> Result<Email, Error> {
    let found = state.registry.view().await?.account(account).await?;
    found.map(|found| found.email).ok_or_else(not_valid)
}
