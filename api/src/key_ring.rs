//! The keys that make tokens: Ed25519 pairs for access tokens, of which one signs and all verify, and one
//! secret from which everything symmetric is derived.

mod files;
mod inventory;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{Error, Result};
use coditect_registry::record::IdentityKey;
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use files::{key_path, read_private, revoked_path, unusable, write_new};
use hmac::{Hmac, KeyInit, Mac};
pub use inventory::{KeyEntry, KeyState};
use jiff::Timestamp;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use utoipa::ToSchema;
use zeroize::Zeroizing;

const SECRET_FILE: &str = "secret.key";

/// Seconds that a superseded key still verifies: longer than any access token lives.
const OVERLAP_SECONDS: i64 = 3_600;

/// The keys of an installation. Cheap to clone; clones share them.
///
/// In the directory, each private key is a PKCS#8 PEM file `access-<second>.pem` that signs from that second
/// (Unix time) until the next one takes over, and `secret.key` holds 32 random bytes. All must be readable by
/// their owner only. `revoked-<second>.<key>` says that a key was revoked then.
#[derive(Clone, Debug)]
pub struct KeyRing {
    directory: Option<PathBuf>,
    keys: watch::Sender<Arc<Keys>>,
    secret: Arc<Zeroizing<[u8; 32]>>,
}

/// What is in the directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// Keys by the second from which they sign.
    signing: BTreeMap<i64, AccessKey>,
    /// The names of keys that were revoked, with the second.
    revoked: BTreeMap<String, i64>,
}

/// One pair of keys for access tokens.
#[derive(Clone, Debug)]
pub(crate) struct AccessKey {
    /// The key's name in tokens: its RFC 7638 thumbprint.
    pub(crate) id: String,
    pub(crate) signing: EncodingKey,
    pub(crate) verifying: DecodingKey,
    public: String,
}

/// A public key as a JSON Web Key (RFC 7517, RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JsonWebKey {
    /// `OKP`.
    kty: &'static str,
    /// `Ed25519`.
    crv: &'static str,
    /// `EdDSA`.
    alg: &'static str,
    /// `sig`.
    #[serde(rename = "use")]
    purpose: &'static str,
    /// The key's name in tokens.
    kid: String,
    /// The public key, base64url.
    x: String,
}

