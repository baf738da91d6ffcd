//! API keys: issued, used, revoked.

use std::collections::BTreeSet;

use async_trait::async_trait;
use coditect_core::{AccountId, ApiKeyId, Error, Kind, TenantId, UserId};
use jiff::Timestamp;

use super::who;
use crate::{
    keys,
    record::{Action, ApiKey, ApiKeyPlace, Expiring},
    registry::Operation,
    tx::{Abort, Tx, trailing_uuid},
};

/// Most API keys of one user.
const MOST: usize = 50;
/// Longest name in characters.
const LONGEST_NAME: usize = 64;

/// Issues an API key. The registry is given its hash alone.
pub struct IssueApiKey {
    /// Who asks.
    pub account: AccountId,
    /// For which user.
    pub user: UserId,
    /// The new key's id, drawn by the caller.
    pub api_key: ApiKeyId,
    /// What the person calls it, 1 to 64 characters.
    pub name: String,
    /// The key's first characters.
    pub prefix: String,
    /// The SHA-256 of the key, 64 lower-case hexadecimal digits.
    pub hash: String,
    /// What it may do.
    pub scopes: BTreeSet<String>,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for IssueApiKey {
    const NAME: &'static str = "issue_api_key";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        if self.name.is_empty() || self.name.chars().count() > LONGEST_NAME {
            let message = format!("needs 1 to {LONGEST_NAME} characters");
            return Err(Error::invalid("name", message).into());
        }
        let is_hash = self.hash.len() == 64
            && self
                .hash
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hash {
            return Err(Error::internal("an API key's hash is not 64 hexadecimal digits").into());
        }
        let (place, _) = who::own_active_user(tx, self.account, self.user).await?;
        let range = keys::api_keys(place.tenant, self.user);
        let (have, _) = tx.scan::<ApiKey>(&range, MOST).await?;
        if have.len() >= MOST {
            let message = format!("at most {MOST} API keys are allowed; revoke some");
            return Err(Error::new(Kind::LimitReached { limit: "api_keys" }, message).into());
        }
        let index = keys::api_key_hash(&self.hash);
        let key = keys::api_key(place.tenant, self.user, self.api_key);
        if tx.get::<ApiKeyPlace>(&index).await?.is_some() || tx.get::<ApiKey>(&key).await?.is_some()
        {
            return Err(Error::conflict("there is such an API key already; draw another").into());
        }
        tx.put(
            &index,
            &ApiKeyPlace {
                account: self.account,
                tenant: place.tenant,
                user: self.user,
                api_key: self.api_key,
            },
        )?;
        tx.put(
            &key,
            &ApiKey {
                name: self.name.clone(),
                prefix: self.prefix.clone(),
                hash: self.hash.clone(),
                scopes: self.scopes.clone(),
                created_at: self.at,
                expires_at: self.expires_at,
                used_at: None,
            },
        )?;
        if let Some(expires_at) = self.expires_at {
            tx.expire(&expiring(place.tenant, self.user, self.api_key), expires_at)?;
        }
        tx.audit(
            place.tenant,
            self.at,
            Some(self.account),
            Action::ApiKeyIssued {
                user: self.user,
                api_key: self.api_key,
            },
        )?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

fn expiring(tenant: TenantId, user: UserId, api_key: ApiKeyId) -> Expiring {
    Expiring::ApiKey {
        tenant,
        user,
        api_key,
    }
}

/// Notes that an API key was used, to the hour.
pub struct TouchApiKey {
    /// Where it is.
    pub place: ApiKeyPlace,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for TouchApiKey {
    const NAME: &'static str = "touch_api_key";
    const IDEMPOTENT: bool = true;
    /// False if it was revoked meanwhile.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let key = keys::api_key(self.place.tenant, self.place.user, self.place.api_key);
        let Some(mut record) = tx.get::<ApiKey>(&key).await? else {
            return Ok(false);
        };
        if record
            .used_at
            .is_none_or(|used| self.at.duration_since(used) >= ApiKey::USED_AGAIN)
        {
            record.used_at = Some(self.at);
            tx.put(&key, &record)?;
        }
        Ok(true)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Revokes an API key: its next use fails.
pub struct RevokeApiKey {
    /// Who asks.
    pub account: AccountId,
    /// Whose key.
    pub user: UserId,
    /// Which.
    pub api_key: ApiKeyId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RevokeApiKey {
    const NAME: &'static str = "revoke_api_key";
    // Done again, it finds nothing to revoke.
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (place, _) = who::own_user(tx, self.account, self.user).await?;
        if revoke(tx, place.tenant, self.user, self.api_key).await? {
            let action = Action::ApiKeyRevoked {
                user: self.user,
                api_key: self.api_key,
            };
            tx.audit(place.tenant, self.at, Some(self.account), action)?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Removes an API key with its index and its expiry; false if there is none.
pub(super) async fn revoke(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    api_key: ApiKeyId,
) -> Result<bool, Abort> {
    let key = keys::api_key(tenant, user, api_key);
    let Some(record) = tx.get::<ApiKey>(&key).await? else {
        return Ok(false);
    };
    tx.clear(&key);
    tx.clear(&keys::api_key_hash(&record.hash));
    if let Some(expires_at) = record.expires_at {
        tx.keep(&expiring(tenant, user, api_key), expires_at);
    }
    Ok(true)
}

/// Removes every API key of a user.
pub(super) async fn revoke_all(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<(), Abort> {
    for (key, _) in tx.scan_all::<ApiKey>(&keys::api_keys(tenant, user)).await? {
        let api_key = ApiKeyId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        revoke(tx, tenant, user, api_key).await?;
    }
    Ok(())
}
