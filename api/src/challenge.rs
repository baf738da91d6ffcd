//! What a right password, or a sign-in at a provider, gives where a second factor is asked for: a few minutes to show it.

use coditect_core::{AccountId, ProviderName, RequestId, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    key_ring::KeyRing,
    signed::{Lasting, TokenKind, sign, verify},
};

/// Seconds to open an authenticator app and type six digits.
const LASTS: i64 = 5 * 60;
/// Nothing else takes it, and it takes nothing else.
const AUDIENCE: &str = "coditect-second-factor";
const KIND: TokenKind = TokenKind {
    typ: "second-factor+jwt",
    name: "challenge",
};

/// What was shown before the second factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shown {
    /// The account's password, and when it was set: one that was replaced meanwhile signs nobody in.
    Password(Timestamp),
    /// A sign-in at this provider: one that was unlinked meanwhile signs nobody in. Its code names the one login that comes
    /// of it.
    Identity(ProviderName, RequestId),
}

/// A login that lacks its second factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Challenge {
    iss: String,
    aud: String,
    /// Who is to show it.
    pub(crate) sub: AccountId,
    pub(crate) shown: Shown,
    iat: i64,
    exp: i64,
}

impl Lasting for Challenge {
    fn issued_at(&self) -> i64 {
        self.iat
    }
    fn expires_at(&self) -> i64 {
        self.exp
    }
}

impl Challenge {
    /// A challenge for somebody who has shown so much.
    pub(crate) fn issue(
        keys: &KeyRing,
        issuer: &str,
        account: AccountId,
        shown: Shown,
        now: Timestamp,
    ) -> Result<String> {
        let iat = now.as_second();
        let challenge = Self {
            iss: issuer.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: account,
            shown,
            iat,
            exp: iat.saturating_add(LASTS),
        };
        sign(keys, KIND, &challenge, now)
    }

    /// What a challenge says, if it is ours and valid now.
    pub(crate) fn read(keys: &KeyRing, issuer: &str, text: &str, now: Timestamp) -> Result<Self> {
        verify(keys, KIND, (issuer, AUDIENCE), text, now)
    }
}