impl KeyRing {
    /// The keys in `directory`, made if there are none yet.
    ///
    /// # Errors
    /// `Unavailable` or `Invalid` naming the file that cannot be read, written or understood, or that others
    /// than its owner may read.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self> {
        let directory = directory.into();
        fs::create_dir_all(&directory)
            .map_err(|error| unusable(&directory, "cannot be made", error))?;
        // Fixed names, made only if absent: of several processes that start at once, one wins and all agree.
        let secret_path = directory.join(SECRET_FILE);
        write_new(
            &secret_path,
            BASE64_URL_SAFE_NO_PAD
                .encode(Zeroizing::new(rand::random::<[u8; 32]>()).as_slice())
                .as_bytes(),
        )?;
        if load(&directory)?.signing.is_empty() {
            write_new(&key_path(&directory, 0), new_pem()?.as_bytes())?;
        }
        let text = read_private(&secret_path)?;
        let secret = BASE64_URL_SAFE_NO_PAD
            .decode(text.trim())
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let secret = secret.ok_or_else(|| {
            Error::invalid(
                secret_path.display().to_string(),
                "must hold 32 bytes in base64url",
            )
        })?;
        let keys = load(&directory)?;
        Ok(Self {
            directory: Some(directory),
            keys: watch::Sender::new(Arc::new(keys)),
            secret: Arc::new(Zeroizing::new(secret)),
        })
    }

    /// Keys that live as long as the process: for tests.
    ///
    /// # Errors
    /// `Internal` if a key cannot be made.
    pub fn ephemeral() -> Result<Self> {
        let key = AccessKey::new(&SigningKey::from_bytes(&rand::random()))?;
        let keys = Keys {
            signing: [(0, key)].into(),
            revoked: BTreeMap::new(),
        };
        Ok(Self {
            directory: None,
            keys: watch::Sender::new(Arc::new(keys)),
            secret: Arc::new(Zeroizing::new(rand::random())),
        })
    }

    /// Adds a key that signs from `lead` after `now`, and removes those that were superseded long enough ago.
    /// Until then it only stands among the public keys, so that everybody who verifies knows it in time.
    ///
    /// # Errors
    /// As [`KeyRing::open`].
    pub fn rotate(&self, now: Timestamp, lead: Duration) -> Result<()> {
        let from = now
            .as_second()
            .saturating_add(i64::try_from(lead.as_secs()).unwrap_or(i64::MAX));
        let Some(directory) = &self.directory else {
            let mut keys = (*self.snapshot()).clone();
            let key = AccessKey::new(&SigningKey::from_bytes(&rand::random()))?;
            keys.signing.insert(from, key);
            self.replace(keys);
            return Ok(());
        };
        write_new(&key_path(directory, from), new_pem()?.as_bytes())?;
        let seconds: Vec<i64> = load(directory)?.signing.into_keys().collect();
        for pair in seconds.windows(2) {
            if pair[1].saturating_add(OVERLAP_SECONDS) <= now.as_second() {
                let path = key_path(directory, pair[0]);
                fs::remove_file(&path)
                    .map_err(|error| unusable(&path, "cannot be removed", error))?;
            }
        }
        self.reload()
    }

    /// Reads the directory again, for keys that another process has added.
    ///
    /// # Errors
    /// As [`KeyRing::open`]; the keys known stay in use.
    pub fn reload(&self) -> Result<()> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let keys = load(directory)?;
        if keys.signing.is_empty() {
            return Err(Error::invalid(
                directory.display().to_string(),
                "holds no access key any more; those known stay in use",
            ));
        }
        self.replace(keys);
        Ok(())
    }

    /// The key that signs at `now`: the newest that has begun.
    pub(crate) fn active(&self, now: Timestamp) -> Result<AccessKey> {
        let keys = self.snapshot();
        let begun = keys
            .signing
            .range(..=now.as_second())
            .next_back()
            .or_else(|| keys.signing.first_key_value());
        begun
            .map(|(_, key)| key.clone())
            .ok_or_else(|| Error::internal("the key ring is empty"))
    }

    /// The key of that name, if it still verifies.
    pub(crate) fn find(&self, id: &str) -> Option<AccessKey> {
        self.snapshot()
            .signing
            .values()
            .find(|key| key.id == id)
            .cloned()
    }

    /// The names of the keys that verify.
    pub(crate) fn ids(&self) -> Vec<String> {
        let keys = self.snapshot();
        keys.signing.values().map(|key| key.id.clone()).collect()
    }

    /// Follows the keys: changes when one is added or removed.
    pub(crate) fn follow(&self) -> watch::Receiver<Arc<Keys>> {
        self.keys.subscribe()
    }

    /// Every public key.
    pub(crate) fn public(&self) -> Vec<JsonWebKey> {
        let describe = |key: &AccessKey| JsonWebKey {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            purpose: "sig",
            kid: key.id.clone(),
            x: key.public.clone(),
        };
        self.snapshot().signing.values().map(describe).collect()
    }

    /// 32 bytes that only this installation can make of these parts; `label` keeps uses apart.
    pub(crate) fn derive(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.mac();
        // Each part with its length, so that no two lists of parts look alike.
        for part in std::iter::once(&label.as_bytes()).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The key by which the registry knows the identities of those who were erased.
    #[must_use]
    pub fn identity_key(&self) -> IdentityKey {
        IdentityKey::new(&self.derive("erased identities", &[]))
    }

    /// Whether `mac` is what [`KeyRing::derive`] makes of these parts.
    pub(crate) fn made(&self, label: &str, parts: &[&[u8]], mac: &[u8]) -> bool {
        // Hashed again before they are compared, so that the time it takes tells nothing (double HMAC comparison).
        let expected = self.derive(label, parts);
        self.derive("compare", &[mac]) == self.derive("compare", &[&expected])
    }

    fn mac(&self) -> Hmac<Sha256> {
        // HMAC pads a short key with zeros to the hash's block (RFC 2104 section 2); done here, nothing can fail.
        let mut key = Zeroizing::new([0; 64]);
        key[..32].copy_from_slice(self.secret.as_slice());
        Hmac::<Sha256>::new((&*key).into())
    }

    fn snapshot(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.borrow())
    }

    fn replace(&self, keys: Keys) {
        self.keys.send_if_modified(|known| {
            // Read again without a change, nobody is woken for it.
            let names = |keys: &Keys| {
                let signing = keys.signing.iter();
                let signing: Vec<_> = signing.map(|(from, key)| (*from, key.id.clone())).collect();
                (signing, keys.revoked.clone())
            };
            let differ = names(known) != names(&keys);
            if differ {
                *known = Arc::new(keys);
            }
            differ
        });
    }
}

