//! Who is invited to the tenant.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{Email, Error, InvitationId, Kind, RequestId, UserId};
use coditect_registry::{
    operation::{Invite, RevokeInvitation},
    record::{Invitation, Role},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{
    super::{auth::derived, plans::RoleName},
    acting, no_key_makes_an_owner,
};
use crate::{
    caller::SignedIn,
    extract::{Checks, IdempotencyKey, JsonBody, PathId},
    mail::{Letter, Purpose},
    problem::Answer,
    state::ApiState,
};

/// When to try again to invite an address that got several invitations.
const LATER: Duration = Duration::from_secs(30 * 60);
/// How long an invitation may be accepted.
const OPEN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The open invitations of a tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitations)]
pub(in crate::route) struct InvitationsBody {
    /// The newest first; at most 100.
    items: Vec<InvitationBody>,
}

/// An invitation of the tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(in crate::route) struct InvitationBody {
    #[schema(value_type = Uuid)]
    id: InvitationId,
    #[schema(value_type = String)]
    email: Email,
    role: RoleName,
    /// The user who invited, while it is a member.
    #[schema(value_type = Option<Uuid>)]
    by: Option<UserId>,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// The letter's code, where no letters are sent: in the answer that made it and nowhere else, to be handed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

impl InvitationBody {
    fn new(id: InvitationId, record: Invitation, by: Option<UserId>) -> Self {
        Self {
            id,
            email: record.email,
            role: record.role.into(),
            by,
            created_at: record.at,
            expires_at: record.expires_at,
            code: None,
        }
    }
}

/// What the registry keeps of an invitation's code: its SHA-256 in base64url.
pub(super) fn hash_of(code: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(code.as_bytes()))
}

/// The tenant's open invitations. For owners and admins.
#[utoipa::path(
    get, path = "/api/v5/tenant/invitations", tag = "tenants",
    responses((status = 200, description = "The invitations", body = InvitationsBody), (status = 403, description = "The caller is neither owner nor admin")),
)]
pub(in crate::route) async fn invitations(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<Json<InvitationsBody>> {
    let mut view = state.registry.view().await?;
    let (tenant, _) = acting(&mut view, &caller, Role::Admin).await?;
    let now = state.now();
    let mut items = Vec::new();
    for (id, record) in view.invitations(tenant).await? {
        if now < record.expires_at {
            let by = view.membership(record.by, tenant).await?;
            items.push(InvitationBody::new(id, record, by));
        }
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.created_at));
    Ok(Json(InvitationsBody { items }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewInvitation)]
pub(in crate::route) struct NewInvitation {
    /// Only the account with this address may accept.
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
    role: RoleName,
}

/// Invites the person of an address, for seven days, to no role above the caller's own; no API key invites an owner. A
/// newer invitation of the same address replaces the older one.
///
/// With an `Idempotency-Key`, the same key always names the same invitation.
#[utoipa::path(
    post, path = "/api/v5/tenant/invitations", tag = "tenants", request_body = NewInvitation,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt; 1 to 255 visible ASCII characters")),
    responses(
        (status = 201, description = "Invited", body = InvitationBody),
        (status = 403, description = "The caller's role does not reach, or too many invitations are open"),
        (status = 429, description = "The address got several invitations lately, or the tenant made too many"),
        (status = 409, description = "The person of this address is a member, or the attempt's invitation is not open any more"),
    ),
)]
pub(in crate::route) async fn invite(
    State(state): State<ApiState>,
    caller: SignedIn,
    attempt: IdempotencyKey,
    JsonBody(body): JsonBody<NewInvitation>,
) -> Answer<(StatusCode, Json<InvitationBody>)> {
    let mut checks = Checks::default();
    let Some(email) = checks.check(body.email.parse::<Email>()) else {
        return Err(checks.problem());
    };
    let mut view = state.registry.view().await?;
    let (tenant, _) = acting(&mut view, &caller, Role::Admin).await?;
    no_key_makes_an_owner(&caller, body.role)?;
    if let Some(limits) = &state.limits {
        limits
            .invitations
            .take(&tenant)
            .map_err(|(error, _)| error)?;
    }
    let gone = || Error::not_found("this account is gone");
    let from = view.account(caller.account).await?.ok_or_else(gone)?.email;
    // Asked before anything is changed: an invitation that nobody hears of helps nobody.
    if !state.mail.may(&email, Purpose::Invitation) {
        let message = "this address got several invitations in the last hour; try again later";
        return Err(Error::new(Kind::TooMany { retry_after: LATER }, message).into());
    }
    let drawn = |purpose| attempt.draw(&state.tokens.keys, purpose, caller.account);
    let invitation = InvitationId::from_bytes(derived(drawn("invitation id")));
    let secret = BASE64_URL_SAFE_NO_PAD.encode(drawn("invitation code"));
    let code = format!("{invitation}.{secret}");
    let at = state.now();
    let operation = Invite {
        by: caller.account,
        tenant,
        invitation,
        email: email.clone(),
        role: body.role.into(),
        proof_hash: hash_of(&code),
        expires_at: at.saturating_add(OPEN).unwrap_or(Timestamp::MAX),
        at,
    };
    let request = RequestId::from_bytes(derived(drawn("invite")));
    state.registry.apply(request, &operation).await?;
    let mut view = state.registry.view().await?;
    let kept = view.invitation(tenant, invitation).await?;
    let closed = || Error::conflict("this attempt's invitation is not open any more");
    let kept = kept.ok_or_else(closed)?;
    let by = Some(caller.user()?);
    let mut shown = InvitationBody::new(invitation, kept, by);
    if state.mail.is_on() {
        state.mail.post(&email, &Letter::Invitation { from, code });
    } else {
        shown.code = Some(code);
    }
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Takes an invitation back. For owners and admins.
#[utoipa::path(
    delete, path = "/api/v5/tenant/invitations/{id}", tag = "tenants", params(("id" = Uuid, Path, description = "The invitation")),
    responses((status = 204, description = "Taken back"), (status = 404, description = "It is none of the tenant's, or not open any more")),
)]
pub(in crate::route) async fn revoke_invitation(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(invitation): PathId<InvitationId>,
) -> Answer<StatusCode> {
    let mut view = state.registry.view().await?;
    let (tenant, _) = acting(&mut view, &caller, Role::Admin).await?;
    if view.invitation(tenant, invitation).await?.is_none() {
        return Err(Error::not_found("there is no invitation of that id").into());
    }
    let operation = RevokeInvitation {
        by: caller.account,
        tenant,
        invitation,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
