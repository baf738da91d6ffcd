//! What lies between a person's click and the provider's answer. Nothing of it is stored: the browser carries it in a
//! cookie that only we can have made, and everything secret is derived from it and our key.

use axum::http::{HeaderMap, HeaderValue};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{AccountId, Error, LoginId, ProviderName, Result, TermsVersion};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{cookie::values, key_ring::KeyRing};

/// `__Host-` as the refresh cookie, so that no other host of the domain can plant one.
pub(crate) const FLOW_COOKIE: &str = "__Host-coditect-flow";
/// Seconds in which a person signs in at the provider.
const GOOD_FOR: i64 = 600;
/// Seconds in which the page that the callback leads to hands in its code.
const CODE_GOOD_FOR: i64 = 60;
/// Account, flow, expiry.
const CODE: usize = 16 + 16 + 8;
/// Longest cookie that is looked at.
const LONGEST: usize = 1_024;

/// One sign-in at a provider, begun in one browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flow {
    id: Uuid,
    /// At which provider: another one's answer is not taken for its.
    pub(crate) provider: ProviderName,
    pub(crate) purpose: Purpose,
    /// Not good from then on, Unix seconds.
    expires: i64,
}

/// What a sign-in at a provider is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// To come in, and to sign up with these terms if they are shown.
    Enter { terms: Option<TermsVersion> },
    /// To come in by it from now on, asked for by somebody who is signed in.
    Link { account: AccountId, login: LoginId },
}

impl Flow {
    pub(crate) fn begin(provider: ProviderName, purpose: Purpose, now: Timestamp) -> Self {
        Self {
            id: Uuid::new_v4(),
            provider,
            purpose,
            expires: now.as_second().saturating_add(GOOD_FOR),
        }
    }

    /// The flow that this browser began, if it did and not too long ago.
    pub(crate) fn read(headers: &HeaderMap, keys: &KeyRing, now: Timestamp) -> Option<Self> {
        values(headers, FLOW_COOKIE)
            .filter(|text| text.len() <= LONGEST)
            .find_map(|text| {
                let (body, mac) = text.split_once('.')?;
                let body = BASE64_URL_SAFE_NO_PAD.decode(body).ok()?;
                let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).ok()?;
                keys.made("sign-in flow", &[&body], &mac).then_some(())?;
                serde_json::from_slice::<Self>(&body).ok()
            })
            .filter(|flow| now.as_second() < flow.expires)
    }

    /// The header that hands the flow to the browser. `Lax`: the provider leads back from another site.
    pub(crate) fn cookie(&self, keys: &KeyRing) -> Result<HeaderValue> {
        let body = serde_json::to_vec(self)
            .map_err(|error| Error::internal("a flow cannot be written").because(error))?;
        let mac = keys.derive("sign-in flow", &[&body]);
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        header_value(&format!("{}.{}", encode(&body), encode(&mac)), GOOD_FOR)
    }

    /// The header that takes it away.
    pub(crate) fn clear() -> Result<HeaderValue> {
        header_value("", 0)
    }

    /// What the provider gives back unchanged (RFC 6749, section 10.12).
    pub(crate) fn state(&self, keys: &KeyRing) -> String {
        self.secret("sign-in state", keys)
    }

    /// What stands in the provider's token (OpenID Connect Core 1.0, section 3.1.2.1).
    pub(crate) fn nonce(&self, keys: &KeyRing) -> String {
        self.secret("sign-in nonce", keys)
    }

    /// By which the provider knows that whoever redeems its code asked for it (RFC 7636); 43 characters.
    pub(crate) fn verifier(&self, keys: &KeyRing) -> String {
        self.secret("sign-in verifier", keys)
    }

    fn secret(&self, label: &str, keys: &KeyRing) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(keys.derive(label, &[self.id.as_bytes()]))
    }

    /// Whether the provider gave back what it was given.
    pub(crate) fn is_state(&self, text: &str, keys: &KeyRing) -> bool {
        let given = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        keys.made("sign-in state", &[self.id.as_bytes()], &given)
    }

    /// A code that signs in to the account, once, soon, and in this browser alone.
    pub(crate) fn code(&self, account: AccountId, keys: &KeyRing, now: Timestamp) -> String {
        let mut body = [0; CODE];
        body[..16].copy_from_slice(account.as_bytes());
        body[16..32].copy_from_slice(self.id.as_bytes());
        let expires = now.as_second().saturating_add(CODE_GOOD_FOR);
        body[32..].copy_from_slice(&expires.to_be_bytes());
        let mac = keys.derive("sign-in code", &[&body]);
        BASE64_URL_SAFE_NO_PAD.encode([body.as_slice(), &mac].concat())
    }

    /// The account that a code of this flow signs in to.
    pub(crate) fn account(&self, code: &str, keys: &KeyRing, now: Timestamp) -> Option<AccountId> {
        if code.len() > 128 {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(code).ok()?;
        let (body, mac) = bytes.split_at_checked(CODE)?;
        let expires = i64::from_be_bytes(body[32..].try_into().ok()?);
        let good = keys.made("sign-in code", &[body], mac)
            && body[16..32] == *self.id.as_bytes()
            && now.as_second() < expires;
        good.then(|| body[..16].try_into().ok().map(AccountId::from_bytes))?
    }

    /// Names the one use of this flow's code.
    pub(crate) fn use_of(&self, keys: &KeyRing) -> [u8; 32] {
        keys.derive("use of a sign-in code", &[self.id.as_bytes()])
    }
}

