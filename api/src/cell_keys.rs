//! The keys with which the cells' clusters sign the tokens of pods, as each cluster publishes them (the Kubernetes API
//! server's `/.well-known/openid-configuration` and `/openid/v1/jwks`): a pod's token is checked here, offline.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use coditect_core::{
    CellName, Error, Kind, Result, UserId, WorkspaceId,
    pod::{self, TOKEN_AUDIENCE},
};
use jiff::Timestamp;
use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use serde::{Deserialize, de::DeserializeOwned};

use crate::signed::CLOCK_SKEW;

/// Longest token that is looked at: a cluster's have about 1,200 characters.
const LONGEST: usize = 8 * 1024;

/// The published keys of all cells. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct CellKeys {
    folder: Option<PathBuf>,
    cells: Arc<RwLock<Arc<Cells>>>,
}

type Cells = BTreeMap<CellName, Cluster>;

/// What one cluster publishes.
#[derive(Debug)]
struct Cluster {
    issuer: String,
    keys: BTreeMap<String, DecodingKey>,
}

/// Whose pod shows a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pod {
    /// The cell whose cluster signed it.
    pub(crate) cell: CellName,
    pub(crate) user: UserId,
    pub(crate) workspace: WorkspaceId,
}

/// What a cluster says of itself (OpenID Connect Discovery); the rest is not needed.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

/// What a token says that is bound to a pod.
#[derive(Deserialize)]
struct PodClaims {
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(rename = "kubernetes.io")]
    bound: Bound,
}

#[derive(Deserialize)]
struct Bound {
    namespace: String,
    pod: Named,
    serviceaccount: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Whoever published the token, as it says itself.
#[derive(Deserialize)]
struct Claimed {
    iss: String,
}

impl CellKeys {
    /// The keys in `folder`: a folder a cell, with `openid-configuration.json` and `jwks.json`. None: no cell is known.
    ///
    /// # Errors
    /// `Unavailable` or `Invalid` naming the file that cannot be read or understood.
    pub(crate) fn open(folder: Option<PathBuf>) -> Result<Self> {
        let cells = match &folder {
            Some(folder) => load(folder)?,
            None => Cells::new(),
        };
        Ok(Self {
            folder,
            cells: Arc::new(RwLock::new(Arc::new(cells))),
        })
    }

    /// Reads the folder again: clusters change their keys, and cells are added.
    ///
    /// # Errors
    /// As [`CellKeys::open`]; the keys known stay in use.
    pub(crate) fn reload(&self) -> Result<()> {
        if let Some(folder) = &self.folder {
            let cells = Arc::new(load(folder)?);
            *self.cells.write().unwrap_or_else(PoisonError::into_inner) = cells;
        }
        Ok(())
    }

    /// Whose pod a token is of, if a cell's cluster signed it for us and it is valid at `now`.
    ///
    /// # Errors
    /// `Unauthenticated` saying what is wrong with it.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Pod> {
        let refused =
            |why: &str| Error::new(Kind::Unauthenticated, format!("the pod's token {why}"));
        let not_one = || refused("is no token of a cluster");
        if token.len() > LONGEST {
            return Err(not_one());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| not_one())?;
        let id = header.kid.ok_or_else(not_one)?;
        // Says which key to try, and nothing else: what it claims is checked by that key.
        let claimed: Claimed =
            jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| not_one())?;
        let cells = Arc::clone(&self.cells.read().unwrap_or_else(PoisonError::into_inner));
        // Clusters made alike may have one issuer, but never one key.
        let (cell, key) = cells
            .iter()
            .filter(|(_, cluster)| cluster.issuer == claimed.iss)
            .find_map(|(cell, cluster)| Some((cell, cluster.keys.get(&id)?)))
            .ok_or_else(|| refused("is signed by a key that no cell publishes"))?;
        let mut rules = rules(key);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.set_issuer(&[&claimed.iss]);
        rules.set_audience(&[TOKEN_AUDIENCE]);
        let claims: PodClaims = decode(token, key, &rules).ok_or_else(|| {
            refused(
                "is not valid here; it must be projected into a pod for the audience coditect-api",
            )
        })?;
        let now = now.as_second();
        if claims.exp <= now {
            return Err(refused("has expired"));
        }
        if claims
            .nbf
            .is_some_and(|from| from > now.saturating_add(CLOCK_SKEW))
        {
            return Err(refused("is not valid yet"));
        }
        let Bound {
            namespace,
            pod,
            serviceaccount,
        } = claims.bound;
        let (user, workspace) = pod::workspace_of(&namespace, &serviceaccount.name, &pod.name)
            .ok_or_else(|| refused("is of a pod that is no workspace's"))?;
        Ok(Pod {
            cell: cell.clone(),
            user,
            workspace,
        })
    }
}

