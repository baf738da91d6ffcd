//! Who a pod is, in a cluster's place: a token for each, and what a cluster publishes of the key that signs them.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{CellName, Error, Result, pod::TOKEN_AUDIENCE};
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use super::runner::Identity;

/// How long a token lasts: as the templates' pods ask for.
pub(crate) const LASTS: SignedDuration = SignedDuration::from_secs(600);

/// Signs pods' tokens. The keys are this process's own, as its pods are: both end with it.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// A folder a cell, as the API reads what clusters publish.
    folder: PathBuf,
    keys: Mutex<BTreeMap<CellName, SigningKey>>,
}

impl Tokens {
    /// Publishes into `folder`, in which nothing is left of an earlier process.
    ///
    /// # Errors
    /// `Unavailable` if the folder cannot be emptied and made.
    pub(crate) fn new(folder: PathBuf) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| failed("emptied", &folder, error))?;
        }
        fs::create_dir_all(&folder).map_err(|error| failed("made", &folder, error))?;
        Ok(Self {
            folder,
            keys: Mutex::default(),
        })
    }

    /// Where the keys are published.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Publishes a key for each of these cells that has none.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be written down.
    pub(crate) fn publish<'a>(&self, cells: impl IntoIterator<Item = &'a CellName>) -> Result<()> {
        let mut keys = self.keys();
        for cell in cells {
            if !keys.contains_key(cell) {
                keys.insert(cell.clone(), self.found(cell)?);
            }
        }
        Ok(())
    }

    fn found(&self, cell: &CellName) -> Result<SigningKey> {
        let key = SigningKey::from_bytes(&rand::random());
        let folder = self.folder.join(cell.as_str());
        // Under a name that is no cell's until both files are there.
        let unfinished = self.folder.join(format!(".{cell}"));
        fs::create_dir_all(&unfinished).map_err(|error| failed("made", &unfinished, error))?;
        let x = BASE64_URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": name(&key), "x": x});
        for (name, content) in [
            (
                "openid-configuration.json",
                json!({"issuer": issuer(cell), "jwks_uri": "jwks.json"}),
            ),
            ("jwks.json", json!({"keys": [jwk]})),
        ] {
            let file = unfinished.join(name);
            fs::write(&file, content.to_string())
                .map_err(|error| failed("written", &file, error))?;
        }
        fs::rename(&unfinished, &folder).map_err(|error| failed("made", &folder, error))?;
        Ok(key)
    }

    /// Writes a fresh token of this pod to `file`, which is replaced whole, as a cluster does.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be written.
    pub(crate) fn project(&self, identity: &Identity, file: &Path, now: Timestamp) -> Result<()> {
        self.publish([&identity.cell])?;
        let token = self.sign(identity, now)?;
        let unfinished = file.with_extension("new");
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)
            .and_then(|mut open| open.write_all(token.as_bytes()))
            .and_then(|()| fs::rename(&unfinished, file));
        written.map_err(|error| failed("written", file, error))
    }

    /// As Kubernetes' bound service account tokens are.
    fn sign(&self, identity: &Identity, now: Timestamp) -> Result<String> {
        let Identity {
            cell,
            namespace,
            service_account,
            pod,
        } = identity;
        let unsigned = |error| Error::internal("a pod's token cannot be signed").because(error);
        let keys = self.keys();
        let key = keys
            .get(cell)
            .ok_or_else(|| Error::internal("a cell without a key"))?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(name(key));
        let from = now.as_second();
        let claims = json!({
            "iss": issuer(cell),
            "aud": [TOKEN_AUDIENCE],
            "sub": format!("system:serviceaccount:{namespace}:{service_account}"),
            "iat": from,
            "nbf": from,
            "exp": from + LASTS.as_secs(),
            "kubernetes.io": {
                "namespace": namespace,
                "pod": {"name": pod},
                "serviceaccount": {"name": service_account},
            },
        });
        let der = key
            .to_pkcs8_der()
            .map_err(|error| Error::internal(format!("a key cannot be written down: {error}")))?;
        let key = EncodingKey::from_ed_der(der.as_bytes());
        jsonwebtoken::encode(&header, &claims, &key).map_err(unsigned)
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<CellName, SigningKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn issuer(cell: &CellName) -> String {
    format!("https://{cell}.cluster.localhost")
}

/// The name under which a key is published: a piece of itself.
fn name(key: &SigningKey) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&key.verifying_key().as_bytes()[..8])
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::unavailable(format!("{} cannot be {what}", path.display())).because(error)
}
