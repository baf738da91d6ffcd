//! The signed-in person.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{
    AccountId, DisplayName, Email, Error, Kind, RequestId, Result, TermsVersion, UserId,
};
use coditect_registry::{
    View,
    operation::{ChangePassword, ChangeProfile, DeleteAccount, MarkAccount, RestoreAccount},
    record::AcceptedTerms,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{auth::Secret, entity, plans::TenantBody};
use crate::{
    caller::{SignedIn, count_password_check},
    cookie,
    extract::{Checks, JsonBody},
    mail::Letter,
    password::Password,
    problem::Answer,
    state::ApiState,
};

/// The signed-in person.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub(super) struct MeBody {
    #[schema(value_type = Uuid)]
    id: AccountId,
    #[schema(value_type = String)]
    email: Email,
    #[schema(value_type = String)]
    display_name: DisplayName,
    created_at: Timestamp,
    /// The person's membership in the tenant.
    #[schema(value_type = Option<Uuid>)]
    user_id: Option<UserId>,
    tenant: Option<TenantBody>,
    /// Set while the account is marked for deletion: until then it can be restored.
    deletes_at: Option<Timestamp>,
    /// Since when an administrator of the platform holds the membership, so that nothing of it runs.
    held_at: Option<Timestamp>,
    /// The terms that the person agreed to when signing up.
    terms: Option<TermsBody>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AcceptedTerms)]
pub(super) struct TermsBody {
    #[schema(value_type = String, example = "2026-11-01")]
    version: TermsVersion,
    at: Timestamp,
}

impl From<AcceptedTerms> for TermsBody {
    fn from(AcceptedTerms { version, at }: AcceptedTerms) -> Self {
        Self { version, at }
    }
}

async fn read(state: &ApiState, view: &mut View, caller: &SignedIn) -> Result<(u64, MeBody)> {
    let account = view
        .account(caller.account)
        .await?
        .ok_or_else(|| Error::not_found("this account is gone"))?;
    let mut body = MeBody {
        id: caller.account,
        email: account.email,
        display_name: account.display_name,
        created_at: account.created_at,
        user_id: None,
        tenant: None,
        deletes_at: account.mark.map(|mark| mark.until),
        held_at: None,
        terms: account.terms.map(TermsBody::from),
    };
    if let Ok((tenant, id)) = caller.membership()
        && let Some((_, user)) = view.user(id).await?
    {
        body.user_id = Some(id);
        body.held_at = user.held;
        body.tenant = TenantBody::read(view, &state.policy(), tenant, user.role).await?;
    }
    Ok((account.revision, body))
}

/// The signed-in person.
#[utoipa::path(get, path = "/api/v5/me", tag = "me", responses((status = 200, description = "The person", body = MeBody)))]
pub(super) async fn get(
    State(state): State<ApiState>,
    caller: SignedIn,
    headers: HeaderMap,
) -> Answer<Response> {
    let (revision, body) = read(&state, &mut state.registry.view().await?, &caller).await?;
    entity::answer_get(&headers, revision, &body)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MeChange)]
pub(super) struct MeChange {
    /// 1 to 64 visible characters.
    #[schema(max_length = 64)]
    display_name: String,
}

/// Changes what the person is called.
#[utoipa::path(
    patch, path = "/api/v5/me", tag = "me", request_body = MeChange,
    params(("If-Match" = Option<String>, Header, description = "The entity tag the change is based on")),
    responses((status = 200, description = "The person as changed", body = MeBody)),
)]
pub(super) async fn patch(
    State(state): State<ApiState>,
    caller: SignedIn,
    headers: HeaderMap,
    JsonBody(change): JsonBody<MeChange>,
) -> Answer<Response> {
    let expected = entity::expected_revision(&headers)?;
    let (tenant, _) = caller.membership()?;
    let display_name: DisplayName = change.display_name.parse()?;
    let operation = ChangeProfile {
        account: caller.account,
        display_name,
        expected,
        tenant,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await
        .map_err(|error| entity::failed(error, expected))?;
    let (revision, body) = read(&state, &mut state.registry.view().await?, &caller).await?;
    entity::answer(StatusCode::OK, revision, &body)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordChange)]
pub(super) struct PasswordChange {
    current_password: Secret,
    new_password: Secret,
}

