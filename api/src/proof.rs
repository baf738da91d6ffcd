//! Codes in letters: whoever shows one gets the address's mail.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{AccountId, Error, Kind, RegistrationId};

use crate::key_ring::KeyRing;

/// Kind, id, and what cannot be guessed.
const LENGTH: usize = 1 + 16 + 16;

/// What a code is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Completes a sign-up. Derived, so that a letter sent again holds the same code; the sign-up itself says whether it
    /// is still waited for.
    SignUp(RegistrationId),
    /// Gives an account the address that it asked for.
    NewAddress(AccountId, [u8; 16]),
    /// Replaces an account's forgotten password.
    Reset(AccountId, [u8; 16]),
}

impl Proof {
    /// The code: 44 characters of base64url.
    pub(crate) fn encode(&self, keys: &KeyRing) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.bytes(keys))
    }

    /// What a code proves, if it is one of ours. Of an account's codes only [`Proof::hash`] tells whether it is valid.
    ///
    /// # Errors
    /// `Forbidden`, as for a code that is not valid any more.
    pub(crate) fn decode(code: &str, keys: &KeyRing) -> Result<Self, Error> {
        let parse = || {
            let bytes = match code.len() <= 2 * LENGTH {
                true => BASE64_URL_SAFE_NO_PAD.decode(code).ok()?,
                false => return None,
            };
            let (kind, rest) = bytes.split_first()?;
            let (id, secret) = rest.split_first_chunk::<16>()?;
            let secret: [u8; 16] = secret.try_into().ok()?;
            match kind {
                b'r' => {
                    let proof = Self::SignUp(RegistrationId::from_bytes(*id));
                    proof.is(&bytes, keys).then_some(proof)
                }
                b'a' => Some(Self::NewAddress(AccountId::from_bytes(*id), secret)),
                b'p' => Some(Self::Reset(AccountId::from_bytes(*id), secret)),
                _ => None,
            }
        };
        parse().ok_or_else(not_valid)
    }

    /// What the registry keeps of it: whoever reads the registry cannot make the code.
    pub(crate) fn hash(&self, keys: &KeyRing) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(keys.derive("proof", &[&self.bytes(keys)]))
    }

    fn bytes(&self, keys: &KeyRing) -> [u8; LENGTH] {
        let (kind, id, secret) = match self {
            Self::SignUp(id) => {
                let derived = keys.derive("sign-up proof", &[id.as_bytes()]);
                let mut secret = [0; 16];
                secret.copy_from_slice(&derived[..16]);
                (b'r', *id.as_bytes(), secret)
            }
            Self::NewAddress(id, secret) => (b'a', *id.as_bytes(), *secret),
            Self::Reset(id, secret) => (b'p', *id.as_bytes(), *secret),
        };
        let mut bytes = [kind; LENGTH];
        bytes[1..17].copy_from_slice(&id);
        bytes[17..].copy_from_slice(&secret);
        bytes
    }

    /// Both sides are hashed again before they are compared, so that the time it takes tells nothing.
    fn is(&self, shown: &[u8], keys: &KeyRing) -> bool {
        keys.derive("compare", &[shown]) == keys.derive("compare", &[&self.bytes(keys)])
    }
}

/// What every code is answered with that opens nothing.
pub(crate) fn not_valid() -> Error {
    let message = "this link is not valid any more; ask for a new one";
    Error::new(Kind::Forbidden, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_what_it_was_made_for_and_nothing_else() {
        let keys = KeyRing::ephemeral().unwrap();
        let account = AccountId::random();
        for proof in [
            Proof::SignUp(RegistrationId::random()),
            Proof::NewAddress(account, [7; 16]),
            Proof::Reset(account, [7; 16]),
        ] {
            let code = proof.encode(&keys);
            assert_eq!(code.len(), 44);
            assert_eq!(Proof::decode(&code, &keys).unwrap(), proof);
        }
        let address = Proof::NewAddress(account, [7; 16]).hash(&keys);
        assert_ne!(address, Proof::Reset(account, [7; 16]).hash(&keys));
    }

    #[test]
    fn nobody_makes_the_code_of_a_sign_up_whose_id_they_know() {
        let keys = KeyRing::ephemeral().unwrap();
        let sign_up = Proof::SignUp(RegistrationId::random());
        let foreign = sign_up.encode(&KeyRing::ephemeral().unwrap());
        let mut bytes = sign_up.bytes(&keys);
        bytes[20] ^= 1;
        let bent = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        for code in [
            foreign,
            bent,
            String::new(),
            "A".repeat(44),
            "x".repeat(1 << 20),
        ] {
            let error = Proof::decode(&code, &keys).unwrap_err();
            assert_eq!(*error.kind(), Kind::Forbidden);
        }
    }
}
