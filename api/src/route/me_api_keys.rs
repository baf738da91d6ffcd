//! The keys with which programs call the API in the person's place.

use std::collections::BTreeSet;

use axum::{Json, extract::State, http::StatusCode};
use coditect_core::{ApiKeyId, Error, RequestId};
use coditect_registry::{
    operation::{IssueApiKey, RevokeApiKey},
    record::ApiKey,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    auth::{Secret, derived},
    presence::is_person_lately,
};
use crate::{
    api_key::ApiKeySecret,
    caller::SignedIn,
    extract::{IdempotencyKey, JsonBody, PathId},
    problem::Answer,
    scope::Scope,
    state::ApiState,
};

/// The person's API keys.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKeys)]
pub(super) struct KeysBody {
    /// Those that are not revoked or over, the newest first.
    items: Vec<KeyBody>,
}

/// An API key.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(super) struct KeyBody {
    #[schema(value_type = Uuid)]
    id: ApiKeyId,
    name: String,
    /// Its first characters, by which the person knows it again.
    #[schema(example = "coditect_7k3fmA")]
    prefix: String,
    /// What it may do.
    #[schema(value_type = Vec<Scope>)]
    scopes: BTreeSet<String>,
    created_at: Timestamp,
    /// When it ends; null: when it is revoked.
    expires_at: Option<Timestamp>,
    /// When it was last used, to the hour.
    used_at: Option<Timestamp>,
    /// The key itself, in the answer that made it and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    secret: Option<String>,
}

impl KeyBody {
    fn new(id: ApiKeyId, key: ApiKey) -> Self {
        Self {
            id,
            name: key.name,
            prefix: key.prefix,
            scopes: key.scopes,
            created_at: key.created_at,
            expires_at: key.expires_at,
            used_at: key.used_at,
            secret: None,
        }
    }
}

/// The person's API keys in their present tenant.
#[utoipa::path(get, path = "/api/v5/me/api-keys", tag = "me", responses((status = 200, description = "The keys", body = KeysBody)))]
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: SignedIn,
) -> Answer<Json<KeysBody>> {
    let now = state.now();
    let found = state
        .registry
        .view()
        .await?
        .api_keys(caller.user()?)
        .await?;
    let mut items: Vec<KeyBody> = found
        .into_iter()
        .filter(|(_, key)| key.expires_at.is_none_or(|end| now < end))
        .map(|(id, key)| KeyBody::new(id, key))
        .collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.created_at));
    Ok(Json(KeysBody { items }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiKey)]
pub(super) struct NewKey {
    /// What the person calls it: 1 to 64 characters.
    #[schema(max_length = 64, example = "backup script")]
    name: String,
    /// What it may do; everything that keys may if it is left out.
    #[serde(default)]
    #[schema(value_type = Option<BTreeSet<Scope>>)]
    scopes: Option<Vec<Scope>>,
    /// When it ends; when it is revoked if it is left out.
    #[serde(default)]
    expires_at: Option<Timestamp>,
    /// The account's password; needed unless the person signed in within the last ten minutes.
    #[serde(default)]
    password: Option<Secret>,
}

/// Makes an API key. The answer shows it, and nothing ever does again.
///
/// With an `Idempotency-Key`, the same key always names the same API key.
#[utoipa::path(
    post, path = "/api/v5/me/api-keys", tag = "me", request_body = NewKey,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt; 1 to 255 visible ASCII characters")),
    responses(
        (status = 201, description = "Made", body = KeyBody),
        (status = 403, description = "There are 50 keys already"),
        (status = 409, description = "The membership is on its way out, or the attempt's key has been revoked meanwhile"),
    ),
)]
pub(super) async fn create(
    State(state): State<ApiState>,
    caller: SignedIn,
    attempt: IdempotencyKey,
    JsonBody(body): JsonBody<NewKey>,
) -> Answer<(StatusCode, Json<KeyBody>)> {
    let user = caller.user()?;
    let at = state.now();
    let named = body.scopes.unwrap_or_else(|| Scope::ALL.into());
    let count = named.len();
    let scopes: BTreeSet<Scope> = named.into_iter().collect();
    if scopes.is_empty() {
        return Err(Error::invalid("scopes", "needs at least one").into());
    }
    if scopes.len() < count {
        return Err(Error::invalid("scopes", "names one of them twice").into());
    }
    if body.expires_at.is_some_and(|end| end <= at) {
        return Err(Error::invalid("expires_at", "must be in the future").into());
    }
    is_person_lately(&state, &caller, body.password).await?;
    let drawn = |purpose| attempt.draw(&state.tokens.keys, purpose, caller.account);
    let secret = ApiKeySecret::new(drawn("api key"));
    let api_key = ApiKeyId::from_bytes(derived(drawn("api key id")));
    let operation = IssueApiKey {
        account: caller.account,
        user,
        api_key,
        name: body.name,
        prefix: secret.prefix(),
        hash: secret.hash().hex(),
        scopes: scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        expires_at: body.expires_at,
        at,
    };
    let request = RequestId::from_bytes(derived(drawn("issue api key")));
    state.registry.apply(request, &operation).await?;
    // What was made: of an attempt sent again, with other words, the first.
    let kept = state.registry.view().await?.api_keys(user).await?;
    let (_, kept) = kept
        .into_iter()
        .find(|(id, _)| *id == api_key)
        .ok_or_else(|| Error::conflict("this attempt's API key has been revoked"))?;
    let shown = KeyBody {
        secret: Some(secret.show().to_owned()),
        ..KeyBody::new(api_key, kept)
    };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Revokes an API key: its next use fails.
#[utoipa::path(
    delete, path = "/api/v5/me/api-keys/{id}", tag = "me", params(("id" = Uuid, Path, description = "The key")),
    responses((status = 204, description = "Revoked"), (status = 404, description = "It is none of the person's, or is revoked")),
)]
pub(super) async fn revoke(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(api_key): PathId<ApiKeyId>,
) -> Answer<StatusCode> {
    let user = caller.user()?;
    let known = state.registry.view().await?.api_keys(user).await?;
    if !known.iter().any(|(id, _)| *id == api_key) {
        return Err(Error::not_found("there is no API key of that id").into());
    }
    let operation = RevokeApiKey {
        account: caller.account,
        user,
        api_key,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