impl AccessKey {
    fn new(key: &SigningKey) -> Result<Self> {
        let public = BASE64_URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        // RFC 7638 section 3: the required members in alphabetical order, no spaces.
        let thumbprint =
            Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#));
        let private = key
            .to_pkcs8_der()
            .map_err(|error| Error::internal("a key cannot be encoded").because(error))?;
        let verifying = DecodingKey::from_ed_components(&public)
            .map_err(|error| Error::internal("a key cannot be decoded").because(error))?;
        Ok(Self {
            id: BASE64_URL_SAFE_NO_PAD.encode(thumbprint),
            signing: EncodingKey::from_ed_der(private.as_bytes()),
            verifying,
            public,
        })
    }
}

fn new_pem() -> Result<Zeroizing<String>> {
    let key = SigningKey::from_bytes(&rand::random());
    key.to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| Error::internal("a key cannot be encoded").because(error))
}

fn load(directory: &Path) -> Result<Keys> {
    let unreadable = |error| unusable(directory, "cannot be listed", error);
    let mut keys = Keys::default();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if let Some((second, id)) = name
            .strip_prefix("revoked-")
            .and_then(|rest| rest.split_once('.'))
        {
            let second = second.parse().map_err(|_| {
                let what = "must be named revoked-<second>.<key>";
                Error::invalid(path.display().to_string(), what)
            })?;
            keys.revoked.insert(id.to_owned(), second);
            continue;
        }
        let Some(second) = name
            .strip_prefix("access-")
            .and_then(|rest| rest.strip_suffix(".pem"))
        else {
            continue;
        };
        let wrong = |why: &str| Error::invalid(path.display().to_string(), why);
        let second: i64 = second
            .parse()
            .map_err(|_| wrong("must be named access-<second>.pem"))?;
        let key = SigningKey::from_pkcs8_pem(&read_private(&path)?).map_err(|error| {
            wrong("must be an Ed25519 private key in PKCS#8 PEM").because(error)
        })?;
        keys.signing.insert(second, AccessKey::new(&key)?);
    }
    // A key whose file came back, from a backup or another machine, stays revoked.
    let Keys { signing, revoked } = &mut keys;
    signing.retain(|_, key| !revoked.contains_key(&key.id));
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_ring_is_the_same_after_reopening_and_for_every_process() {
        let directory = tempfile::tempdir().unwrap();
        let rings: Vec<KeyRing> = std::thread::scope(|scope| {
            let open = || scope.spawn(|| KeyRing::open(directory.path()).unwrap());
            [open(), open(), open()]
                .map(|thread| thread.join().unwrap())
                .into()
        });
        let again = KeyRing::open(directory.path()).unwrap();
        for ring in rings {
            assert_eq!(
                ring.active(second(10)).unwrap().id,
                again.active(second(10)).unwrap().id
            );
            assert_eq!(ring.derive("x", &[b"y"]), again.derive("x", &[b"y"]));
        }
    }

    #[test]
    fn a_new_key_is_published_before_it_signs_and_the_old_one_verifies_after() {
        let directory = tempfile::tempdir().unwrap();
        let (ring, other) = (
            KeyRing::open(directory.path()).unwrap(),
            KeyRing::open(directory.path()).unwrap(),
        );
        let first = ring.active(second(1_000)).unwrap().id;
        ring.rotate(second(1_000), Duration::from_secs(600))
            .unwrap();
        assert_eq!(ring.public().len(), 2);
        assert_eq!(ring.active(second(1_599)).unwrap().id, first);
        let next = ring.active(second(1_600)).unwrap().id;
        assert_ne!(next, first);
        assert!(ring.find(&first).is_some());

        assert!(other.find(&next).is_none());
        other.reload().unwrap();
        assert!(other.find(&next).is_some());

        ring.rotate(second(1_600 + OVERLAP_SECONDS), Duration::from_secs(600))
            .unwrap();
        assert!(
            ring.find(&first).is_none(),
            "superseded for longer than any token lives"
        );
        assert!(ring.find(&next).is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        KeyRing::open(directory.path()).unwrap();
        let path = key_path(directory.path(), 0);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = KeyRing::open(directory.path()).unwrap_err().to_string();
        assert!(
            error.contains("access-0.pem") && error.contains("chmod 600"),
            "{error}"
        );
    }

    #[test]
    fn parts_cannot_be_shifted_into_one_another() {
        let ring = KeyRing::ephemeral().unwrap();
        assert_ne!(
            ring.derive("x", &[b"ab", b"c"]),
            ring.derive("x", &[b"a", b"bc"])
        );
        assert_ne!(ring.derive("xa", &[b"b"]), ring.derive("x", &[b"ab"]));
    }
}