/// The algorithms of the key's own kind and no others, whatever a token's header says. Times are checked by whoever
/// asks, against the clock that everything else here goes by.
fn rules(key: &DecodingKey) -> Validation {
    let mut rules = Validation::new_for_family(key.family());
    rules.validate_exp = false;
    rules
}

fn decode<C: DeserializeOwned>(token: &str, key: &DecodingKey, rules: &Validation) -> Option<C> {
    let decoded = jsonwebtoken::decode::<C>(token, key, rules);
    decoded.ok().map(|decoded| decoded.claims)
}

fn load(folder: &Path) -> Result<Cells> {
    let mut cells = Cells::new();
    let unreadable =
        |error| Error::unavailable(format!("{} cannot be listed", folder.display())).because(error);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // Kubernetes mounts a ConfigMap with links of its own, whose names begin with two dots.
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| !name.starts_with('.') && path.is_dir()) else {
            continue;
        };
        let cell: CellName = name.parse()?;
        let discovery: Discovery = read(&path.join("openid-configuration.json"))?;
        let file = path.join("jwks.json");
        let set: JwkSet = read(&file)?;
        let keys: BTreeMap<String, DecodingKey> = set
            .keys
            .iter()
            .filter_map(|jwk| Some((jwk.common.key_id.clone()?, DecodingKey::from_jwk(jwk).ok()?)))
            // A secret shared with a cluster is no published key.
            .filter(|(_, key)| key.family() != jsonwebtoken::AlgorithmFamily::Hmac)
            .collect();
        if keys.is_empty() {
            let message = "holds no public key with a name that can be used here";
            return Err(Error::invalid(file.display().to_string(), message));
        }
        let issuer = discovery.issuer;
        cells.insert(cell, Cluster { issuer, keys });
    }
    Ok(cells)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        Error::unavailable(format!("{shown} cannot be read: {error}")).because(error)
    })?;
    serde_json::from_str(&text).map_err(|error| {
        let why = format!("is not what a cluster publishes: {error}");
        Error::invalid(shown.to_string(), why).because(error)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// RFC 7515 appendix A.2: a key, and a token that it signed with RS256, as clusters do.
    const RSA_KEY: &str = r#"{"kty":"RSA","kid":"rsa","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#;
    const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

    fn folder(jwks: &Value) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let cell = folder.path().join("local");
        fs::create_dir(&cell).unwrap();
        let discovery = json!({"issuer": "joe", "jwks_uri": "https://x"});
        fs::write(
            cell.join("openid-configuration.json"),
            discovery.to_string(),
        )
        .unwrap();
        fs::write(cell.join("jwks.json"), jwks.to_string()).unwrap();
        folder
    }

    #[test]
    fn a_key_takes_its_own_algorithms_alone() {
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_str(RSA_KEY).unwrap();
        let key = DecodingKey::from_jwk(&jwk).unwrap();
        let mut rules = rules(&key);
        rules.required_spec_claims.clear();
        rules.validate_aud = false;
        assert_eq!(
            decode::<Value>(RSA_TOKEN, &key, &rules).unwrap()["iss"],
            "joe"
        );
        let forged = RSA_TOKEN.replacen("eyJpc3MiOiJqb2Ui", "eyJpc3MiOiJqb2Uj", 1);
        assert_eq!(decode::<Value>(&forged, &key, &rules), None);
        // Signed with the public key as if it were a secret.
        let secret = jsonwebtoken::EncodingKey::from_secret(RSA_KEY.as_bytes());
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        let token = jsonwebtoken::encode(&header, &json!({"iss": "joe"}), &secret).unwrap();
        assert_eq!(decode::<Value>(&token, &key, &rules), None);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let good: Value = serde_json::from_str(RSA_KEY).unwrap();
        let kept = folder(&json!({"keys": [good]}));
        let keys = CellKeys::open(Some(kept.path().to_owned())).unwrap();
        let file = kept.path().join("local/jwks.json");
        for bad in [
            "",
            "{}",
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kty":"oct","kid":"s","k":"c2VjcmV0"}]}"#,
        ] {
            fs::write(&file, bad).unwrap();
            let error = keys.reload().unwrap_err().to_string();
            assert!(error.contains("jwks.json"), "{bad}: {error}");
        }
        let missing = CellKeys::open(Some("/nowhere/at/all".into())).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/at/all"), "{missing}");
    }
}
