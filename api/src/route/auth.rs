//! Sign-up.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{DisplayName, Email, Error, RegistrationId, RequestId, Result, TermsVersion};
use coditect_registry::{
    operation::{ClaimSignIn, Placement, Register, Verification},
    record::RegistrationState,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroize;

use super::login::{SignedInBody, sign_in};
use crate::{
    address::CameFrom,
    caller::count_new_workspace,
    config::SignUp,
    cookie,
    extract::{Checks, IdempotencyKey, JsonBody, PathId},
    mail::Letter,
    password::Password,
    problem::Answer,
    proof::Proof,
    state::ApiState,
};

/// A password in a request; wiped when dropped.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(as = Password, value_type = String, format = Password, max_length = 128)]
pub(super) struct Secret(pub(super) String);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Registration)]
pub(super) struct RegisterBody {
    /// The address by which the account is known.
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
    /// 12 to 128 characters, not the e-mail address and not among the first that are guessed.
    password: Secret,
    /// What the person wants to be called: 1 to 64 visible characters.
    #[schema(max_length = 64, example = "Ada")]
    display_name: String,
    /// The version of the terms that the person agreed to: 1 to 32 visible ASCII characters.
    #[schema(max_length = 32, example = "2026-11-01")]
    #[serde(default)]
    terms_version: Option<String>,
}

/// What every sign-up is answered with, whether or not the address has an account.
#[derive(Serialize, ToSchema)]
#[schema(as = RegistrationAccepted)]
pub(super) struct AcceptedBody {
    #[schema(value_type = Uuid)]
    id: RegistrationId,
    /// Where to see how far it is.
    status_url: String,
}

/// Signs a person up.
///
/// The answer is the same whether or not the address has an account. With an `Idempotency-Key`, the same
/// request sent again is answered with the same id and does nothing twice, but for the letter, which comes again.
#[utoipa::path(
    post, path = "/api/v5/auth/register", tag = "auth", request_body = RegisterBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt; 1 to 255 visible ASCII characters")),
    responses((status = 202, description = "Accepted", body = AcceptedBody)),
)]
pub(super) async fn register(
    State(state): State<ApiState>,
    IdempotencyKey(key): IdempotencyKey,
    from: CameFrom,
    JsonBody(body): JsonBody<RegisterBody>,
) -> Answer<Response> {
    let mut checks = Checks::default();
    let email = checks.check(body.email.parse::<Email>());
    let display_name = checks.check(body.display_name.parse::<DisplayName>());
    let password = checks.check(Password::chosen(
        "password",
        &body.password.0,
        email.as_ref(),
    ));
    let terms = body
        .terms_version
        .as_deref()
        .map(str::parse::<TermsVersion>);
    let terms = terms.map(|terms| checks.check(terms));
    let (Some(email), Some(display_name), Some(password), Some(terms)) = (
        email,
        display_name,
        password,
        terms.map_or(Some(None), |terms| terms.map(Some)),
    ) else {
        return Err(checks.problem());
    };
    if state.config.sign_up == SignUp::Closed {
        return Err(Error::unavailable("nobody can sign up right now; try again later").into());
    }
    let verification = state.config.verification;
    match verification {
        Verification::Email if !state.mail.is_on() => {
            let message = "nobody can sign up here: an address must be proved by a letter, and this installation sends no mail";
            return Err(Error::unavailable(message).into());
        }
        // Counted when the address is proved.
        Verification::Email => {}
        Verification::None => count_new_workspace(&state, from.address)?,
    }
    let placement = placement(&state)?;

    // With a key, everything random is derived from the request, so that the same request makes the same id.
    // The id hands out a sign-in, so it depends on the password, and through its hash only: whoever finds an
    // id has to work as hard for the password as with the hash itself.
    let keys = &state.tokens.keys;
    let salt = match &key {
        Some(key) => first_half(keys.derive(
            "registration salt",
            &[email.as_str().as_bytes(), key.as_bytes()],
        )),
        None => rand::random(),
    };
    let password_hash = state.passwords.hash("password", password, salt).await?;
    let (registration, request) = match &key {
        Some(key) => {
            let terms = terms.as_ref().map_or("", TermsVersion::as_str);
            let parts = [
                email.as_str(),
                display_name.as_str(),
                &password_hash,
                key,
                terms,
            ]
            .map(str::as_bytes);
            (
                derived(keys.derive("registration", &parts)),
                derived(keys.derive("registration request", &parts)),
            )
        }
        None => (*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()),
    };
    let registration = RegistrationId::from_bytes(registration);
    let operation = Register {
        registration,
        email: email.clone(),
        display_name,
        password_hash,
        terms,
        verification,
        placement,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::from_bytes(request), &operation)
        .await?;
    metrics::counter!("coditect_api_sign_ups_total").increment(1);
    let left = state.clone();
    let work = async move { write_to(&left, registration, &email).await };
    state.after_answers.spawn("register", work)?;

    let status_url = format!("/api/v5/auth/registrations/{registration}");
    let location = HeaderValue::from_str(&status_url)
        .map_err(|error| Error::internal("a header cannot be written").because(error))?;
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(AcceptedBody {
            id: registration,
            status_url,
        }),
    )
        .into_response())
}

