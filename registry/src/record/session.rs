//! What a user has open, and the keys with which programs act for them.

use std::collections::BTreeSet;

use coditect_core::{AccountId, ApiKeyId, TenantId, UserId, WorkspaceId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// One stay of a user in a workspace, shared by browser tabs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// When it began.
    pub opened_at: Timestamp,
    /// When a tab last said that it is there.
    pub seen_at: Timestamp,
    /// Open tabs and layout, as the web app and the sidecar understand them.
    pub state: serde_json::Value,
    /// Grows with every change of the state; its entity tag.
    pub revision: u64,
}

impl Session {
    /// A session nobody was in for this long is forgotten: whoever comes back after a holiday finds their tabs.
    pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
    /// Largest state in bytes of JSON: far below the store's limit of a value, and all sessions of a user are read
    /// at once.
    pub const LARGEST_STATE: usize = 32 * 1024;

    /// As [`Session::LARGEST_STATE`], of what the tabs of a workspace share: its gateway holds 32 KiB of keys and values,
    /// each value JSON text, which may be twice as long within JSON.
    pub const LARGEST_SHARED: usize = 80 * 1024;

    /// When it is forgotten unless somebody comes back.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.seen_at
            .saturating_add(Self::KEPT)
            .unwrap_or(Timestamp::MAX)
    }
}

/// A key with which a program calls the API in a person's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What the person calls it.
    pub name: String,
    /// The key's first characters, by which the person knows it again.
    pub prefix: String,
    /// The SHA-256 of the key in lower-case hexadecimal; the key itself is nowhere.
    pub hash: String,
    /// What it may do, as the API names it.
    pub scopes: BTreeSet<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; none: when it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to [`ApiKey::USED_AGAIN`].
    pub used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Uses closer together than this are one: a program that calls all the time costs one write an hour.
    pub const USED_AGAIN: SignedDuration = SignedDuration::from_hours(1);
}

/// Where an API key is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyPlace {
    /// Whose account.
    pub account: AccountId,
    /// In which tenant.
    pub tenant: TenantId,
    /// Whose user.
    pub user: UserId,
    /// Which key.
    pub api_key: ApiKeyId,
}
