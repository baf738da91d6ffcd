//! A cell's cluster as far as the API sees one: what it publishes, and the tokens that it projects into pods.

use std::{fs, path::Path};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

pub(crate) struct Cluster {
    issuer: String,
    key: SigningKey,
    name: String,
}

impl Cluster {
    pub(crate) fn new(issuer: &str) -> Self {
        let key = SigningKey::from_bytes(&rand::random());
        let name = BASE64_URL_SAFE_NO_PAD.encode(&key.verifying_key().as_bytes()[..8]);
        Self {
            issuer: issuer.to_owned(),
            key,
            name,
        }
    }

    /// Writes what the cluster publishes to where the API reads it.
    pub(crate) fn publish(&self, folder: &Path, cell: &str) {
        let cell = folder.join(cell);
        fs::create_dir_all(&cell).unwrap();
        let discovery = json!({"issuer": self.issuer, "jwks_uri": "https://10.0.0.1/openid/v1/jwks",
            "response_types_supported": ["id_token"]});
        fs::write(
            cell.join("openid-configuration.json"),
            discovery.to_string(),
        )
        .unwrap();
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.name, "x": x});
        fs::write(cell.join("jwks.json"), json!({"keys": [key]}).to_string()).unwrap();
    }

    /// What the token of a workspace's pod says (Kubernetes' bound service account tokens).
    pub(crate) fn claims(&self, user: &str, workspace: &str, now: Timestamp) -> Value {
        let now = now.as_second();
        json!({
            "iss": self.issuer,
            "aud": ["coditect-api"],
            "sub": format!("system:serviceaccount:user-{user}:workspace-sa"),
            "iat": now, "nbf": now, "exp": now + 600,
            "jti": "5c1b0d7e-3d0f-4c7e-9a57-0f6a1d2a3b4c",
            "kubernetes.io": {
                "namespace": format!("user-{user}"),
                "node": {"name": "node-1", "uid": "1"},
                "pod": {"name": format!("workspace-{workspace}-0"), "uid": "2"},
                "serviceaccount": {"name": "workspace-sa", "uid": "3"},
            },
        })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.name, claims)
    }

    /// Signs, and says that the key of this name did.
    pub(crate) fn sign_as(&self, name: &str, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = None;
        header.kid = Some(name.to_owned());
        let key = EncodingKey::from_ed_der(self.key.to_pkcs8_der().unwrap().as_bytes());
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