/// Changes the password, ends every other login and takes back a change of e-mail that waits for its proof.
#[utoipa::path(
    put, path = "/api/v5/me/password", tag = "me", request_body = PasswordChange,
    responses((status = 204, description = "Changed; every other login is ended")),
)]
pub(super) async fn change_password(
    State(state): State<ApiState>,
    caller: SignedIn,
    JsonBody(body): JsonBody<PasswordChange>,
) -> Answer<StatusCode> {
    let account = state
        .registry
        .view()
        .await?
        .account(caller.account)
        .await?
        .ok_or_else(|| Error::not_found("this account is gone"))?;
    let (tenant, _) = caller.membership()?;
    let mut checks = Checks::default();
    let current = checks.check(Password::presented(
        "current_password",
        &body.current_password.0,
    ));
    let new = checks.check(Password::chosen(
        "new_password",
        &body.new_password.0,
        Some(&account.email),
    ));
    let (Some(current), Some(new)) = (current, new) else {
        return Err(checks.problem());
    };
    confirm(&state, &caller, "current_password", current).await?;
    let password_hash = state
        .passwords
        .hash("new_password", new, rand::random())
        .await?;
    let operation = ChangePassword {
        account: caller.account,
        password_hash,
        keep: caller.login()?,
        tenant,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    state.mail.send(&account.email, &Letter::PasswordChanged);
    Ok(StatusCode::NO_CONTENT)
}

/// Makes sure that it is the person who asks, not somebody at their open browser.
pub(super) async fn confirm(
    state: &ApiState,
    caller: &SignedIn,
    field: &'static str,
    password: Password,
) -> Answer<()> {
    count_password_check(state, caller.account)?;
    let credential = state
        .registry
        .view()
        .await?
        .credential(caller.account)
        .await?;
    let hash = credential.map(|credential| credential.password_hash);
    let has_one = hash.is_some();
    if state.passwords.verify(password, hash).await? {
        return Ok(());
    }
    let message = match has_one {
        true => "is not this account's password",
        false => {
            "cannot be right: this account has no password; set one by POST /api/v5/auth/forgot-password"
        }
    };
    Err(Error::invalid(field, message).into())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountDeletion)]
pub(super) struct Deletion {
    /// The account's password.
    password: Secret,
    #[serde(default)]
    mode: DeletionMode,
}

/// How something is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeletionMode {
    /// Stopped and marked; it can be restored until the grace period ends.
    #[default]
    Grace,
    /// Erased at once and for good.
    Now,
}

/// Deletes the account with everything that belongs to the person.
#[utoipa::path(
    delete, path = "/api/v5/me", tag = "me", request_body = Deletion,
    responses(
        (status = 202, description = "Marked for deletion", body = MeBody),
        (status = 204, description = "Erased"),
    ),
)]
pub(super) async fn delete(
    State(state): State<ApiState>,
    caller: SignedIn,
    JsonBody(body): JsonBody<Deletion>,
) -> Answer<Response> {
    confirm(
        &state,
        &caller,
        "password",
        Password::presented("password", &body.password.0)?,
    )
    .await?;
    let at = state.now();
    match body.mode {
        DeletionMode::Now => {
            state
                .registry
                .apply(
                    RequestId::random(),
                    &DeleteAccount {
                        account: caller.account,
                        at,
                    },
                )
                .await?;
            Ok((
                StatusCode::NO_CONTENT,
                [(header::SET_COOKIE, cookie::clear()?)],
            )
                .into_response())
        }
        DeletionMode::Grace => {
            let operation = MarkAccount {
                account: caller.account,
                until: grace_end(&state, at)?,
                at,
            };
            state
                .registry
                .apply(RequestId::random(), &operation)
                .await?;
            let (revision, body) = read(&state, &mut state.registry.view().await?, &caller).await?;
            entity::answer(StatusCode::ACCEPTED, revision, &body)
        }
    }
}

/// When something marked now is deleted for good.
pub(super) fn grace_end(state: &ApiState, at: Timestamp) -> Result<Timestamp> {
    let grace = SignedDuration::from_hours(24 * i64::from(state.policy().grace_days));
    at.checked_add(grace)
        .map_err(|error| Error::new(Kind::Internal, "the grace period has no end").because(error))
}

/// Takes the mark off the account. Workspaces stay off until they are started.
#[utoipa::path(post, path = "/api/v5/me/restore", tag = "me", responses((status = 200, description = "Restored", body = MeBody)))]
pub(super) async fn restore(State(state): State<ApiState>, caller: SignedIn) -> Answer<Response> {
    state
        .registry
        .apply(
            RequestId::random(),
            &RestoreAccount {
                account: caller.account,
                at: state.now(),
            },
        )
        .await?;
    let (revision, body) = read(&state, &mut state.registry.view().await?, &caller).await?;
    entity::answer(StatusCode::OK, revision, &body)
}
