//! Secrets that the registry keeps and cannot read: sealed with a key that is derived from the key ring's secret.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use coditect_core::{AccountId, Error, Result};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::key_ring::KeyRing;

/// Seals an account's secret: ChaCha20-Poly1305 (RFC 8439) under a random nonce; opens for this account alone.
pub(crate) fn seal(keys: &KeyRing, account: AccountId, secret: &[u8]) -> Result<String> {
    let nonce: [u8; NONCE_LEN] = rand::random();
    let mut sealed = Zeroizing::new(secret.to_vec());
    key(keys)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(account.as_bytes()),
            &mut *sealed,
        )
        .map_err(|_| Error::internal("a secret cannot be sealed"))?;
    Ok(BASE64_STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
}

/// What was sealed.
///
/// # Errors
/// `Internal` if it was not sealed by this installation for this account.
pub(crate) fn open(keys: &KeyRing, account: AccountId, sealed: &str) -> Result<Zeroizing<Vec<u8>>> {
    let unreadable = || {
        Error::internal("a sealed secret cannot be opened: was the folder of the keys replaced?")
    };
    let bytes = BASE64_STANDARD_NO_PAD
        .decode(sealed)
        .map_err(|_| unreadable())?;
    let (nonce, rest) = bytes
        .split_first_chunk::<NONCE_LEN>()
        .ok_or_else(unreadable)?;
    let mut rest = Zeroizing::new(rest.to_vec());
    let opened = key(keys)?.open_in_place(
        Nonce::assume_unique_for_key(*nonce),
        Aad::from(account.as_bytes()),
        &mut rest,
    );
    let length = opened.map_err(|_| unreadable())?.len();
    rest.truncate(length);
    Ok(rest)
}

fn key(keys: &KeyRing) -> Result<LessSafeKey> {
    let bytes = Zeroizing::new(keys.derive("seal secrets", &[]));
    let key = UnboundKey::new(&CHACHA20_POLY1305, bytes.as_slice())
        .map_err(|_| Error::internal("a key cannot be made"))?;
    Ok(LessSafeKey::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_here_for_its_account_and_nowhere_else() {
        let (keys, account) = (KeyRing::ephemeral().unwrap(), AccountId::random());
        let sealed = seal(&keys, account, b"secret").unwrap();
        assert_eq!(*open(&keys, account, &sealed).unwrap(), b"secret");
        assert_ne!(sealed, seal(&keys, account, b"secret").unwrap());
        assert!(open(&keys, AccountId::random(), &sealed).is_err());
        assert!(open(&KeyRing::ephemeral().unwrap(), account, &sealed).is_err());
        for bent in ["", "AAAA", &sealed[1..], "not base64!"] {
            assert!(open(&keys, account, bent).is_err(), "{bent:?}");
        }
    }
}
