//! The end of an account: marked with a grace period, or erased at once with a receipt; and back.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{
    AccountId, ErasureId, Error, Kind, RequestId, Result, TenantId, UserId, WorkspaceId,
};
use coditect_registry::{
    operation::{DeleteAccount, MarkAccount, RestoreAccount},
    record::Erasure,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    auth::Secret,
    entity,
    me::{MeBody, read},
    presence::is_person,
};
use crate::{caller::SignedIn, cookie, extract::JsonBody, problem::Answer, state::ApiState};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountDeletion)]
pub(super) struct Deletion {
    /// The account's password. Who has none must have signed in within the last ten minutes.
    password: Option<Secret>,
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

/// What shows that the account was erased: ids, which name nobody any more, and what outlives it.
#[derive(Serialize, ToSchema)]
#[schema(as = ErasureReceipt)]
pub(super) struct ReceiptBody {
    /// The erasure's number, by which an operator finds it.
    #[schema(value_type = Uuid)]
    id: ErasureId,
    erased_at: Timestamp,
    #[schema(value_type = Uuid)]
    account_id: AccountId,
    /// The person's memberships, each with what it had in a cluster. Their objects and volumes go with the next commits.
    users: Vec<ErasedUserBody>,
    /// What is kept, why, and how long.
    kept: Vec<KeptBody>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ErasedUser)]
struct ErasedUserBody {
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    #[schema(value_type = Uuid)]
    user_id: UserId,
    #[schema(value_type = Vec<Uuid>)]
    workspaces: Vec<WorkspaceId>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = KeptAfterErasure)]
struct KeptBody {
    /// What, in the words of the registry's key layout.
    #[schema(example = "audit/{t}/{version}")]
    what: String,
    #[schema(example = "what was decided, by ids that name nobody any more")]
    why: String,
    /// How many, if that was counted.
    count: Option<u64>,
    /// Until when; for ever if it is left out.
    until: Option<Timestamp>,
}

impl ReceiptBody {
    fn new(id: ErasureId, record: Erasure) -> Self {
        let users = record.users.into_iter().map(|user| ErasedUserBody {
            tenant_id: user.tenant,
            user_id: user.user,
            workspaces: user.workspaces,
        });
        let kept = record.kept.into_iter().map(|kept| KeptBody {
            what: kept.what,
            why: kept.why,
            count: kept.count,
            until: kept.until,
        });
        Self {
            id,
            erased_at: record.at,
            account_id: record.account,
            users: users.collect(),
            kept: kept.collect(),
        }
    }
}

/// Deletes the account with everything that belongs to the person.
#[utoipa::path(
    delete, path = "/api/v5/me", tag = "me", request_body = Deletion,
    responses(
        (status = 202, description = "Marked for deletion", body = MeBody),
        (status = 200, description = "Erased; the receipt is told this once", body = ReceiptBody),
    ),
)]
pub(super) async fn delete(
    State(state): State<ApiState>,
    caller: SignedIn,
    JsonBody(body): JsonBody<Deletion>,
) -> Answer<Response> {
    is_person(&state, &caller, body.password.as_ref()).await?;
    let at = state.now();
    match body.mode {
        DeletionMode::Now => {
            let operation = DeleteAccount {
                account: caller.account,
                at,
            };
            let erasure = state
                .registry
                .apply(RequestId::random(), &operation)
                .await?;
            let record = state.registry.view().await?.erasure(erasure).await?;
            let record = record.ok_or_else(|| Error::internal("an erasure left no receipt"))?;
            let receipt = Json(ReceiptBody::new(erasure, record));
            Ok(([(header::SET_COOKIE, cookie::clear()?)], receipt).into_response())
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
