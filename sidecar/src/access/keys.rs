//! The API's public keys.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{Error, Result};
use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

/// How often keys are fetched for one that is not known: whoever sends made-up names must not reach the API through us.
const AT_MOST_ONCE_IN: Duration = Duration::from_secs(30);
/// Most keys of a set that are kept.
const MOST: usize = 64;

/// The keys by which tokens are checked.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    known: RwLock<Known>,
    /// When they were last asked for because one was not known.
    asked: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Known {
    keys: BTreeMap<String, VerifyingKey>,
    /// Which of them verify, if the API has said so.
    valid: Option<BTreeSet<String>>,
}

impl Keys {
    /// The key of that name, if it verifies.
    pub(crate) fn find(&self, id: &str) -> Option<VerifyingKey> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let valid = known.valid.as_ref();
        known
            .keys
            .get(id)
            .filter(|_| valid.is_none_or(|valid| valid.contains(id)))
            .copied()
    }

    /// The key of that name, fetched if it is not known.
    pub(crate) async fn find_or_fetch<F>(&self, id: &str, fetch: F) -> Option<VerifyingKey>
    where
        F: Future<Output = Result<Vec<u8>>>,
    {
        if let Some(key) = self.find(id) {
            return Some(key);
        }
        let mut asked = self.asked.lock().await;
        // Whoever held the lock may have brought it.
        if let Some(key) = self.find(id) {
            return Some(key);
        }
        if asked.is_some_and(|at| at.elapsed() < AT_MOST_ONCE_IN) {
            return None;
        }
        *asked = Some(Instant::now());
        match fetch.await.and_then(|set| self.replace(&set)) {
            Ok(()) => self.find(id),
            Err(error) => {
                tracing::warn!(error = error.chain(), "the API's keys cannot be had");
                None
            }
        }
    }

    /// Takes a new set in the old one's place (RFC 7517). Keys of other kinds in it are passed over.
    ///
    /// # Errors
    /// `Unavailable` if it is no set.
    pub(crate) fn replace(&self, set: &[u8]) -> Result<()> {
        let set: Set = serde_json::from_slice(set).map_err(|error| {
            Error::unavailable("the API's keys are not readable").because(error)
        })?;
        let keys = set.keys.into_iter().filter_map(Key::read).take(MOST);
        self.change(|known| known.keys = keys.collect());
        Ok(())
    }

    /// Says which keys verify. True if one of them is not known yet.
    pub(crate) fn restrict(&self, valid: &[String]) -> bool {
        let valid: BTreeSet<String> = valid.iter().take(MOST).cloned().collect();
        self.change(|known| {
            let missing = valid.iter().any(|id| !known.keys.contains_key(id));
            known.valid = Some(valid);
            missing
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    x: Option<String>,
}

impl Key {
    /// An Ed25519 key with a name (RFC 8037 section 2).
    fn read(self) -> Option<(String, VerifyingKey)> {
        if self.kty != "OKP" || self.crv.as_deref() != Some("Ed25519") {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(self.x?).ok()?;
        let key = VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()?;
        // A weak key verifies what nobody signed.
        (!key.is_weak()).then_some((self.kid?, key))
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    fn set(ids: &[&str]) -> Vec<u8> {
        let key = |id: &&str| {
            let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
            let x = BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes());
            serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x, "use": "sig"})
        };
        let mut keys: Vec<_> = ids.iter().map(key).collect();
        keys.push(serde_json::json!({"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"}));
        // The point of order 1.
        let weak = BASE64_URL_SAFE_NO_PAD.encode([&[1_u8][..], &[0; 31]].concat());
        keys.push(serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": "weak", "x": weak}));
        serde_json::json!({ "keys": keys }).to_string().into_bytes()
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_key_is_fetched_once_in_half_a_minute() {
        let keys = Keys::default();
        assert!(
            keys.find_or_fetch("a", async { Ok(set(&["a", "b"])) })
                .await
                .is_some()
        );
        assert!(
            keys.find("b").is_some() && keys.find("r").is_none() && keys.find("weak").is_none()
        );
        let never = async { panic!("asked again too soon") };
        assert!(keys.find_or_fetch("c", never).await.is_none());
        tokio::time::advance(AT_MOST_ONCE_IN).await;
        assert!(
            keys.find_or_fetch("c", async { Ok(set(&["c"])) })
                .await
                .is_some()
        );
        assert!(keys.find("a").is_none(), "removed from the set");
    }

    #[tokio::test(start_paused = true)]
    async fn a_set_that_cannot_be_had_leaves_the_last_one() {
        let keys = Keys::default();
        keys.replace(&set(&["a"])).unwrap();
        let down = async { Err(Error::unavailable("down")) };
        assert!(keys.find_or_fetch("b", down).await.is_none());
        assert!(keys.replace(b"<html>").is_err());
        assert!(keys.find("a").is_some());
    }

    #[test]
    fn a_key_that_the_api_no_longer_names_verifies_nothing_at_once() {
        let keys = Keys::default();
        keys.replace(&set(&["a", "b"])).unwrap();
        assert!(!keys.restrict(&["b".to_owned()]));
        assert!(keys.find("a").is_none() && keys.find("b").is_some());
        assert!(keys.restrict(&["b".to_owned(), "c".to_owned()]));
    }
}
