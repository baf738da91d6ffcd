//! The signed-in person's address.

use axum::{extract::State, http::StatusCode};
use coditect_core::{Email, Error, Kind, RequestId};
use coditect_registry::operation::RequestEmail;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    auth::Secret,
    presence::confirm,
    proofs::{end_of, needs_mail},
};
use crate::{
    caller::SignedIn,
    extract::{Checks, JsonBody},
    mail::{Letter, Purpose},
    password::Password,
    problem::Answer,
    proof::Proof,
    state::ApiState,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EmailChange)]
pub(super) struct EmailChange {
    current_password: Secret,
    /// The address wanted.
    #[schema(max_length = 254, example = "ada@example.org")]
    email: String,
}

/// Asks for another address. It becomes the account's once the code of the letter that goes there is shown at
/// `/api/v5/auth/verify-email`; until then nothing changes. A later request replaces an earlier one.
///
/// The answer is the same whether or not the address has an account: who reads its mail is told.
#[utoipa::path(
    put, path = "/api/v5/me/email", tag = "me", request_body = EmailChange,
    responses(
        (status = 202, description = "A letter is on its way to the new address"),
        (status = 404, description = "This installation sends no mail", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn change_email(
    State(state): State<ApiState>,
    caller: SignedIn,
    JsonBody(body): JsonBody<EmailChange>,
) -> Answer<StatusCode> {
    needs_mail(&state)?;
    let account = state.registry.view().await?.account(caller.account).await?;
    let account = account.ok_or_else(|| Error::not_found("this account is gone"))?;
    let mut checks = Checks::default();
    let current = checks.check(Password::presented(
        "current_password",
        &body.current_password.0,
    ));
    let email =
        checks.check(
            body.email
                .parse::<Email>()
                .and_then(|email| match email == account.email {
                    true => Err(Error::invalid("email", "is this account's address already")),
                    false => Ok(email),
                }),
        );
    let (Some(current), Some(email)) = (current, email) else {
        return Err(checks.problem());
    };
    confirm(&state, &caller, "current_password", current).await?;
    // Asked before anything is changed: what comes of a letter that is not sent must not replace one that was.
    if !state.mail.may(&email, Purpose::NewAddress) {
        let retry_after = std::time::Duration::from_secs(30 * 60);
        let message =
            "this address was sent enough letters of this kind; try again in half an hour";
        return Err(Error::new(Kind::TooMany { retry_after }, message).into());
    }
    let (keys, at) = (&state.tokens.keys, state.now());
    let proof = Proof::NewAddress(caller.account, rand::random());
    let operation = RequestEmail {
        account: caller.account,
        email: email.clone(),
        proof_hash: proof.hash(keys),
        expires_at: end_of(at),
        at,
    };
    let is_free = state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    let letter = match is_free {
        true => Letter::ProveNewAddress {
            code: proof.encode(keys),
        },
        false => Letter::NewAddressTaken,
    };
    state.mail.post(&email, &letter);
    Ok(StatusCode::ACCEPTED)
}
