//! Access tokens and refresh tokens: what stands in them, and how they are made and checked.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{AccountId, LoginId, Result, TenantId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    key_ring::KeyRing,
    signed::{Lasting, TokenKind, sign, verify},
};

/// Who access tokens are for. Gateways' credentials have another, so that neither passes for the other.
const AUDIENCE: &str = "coditect";
/// No other kind of JWT passes for an access token (RFC 9068 section 2.1).
const ACCESS: TokenKind = TokenKind {
    typ: "at+jwt",
    name: "access token",
};

/// What an access token says (RFC 9068; `sid` as in OpenID Connect, `tid` and `uid` are ours).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Issuer: the API's public URL.
    pub(crate) iss: String,
    /// Audience.
    pub(crate) aud: String,
    /// The account.
    pub(crate) sub: AccountId,
    /// The login; the token is worth nothing once it has ended.
    pub(crate) sid: LoginId,
    /// The tenant in which the account acts, if it belongs to one.
    pub(crate) tid: Option<TenantId>,
    /// The account's user there.
    pub(crate) uid: Option<UserId>,
    /// Issued at, Unix seconds.
    pub(crate) iat: i64,
    /// Not valid from then on, Unix seconds.
    pub(crate) exp: i64,
    /// Names this token.
    pub(crate) jti: uuid::Uuid,
}

impl Lasting for Claims {
    fn issued_at(&self) -> i64 {
        self.iat
    }
    fn expires_at(&self) -> i64 {
        self.exp
    }
}

/// Makes and checks access tokens.
#[derive(Clone, Debug)]
pub(crate) struct AccessTokens {
    pub(crate) keys: KeyRing,
    issuer: String,
    lifetime: Duration,
}

impl AccessTokens {
    pub(crate) fn new(keys: KeyRing, issuer: String, lifetime: Duration) -> Self {
        Self {
            keys,
            issuer,
            lifetime,
        }
    }

    /// How long a token is valid, in seconds.
    pub(crate) fn lifetime_seconds(&self) -> i64 {
        i64::try_from(self.lifetime.as_secs())
            .unwrap_or(i64::MAX)
            .max(1)
    }

    /// A token for this login.
    pub(crate) fn issue(
        &self,
        account: AccountId,
        login: LoginId,
        membership: Option<(TenantId, UserId)>,
        now: Timestamp,
    ) -> Result<String> {
        let iat = now.as_second();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: account,
            sid: login,
            tid: membership.map(|(tenant, _)| tenant),
            uid: membership.map(|(_, user)| user),
            iat,
            exp: iat.saturating_add(self.lifetime_seconds()),
            jti: uuid::Uuid::new_v4(),
        };
        sign(&self.keys, ACCESS, &claims, now)
    }

    /// What a token says, if it is ours and valid now.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Claims> {
        verify(&self.keys, ACCESS, (&self.issuer, AUDIENCE), token, now)
    }
}

/// A refresh token: not stored anywhere, derived from the login and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) account: AccountId,
    pub(crate) login: LoginId,
    pub(crate) counter: u64,
}

/// Account, login and counter.
const REFRESH_BODY: usize = 16 + 16 + 8;

impl RefreshToken {
    /// base64url of account ‖ login ‖ counter ‖ MAC: 96 characters.
    pub(crate) fn encode(&self, keys: &KeyRing) -> String {
        let body = self.body();
        BASE64_URL_SAFE_NO_PAD.encode([body.as_slice(), &keys.derive("refresh", &[&body])].concat())
    }

    /// The token in this text, if we made it.
    pub(crate) fn decode(text: &str, keys: &KeyRing) -> Option<Self> {
        if text.len() > 128 {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, mac) = bytes.split_at_checked(REFRESH_BODY)?;
        if !keys.made("refresh", &[body], mac) {
            return None;
        }
        Some(Self {
            account: AccountId::from_bytes(body[..16].try_into().ok()?),
            login: LoginId::from_bytes(body[16..32].try_into().ok()?),
            counter: u64::from_be_bytes(body[32..].try_into().ok()?),
        })
    }

