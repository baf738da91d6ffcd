//! API keys as they are shown and recognised. The registry knows their hashes alone.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How every key begins, so that people and scanners of repositories know one when they see it.
const BEGINNING: &str = "coditect_";
/// Random bytes in a key: as many as nobody can guess, so that a plain hash of it keeps it secret.
const BYTES: usize = 32;
/// 32 bytes in base64url without padding.
const ENCODED: usize = 43;
/// How much of a key is kept to know it again: its beginning and 6 of 43 characters.
const PREFIX: usize = BEGINNING.len() + 6;

/// A key; wiped when dropped.
pub(crate) struct ApiKeySecret(Zeroizing<String>);

impl ApiKeySecret {
    /// The key of these random bytes.
    pub(crate) fn new(bytes: [u8; BYTES]) -> Self {
        let mut text = String::with_capacity(BEGINNING.len() + ENCODED);
        text.push_str(BEGINNING);
        BASE64_URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        Self(Zeroizing::new(text))
    }

    /// The key in this text, if it looks like one.
    pub(crate) fn recognise(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(BEGINNING)?;
        let fits = rest.len() == ENCODED && BASE64_URL_SAFE_NO_PAD.decode(rest).is_ok();
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The key itself, to be shown once.
    pub(crate) fn show(&self) -> &str {
        &self.0
    }

    /// Its first characters, by which a person knows it again.
    pub(crate) fn prefix(&self) -> String {
        self.0.chars().take(PREFIX).collect()
    }

    /// Its hash.
    pub(crate) fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

/// The SHA-256 of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash([u8; 32]);

impl KeyHash {
    /// As the registry writes it: 64 lower-case hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recognised_by_its_form_and_known_by_its_hash() {
        let key = ApiKeySecret::new([7; 32]);
        let again = ApiKeySecret::recognise(key.show()).unwrap();
        assert_eq!(again.hash(), key.hash());
        assert_ne!(ApiKeySecret::new([8; 32]).hash(), key.hash());
        assert_eq!(key.prefix(), "coditect_BwcHBw");
        assert!(key.show().starts_with(&key.prefix()));
        // The digest of the text, as `sha256sum` prints it.
        assert_eq!(key.hash().hex().len(), 64);
        assert!(key.hash().hex().bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn what_does_not_look_like_a_key_is_none() {
        let key = ApiKeySecret::new([7; 32]).show().to_owned();
        let longer = format!("{key}A");
        let other = key.replace("coditect_", "codi_");
        let spaced = key.replacen('B', " ", 1);
        for text in [
            "",
            "coditect_",
            &key[..key.len() - 1],
            &longer,
            &other,
            &spaced,
        ] {
            assert!(ApiKeySecret::recognise(text).is_none(), "{text}");
        }
    }
}
