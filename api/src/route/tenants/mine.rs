//! To which tenants the person is invited.

use axum::{Json, extract::State, http::StatusCode};
use coditect_core::{
    Error, InvitationId, RequestId, Result, TenantId, TenantName, UserId, WorkspaceId,
};
use coditect_registry::{
    operation::{AcceptInvitation, DeclineInvitation, Placement},
    record::Invitation,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{super::plans::RoleName, invitations::hash_of};
use crate::{
    caller::SignedIn,
    extract::{JsonBody, PathId},
    problem::Answer,
    state::ApiState,
};

/// The open invitations of the person.
#[derive(Serialize, ToSchema)]
#[schema(as = MyInvitations)]
pub(in crate::route) struct MyInvitationsBody {
    /// The newest first.
    items: Vec<MyInvitationBody>,
}

/// An invitation of the person's address.
#[derive(Serialize, ToSchema)]
#[schema(as = MyInvitation)]
struct MyInvitationBody {
    #[schema(value_type = Uuid)]
    id: InvitationId,
    /// To which tenant.
    #[schema(value_type = Uuid)]
    tenant: TenantId,
    /// What its people call it; null: it has no name.
    #[schema(value_type = Option<String>)]
    name: Option<TenantName>,
    /// What the person would be there.
    role: RoleName,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// True if the code of the letter is needed to answer it, because addresses are not verified here.
    needs_code: bool,
}

/// What the person who answers is asked for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InvitationAnswer)]
pub(in crate::route) struct AnswerBody {
    /// The code of the letter; needed where addresses are not verified.
    #[serde(default)]
    #[schema(max_length = 80)]
    code: Option<String>,
}

/// What an accepted invitation made.
#[derive(Serialize, ToSchema)]
#[schema(as = Joined)]
pub(in crate::route) struct JoinedBody {
    #[schema(value_type = Uuid)]
    tenant: TenantId,
    /// The person's user there.
    #[schema(value_type = Uuid)]
    user: UserId,
    /// Its first workspace, which starts at once.
    #[schema(value_type = Uuid)]
    workspace: WorkspaceId,
}

/// Invitations to the person's own address that are open now.
struct Open {
    found: Vec<(TenantId, InvitationId, Invitation)>,
    /// Whether nobody has shown yet that the address is theirs: then the code of the letter has to.
    needs_code: bool,
}

async fn open(state: &ApiState, caller: &SignedIn) -> Result<Open> {
    let mut view = state.registry.view().await?;
    let gone = || Error::not_found("this account is gone");
    let account = view.account(caller.account).await?.ok_or_else(gone)?;
    let mut found = view.invitations_of(&account.email).await?;
    found.retain(|(_, _, record)| state.now() < record.expires_at);
    Ok(Open {
        found,
        needs_code: account.email_verified_at.is_none(),
    })
}

/// The one that is answered, and what proves it.
async fn answered(
    state: &ApiState,
    caller: &SignedIn,
    invitation: InvitationId,
    code: Option<String>,
) -> Result<(TenantId, String)> {
    caller.login()?;
    let none = || Error::not_found("this invitation is not open any more; ask for a new one");
    let Open { found, needs_code } = open(state, caller).await?;
    let (tenant, _, record) = found
        .into_iter()
        .find(|(_, id, _)| *id == invitation)
        .ok_or_else(none)?;
    let proof = match code {
        Some(code) => hash_of(&code),
        // Whoever has the account has read letters to its address: another letter proves no more.
        None if !needs_code => record.proof_hash,
        None => {
            let message =
                "is needed, because nobody has verified your address yet; whoever invited has it";
            return Err(Error::invalid("code", message));
        }
    };
    Ok((tenant, proof))
}

/// The open invitations to the person's address.
#[utoipa::path(get, path = "/api/v5/me/invitations", tag = "tenants", responses((status = 200, description = "The invitations", body = MyInvitationsBody)))]
pub(in crate::route) async fn my_invitations(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<Json<MyInvitationsBody>> {
    let Open { found, needs_code } = open(&state, &caller).await?;
    let mut view = state.registry.view().await?;
    let mut items = Vec::with_capacity(found.len());
    for (tenant, id, record) in found {
        items.push(MyInvitationBody {
            id,
            tenant,
            name: view.tenant(tenant).await?.and_then(|tenant| tenant.name),
            role: record.role.into(),
            created_at: record.at,
            expires_at: record.expires_at,
            needs_code,
        });
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.created_at));
    Ok(Json(MyInvitationsBody { items }))
}

/// Accepts an invitation: the person is a member, with a first workspace that starts at once.
#[utoipa::path(
    post, path = "/api/v5/me/invitations/{id}/accept", tag = "tenants", request_body = AnswerBody,
    params(("id" = Uuid, Path, description = "The invitation")),
    responses(
        (status = 201, description = "Joined; `POST /api/v5/tenants/{id}/switch` acts there", body = JoinedBody),
        (status = 404, description = "It is not the person's, or not open any more"),
        (status = 409, description = "The person is a member already, or on their way out"),
    ),
)]
pub(in crate::route) async fn accept_invitation(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(invitation): PathId<InvitationId>,
    JsonBody(body): JsonBody<AnswerBody>,
) -> Answer<(StatusCode, Json<JoinedBody>)> {
    let (tenant, proof_hash) = answered(&state, &caller, invitation, body.code).await?;
    let operation = AcceptInvitation {
        account: caller.account,
        tenant,
        invitation,
        proof_hash,
        placement: placement(&state, tenant).await?,
        at: state.now(),
    };
    let joined = state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    let body = JoinedBody {
        tenant,
        user: joined.user,
        workspace: joined.workspace,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Where a new member goes and what the tenant may use.
async fn placement(state: &ApiState, tenant: TenantId) -> Result<Placement> {
    let none = || Error::not_found("this invitation is not open any more; ask for a new one");
    let record = state.registry.view().await?.tenant(tenant).await?;
    let plan = record.ok_or_else(none)?.plan;
    let policy = state.policy();
    let entitlement = policy.entitlement(tenant, &plan).ok_or_else(|| {
        Error::unavailable("no policy in force knows this tenant's plan; an operator must add it")
    })?;
    Ok(Placement {
        plan,
        limits: entitlement.limits,
        cells: policy.cells.values().cloned().collect(),
    })
}

/// Declines an invitation. Nobody of the tenant learns which account the address has.
#[utoipa::path(
    post, path = "/api/v5/me/invitations/{id}/decline", tag = "tenants", request_body = AnswerBody,
    params(("id" = Uuid, Path, description = "The invitation")),
    responses((status = 204, description = "Declined"), (status = 404, description = "It is not the person's, or not open any more")),
)]
pub(in crate::route) async fn decline_invitation(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(invitation): PathId<InvitationId>,
    JsonBody(body): JsonBody<AnswerBody>,
) -> Answer<StatusCode> {
    let (tenant, proof_hash) = answered(&state, &caller, invitation, body.code).await?;
    let operation = DeclineInvitation {
        account: caller.account,
        tenant,
        invitation,
        proof_hash,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