/// Writes to the address of a sign-up: the letters differ, and so does what they cost.
async fn write_to(state: &ApiState, registration: RegistrationId, email: &Email) -> Result<()> {
    let found = state
        .registry
        .view()
        .await?
        .registration(registration)
        .await?;
    match found.map(|found| found.state) {
        Some(RegistrationState::Pending { .. }) => {
            let code = Proof::SignUp(registration).encode(&state.tokens.keys);
            state.mail.send(email, &Letter::ProveAddress { code });
        }
        Some(RegistrationState::Void) => state.mail.send(email, &Letter::HasAccount),
        Some(RegistrationState::Complete { .. }) | None => {}
    }
    Ok(())
}

/// Where a new person goes and what they may use.
pub(super) fn placement(state: &ApiState) -> Result<Placement> {
    let policy = state.policy();
    let plan = policy
        .default_plan
        .as_ref()
        .and_then(|name| policy.plans.get(name));
    let plan = plan.ok_or_else(|| {
        Error::unavailable("nobody can sign up right now: the policy names no plan for new people")
    })?;
    Ok(Placement {
        plan: plan.name.clone(),
        limits: plan.limits,
        cells: policy.cells.values().cloned().collect(),
    })
}

fn first_half(bytes: [u8; 32]) -> [u8; 16] {
    let (half, _) = bytes.split_at(16);
    half.try_into().unwrap_or_default()
}

/// Sixteen derived bytes in the form of a random UUID.
pub(super) fn derived(bytes: [u8; 32]) -> [u8; 16] {
    *uuid::Builder::from_random_bytes(first_half(bytes))
        .as_uuid()
        .as_bytes()
}

/// How far a sign-up is.
#[derive(Serialize, ToSchema)]
#[schema(as = RegistrationStatus)]
pub(super) struct StatusBody {
    #[schema(value_type = Uuid)]
    id: RegistrationId,
    state: RegistrationProgress,
    /// Where the sign-up's one sign-in can be had once it is complete, within ten minutes.
    session_url: String,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RegistrationProgress {
    /// Waits for the person to prove the address.
    Pending,
    /// Account and first workspace exist.
    Complete,
}

/// How far a sign-up is.
///
/// A sign-up for an address that has an account stays pending.
#[utoipa::path(
    get, path = "/api/v5/auth/registrations/{id}", tag = "auth", params(("id" = Uuid, Path, description = "The sign-up")),
    responses((status = 200, description = "How far it is", body = StatusBody)),
)]
pub(super) async fn registration(
    State(state): State<ApiState>,
    PathId(id): PathId<RegistrationId>,
) -> Answer<Json<StatusBody>> {
    let found = state.registry.view().await?.registration(id).await?;
    let found = found.ok_or_else(|| Error::not_found("there is no sign-up of that id"))?;
    let progress = match found.state {
        RegistrationState::Pending { .. } | RegistrationState::Void => {
            RegistrationProgress::Pending
        }
        RegistrationState::Complete { .. } => RegistrationProgress::Complete,
    };
    Ok(Json(StatusBody {
        id,
        state: progress,
        session_url: format!("/api/v5/auth/registrations/{id}/session"),
    }))
}

/// Signs in whoever made a sign-up that is complete, once.
#[utoipa::path(
    post, path = "/api/v5/auth/registrations/{id}/session", tag = "auth", params(("id" = Uuid, Path, description = "The sign-up")),
    responses(
        (status = 200, description = "Signed in; the refresh cookie is set", body = SignedInBody),
        (status = 403, description = "A page of another origin", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn claim_session(
    State(state): State<ApiState>,
    PathId(registration): PathId<RegistrationId>,
    from: CameFrom,
    headers: HeaderMap,
) -> Answer<Response> {
    // A foreign page could otherwise sign its visitor in to an account of its own making.
    cookie::check_origin(&headers, &state)?;
    let claim = ClaimSignIn {
        registration,
        at: state.now(),
    };
    let account = state.registry.apply(RequestId::random(), &claim).await?;
    sign_in(&state, account, None, from).await
}