    fn body(&self) -> [u8; REFRESH_BODY] {
        let mut body = [0; REFRESH_BODY];
        body[..16].copy_from_slice(self.account.as_bytes());
        body[16..32].copy_from_slice(self.login.as_bytes());
        body[32..].copy_from_slice(&self.counter.to_be_bytes());
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signed::CLOCK_SKEW;

    fn tokens(keys: &KeyRing, issuer: &str) -> AccessTokens {
        AccessTokens::new(keys.clone(), issuer.to_owned(), Duration::from_secs(300))
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_access_token_holds_until_it_expires_and_nowhere_else() {
        let keys = KeyRing::ephemeral().unwrap();
        let ours = tokens(&keys, "https://a.example");
        let (account, login) = (AccountId::random(), LoginId::random());
        let token = ours.issue(account, login, None, second(1_000)).unwrap();
        let claims = ours.verify(&token, second(1_299)).unwrap();
        assert_eq!((claims.sub, claims.sid, claims.uid), (account, login, None));

        assert!(
            ours.verify(&token, second(1_300))
                .unwrap_err()
                .message()
                .contains("expired")
        );
        assert!(ours.verify(&token, second(1_000 - CLOCK_SKEW - 1)).is_err());
        assert!(
            tokens(&keys, "https://b.example")
                .verify(&token, second(1_001))
                .is_err(),
            "another issuer"
        );
        assert!(
            tokens(&KeyRing::ephemeral().unwrap(), "https://a.example")
                .verify(&token, second(1_001))
                .is_err(),
            "other keys"
        );
    }

    #[test]
    fn a_key_that_was_taken_away_vouches_for_nothing_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyRing::open(folder.path()).unwrap();
        let ours = tokens(&keys, "https://a.example");
        let issue = |at| {
            ours.issue(AccountId::random(), LoginId::random(), None, second(at))
                .unwrap()
        };
        let old = issue(1_000);
        keys.rotate(second(1_000), Duration::ZERO).unwrap();
        let new = issue(1_001);
        let holds = |token: &str| ours.verify(token, second(1_002)).is_ok();
        assert!(holds(&old) && holds(&new));
        std::fs::remove_file(folder.path().join("access-0.pem")).unwrap();
        keys.reload().unwrap();
        assert!(!holds(&old) && holds(&new));
    }

    #[test]
    fn a_token_of_another_kind_or_changed_is_refused() {
        let keys = KeyRing::ephemeral().unwrap();
        let ours = tokens(&keys, "https://a.example");
        let token = ours
            .issue(AccountId::random(), LoginId::random(), None, second(1_000))
            .unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
        let mut header: serde_json::Value =
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
        header["alg"] = "HS256".into();
        let symmetric = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
        for token in [
            String::new(),
            "a.b.c".to_owned(),
            format!("{none}.{}.", parts[1]),
            format!("{symmetric}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!(
                "{}.{}.{}",
                parts[0],
                parts[1],
                parts[2].chars().rev().collect::<String>()
            ),
            format!("{token}x"),
        ] {
            assert!(ours.verify(&token, second(1_001)).is_err(), "{token}");
        }
    }

    #[test]
    fn a_refresh_token_is_what_was_issued_or_nothing() {
        let keys = KeyRing::ephemeral().unwrap();
        let token = RefreshToken {
            account: AccountId::random(),
            login: LoginId::random(),
            counter: 7,
        };
        let text = token.encode(&keys);
        assert_eq!(text.len(), 96);
        assert_eq!(RefreshToken::decode(&text, &keys), Some(token));
        assert_eq!(
            RefreshToken::decode(&text, &KeyRing::ephemeral().unwrap()),
            None
        );
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                RefreshToken::decode(std::str::from_utf8(&changed).unwrap(), &keys),
                None,
                "{at}"
            );
        }
        for text in [
            "",
            "A",
            &text[..95],
            &format!("{text}AAAA"),
            &"A".repeat(1 << 20),
        ] {
            assert_eq!(RefreshToken::decode(text, &keys), None);
        }
    }
}
