//! Tokens that were verified before: a page asks dozens of times with the same one, and a signature costs more than all
//! else that we do for a small file.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use coditect_core::sidecar::EntryClaims;
use sha2::{Digest, Sha256};

/// Most tokens that are remembered: a workspace has a person or a few, each with one token that is new every few minutes.
const MOST: usize = 64;

/// A token's signature was good.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) claims: Arc<EntryClaims>,
    /// By which key.
    pub(crate) key: Arc<str>,
}

/// Remembers tokens by their hash: the time that finding one takes says nothing of the token.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<[u8; 32], Verified>>);

impl Memory {
    /// What is remembered of a token. That it is still good is for whoever asks to see.
    pub(crate) fn recall(&self, token: &str) -> Option<Verified> {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(&hash(token)).cloned()
    }

    pub(crate) fn remember(&self, token: &str, verified: Verified) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() >= MOST {
            memory.clear();
        }
        memory.insert(hash(token), verified);
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
