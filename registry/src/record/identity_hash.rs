//! A hash by which an erased identity is known again, and not read.

use std::{fmt, sync::Arc};

use coditect_core::{Email, ExternalId, ProviderName};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The key of [`IdentityHash`]. It is kept outside the registry: with it, whoever has a list of addresses could tell
/// which of them were erased.
#[derive(Clone)]
pub struct IdentityKey(Arc<[u8]>);

impl IdentityKey {
    /// A key of these bytes; at least 32 of them from a random source.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The hash of an address.
    #[must_use]
    pub fn email(&self, email: &Email) -> IdentityHash {
        self.hash(&["email", email.as_str()])
    }

    /// The hash of a provider's subject.
    #[must_use]
    pub fn provider(&self, provider: &ProviderName, subject: &ExternalId) -> IdentityHash {
        self.hash(&["provider", provider.as_str(), subject.as_str()])
    }

    /// HMAC-SHA-256 (RFC 2104) over the parts, none of which holds a NUL, with one between them.
    fn hash(&self, parts: &[&str]) -> IdentityHash {
        // HMAC takes a key of any length, so the error cannot occur; an unusable hash is still no panic.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return IdentityHash(String::new());
        };
        mac.update(parts.join("\0").as_bytes());
        let bytes = mac.finalize().into_bytes();
        IdentityHash(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityKey(…)")
    }
}

/// The HMAC of an address or a linked identity, in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdentityHash(String);

impl IdentityHash {
    /// The hexadecimal text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_providers_and_keys_are_told_apart() {
        let (one, two) = (IdentityKey::new(&[1; 32]), IdentityKey::new(&[2; 32]));
        let email: Email = "ada@example.com".parse().unwrap();
        let subject: ExternalId = "ada@example.com".parse().unwrap();
        let (google, github) = ("google".parse().unwrap(), "github".parse().unwrap());
        let hashes = [
            one.email(&email),
            two.email(&email),
            one.provider(&google, &subject),
            one.provider(&github, &subject),
        ];
        for (at, hash) in hashes.iter().enumerate() {
            assert_eq!(hash.as_str().len(), 64);
            assert!(!hashes[..at].contains(hash));
        }
        assert_eq!(one.email(&email), hashes[0]);
        assert!(!format!("{one:?}").contains('1'));
    }
}