fn header_value(value: &str, seconds: i64) -> Result<HeaderValue> {
    HeaderValue::from_str(&format!(
        "{FLOW_COOKIE}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax"
    ))
    .map_err(|error| Error::internal("a cookie cannot be written").because(error))
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn begun(keys: &KeyRing) -> (Flow, String) {
        let purpose = Purpose::Enter {
            terms: Some("2026-11-01".parse().unwrap()),
        };
        let flow = Flow::begin("google".parse().unwrap(), purpose, at(1_000));
        let cookie = flow.cookie(keys).unwrap().to_str().unwrap().to_owned();
        (flow, cookie.split(';').next().unwrap().to_owned())
    }

    fn read(cookie: &str, keys: &KeyRing, second: i64) -> Option<Flow> {
        let headers = HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())]);
        Flow::read(&headers, keys, at(second))
    }

    #[test]
    fn a_flow_is_what_this_browser_was_given_for_ten_minutes_or_nothing() {
        let keys = KeyRing::ephemeral().unwrap();
        let (flow, cookie) = begun(&keys);
        assert_eq!(read(&cookie, &keys, 1_599), Some(flow.clone()));
        assert_eq!(read(&cookie, &keys, 1_600), None);
        assert_eq!(read(&cookie, &KeyRing::ephemeral().unwrap(), 1_000), None);
        for place in FLOW_COOKIE.len() + 1..cookie.len() {
            let mut changed = cookie.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(read(&changed, &keys, 1_000), Some(flow.clone()), "{place}");
        }
        // One that another host tossed in hides ours no more than a stale one would.
        let tossed = format!("{FLOW_COOKIE}=x.y; {cookie}");
        assert_eq!(read(&tossed, &keys, 1_000), Some(flow));
    }

    #[test]
    fn a_code_is_worth_nothing_beside_another_flow_or_a_minute_later() {
        let keys = KeyRing::ephemeral().unwrap();
        let ((one, _), (other, _)) = (begun(&keys), begun(&keys));
        let account = AccountId::random();
        let code = one.code(account, &keys, at(1_000));
        assert_eq!(one.account(&code, &keys, at(1_059)), Some(account));
        assert_eq!(one.account(&code, &keys, at(1_060)), None);
        assert_eq!(other.account(&code, &keys, at(1_000)), None);
        for text in ["", "x", &code[1..], &code.repeat(2)] {
            assert_eq!(one.account(text, &keys, at(1_000)), None, "{text}");
        }
        assert!(one.is_state(&one.state(&keys), &keys));
        assert!(!one.is_state(&other.state(&keys), &keys));
        assert!(!one.is_state(&one.nonce(&keys), &keys));
        assert_eq!(one.verifier(&keys).len(), 43);
    }
}
