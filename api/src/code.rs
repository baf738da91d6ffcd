//! One-time codes with which a person comes into a workspace: not stored anywhere, made and known again by a MAC.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{LoginId, WorkspaceId};
use jiff::Timestamp;

use crate::key_ring::KeyRing;

/// Seconds that a code is good for: it goes from one page to the next by a message.
const GOOD_FOR: i64 = 30;
/// Login, workspace, expiry, what tells two codes apart.
const BODY: usize = 16 + 16 + 8 + 8;

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryCode {
    pub(crate) login: LoginId,
    pub(crate) workspace: WorkspaceId,
    /// Not good from then on, Unix seconds.
    expires: i64,
    nonce: [u8; 8],
}

impl EntryCode {
    pub(crate) fn new(login: LoginId, workspace: WorkspaceId, now: Timestamp) -> Self {
        Self {
            login,
            workspace,
            expires: now.as_second().saturating_add(GOOD_FOR),
            nonce: rand::random(),
        }
    }

    /// base64url of login ‖ workspace ‖ expiry ‖ nonce ‖ MAC: 107 characters.
    pub(crate) fn encode(&self, keys: &KeyRing) -> String {
        let body = self.body();
        let mac = keys.derive("entry code", &[&body]);
        BASE64_URL_SAFE_NO_PAD.encode([body.as_slice(), &mac].concat())
    }

    /// The code in this text, if we made it and it is good at `now`.
    pub(crate) fn decode(text: &str, keys: &KeyRing, now: Timestamp) -> Option<Self> {
        if text.len() > 128 {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, mac) = bytes.split_at_checked(BODY)?;
        if !keys.made("entry code", &[body], mac) {
            return None;
        }
        let code = Self {
            login: LoginId::from_bytes(body[..16].try_into().ok()?),
            workspace: WorkspaceId::from_bytes(body[16..32].try_into().ok()?),
            expires: i64::from_be_bytes(body[32..40].try_into().ok()?),
            nonce: body[40..].try_into().ok()?,
        };
        (now.as_second() < code.expires).then_some(code)
    }

    /// Names the one use of this code.
    pub(crate) fn use_of(&self, keys: &KeyRing) -> [u8; 32] {
        keys.derive("use of an entry code", &[&self.body()])
    }

    fn body(&self) -> [u8; BODY] {
        let mut body = [0; BODY];
        body[..16].copy_from_slice(self.login.as_bytes());
        body[16..32].copy_from_slice(self.workspace.as_bytes());
        body[32..40].copy_from_slice(&self.expires.to_be_bytes());
        body[40..].copy_from_slice(&self.nonce);
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_what_was_made_for_half_a_minute_or_nothing() {
        let keys = KeyRing::ephemeral().unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let code = EntryCode::new(LoginId::random(), WorkspaceId::random(), at(1_000));
        let text = code.encode(&keys);
        assert_eq!(text.len(), 107);
        let decode = |text: &str, second| EntryCode::decode(text, &keys, at(second));
        assert_eq!(decode(&text, 1_029), Some(code));
        assert_eq!(decode(&text, 1_030), None);
        let others = KeyRing::ephemeral().unwrap();
        assert_eq!(EntryCode::decode(&text, &others, at(1_000)), None);
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(decode(&changed, 1_000), None, "{place}");
        }
        for other in ["", "x", &text[1..], &format!("{text}A"), &text.repeat(2)] {
            assert_eq!(decode(other, 1_000), None, "{other}");
        }
        let again = EntryCode::new(code.login, code.workspace, at(1_000));
        assert_ne!(again.use_of(&keys), code.use_of(&keys));
    }
}
