//! What an operator sees of a key ring, and how a key that somebody may have copied is taken out of it.

use std::fs;

use coditect_core::{Error, Result};
use ed25519_dalek::SigningKey;
use jiff::Timestamp;

use super::{
    AccessKey, KeyRing, OVERLAP_SECONDS, key_path, new_pem, revoked_path, unusable, write_new,
};

/// Seconds for which a revoked key is named: longer than anything that it signed is valid, a restart of a gateway
/// included. The name itself stays in the directory, so that the key does not come back with a backup.
const NAMED_SECONDS: i64 = 24 * 3_600;

/// A key of the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its name in tokens (`kid`).
    pub id: String,
    /// What it does.
    pub state: KeyState,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Stands among the public keys, and signs from then on.
    Next(Timestamp),
    /// Signs since then.
    Signs(Timestamp),
    /// Verifies what it signed, until then at least.
    Verifies(Timestamp),
    /// Was revoked then: nothing that it signed is worth anything.
    Revoked(Timestamp),
}

impl KeyRing {
    /// Every key, the oldest first, and then those that were revoked.
    #[must_use]
    pub fn list(&self, now: Timestamp) -> Vec<KeyEntry> {
        let keys = self.snapshot();
        let at = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        let active = self.active(now).map(|key| key.id).unwrap_or_default();
        let mut entries = Vec::new();
        let mut signing = keys.signing.iter().peekable();
        while let Some((from, key)) = signing.next() {
            let state = match signing.peek() {
                _ if key.id == active => KeyState::Signs(at(*from)),
                Some((next, _)) if **next <= now.as_second() => {
                    KeyState::Verifies(at(next.saturating_add(OVERLAP_SECONDS)))
                }
                _ => KeyState::Next(at(*from)),
            };
            entries.push(KeyEntry {
                id: key.id.clone(),
                state,
            });
        }
        let revoked = keys.revoked.iter().map(|(id, second)| KeyEntry {
            id: id.clone(),
            state: KeyState::Revoked(at(*second)),
        });
        entries.extend(revoked);
        entries
    }

    /// Takes a key out of the ring at once: nothing that it signed is worth anything from the moment at which the API
    /// reads its keys again, and whoever is in a workspace by it is shut out. If it was the one that signs, another
    /// signs from now on.
    ///
    /// # Errors
    /// `NotFound` if no key has that name; otherwise as [`KeyRing::open`].
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<()> {
        self.reload()?;
        let keys = self.snapshot();
        let second = now.as_second();
        let from = keys.signing.iter().find(|(_, key)| key.id == id);
        let Some((from, _)) = from else {
            return match keys.revoked.contains_key(id) {
                true => Ok(()),
                false => Err(Error::not_found(format!(
                    "no key is named {id}; `coditect keys list` names them"
                ))),
            };
        };
        let others_sign = keys
            .signing
            .range(..=second)
            .any(|(_, other)| other.id != id);
        let Some(directory) = &self.directory else {
            let mut keys = (*keys).clone();
            keys.signing.remove(from);
            keys.revoked.insert(id.to_owned(), second);
            if !others_sign {
                let key = AccessKey::new(&SigningKey::from_bytes(&rand::random()))?;
                keys.signing.insert(second, key);
            }
            self.replace(keys);
            return Ok(());
        };
        // A successor first: whoever reads in between never finds a ring without a key. One second on if the key itself
        // began just now.
        if !others_sign {
            let begins = if *from == second { second + 1 } else { second };
            write_new(&key_path(directory, begins), new_pem()?.as_bytes())?;
        }
        write_new(&revoked_path(directory, second, id), b"")?;
        let path = key_path(directory, *from);
        fs::remove_file(&path).map_err(|error| unusable(&path, "cannot be removed", error))?;
        self.reload()
    }

    /// The names of the keys that were revoked lately: what gateways are told.
    pub(crate) fn revoked(&self, now: Timestamp) -> Vec<String> {
        let keys = self.snapshot();
        let lately = now.as_second().saturating_sub(NAMED_SECONDS);
        let revoked = keys.revoked.iter().filter(|(_, second)| **second > lately);
        revoked.map(|(id, _)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn states(ring: &KeyRing, now: i64) -> Vec<KeyState> {
        let entries = ring.list(second(now)).into_iter();
        entries.map(|entry| entry.state).collect()
    }

    #[test]
    fn a_list_says_what_each_key_does() {
        let directory = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(directory.path()).unwrap();
        assert_eq!(states(&ring, 1_000), [KeyState::Signs(second(0))]);
        ring.rotate(second(1_000), Duration::from_secs(600))
            .unwrap();
        let (first, next) = (KeyState::Signs(second(0)), KeyState::Next(second(1_600)));
        assert_eq!(states(&ring, 1_000), [first, next]);
        let until = KeyState::Verifies(second(1_600 + OVERLAP_SECONDS));
        let signs = KeyState::Signs(second(1_600));
        assert_eq!(states(&ring, 1_600), [until, signs]);
    }

    #[test]
    fn a_revoked_key_is_gone_at_once_and_does_not_come_back() {
        let directory = tempfile::tempdir().unwrap();
        let on_disk = KeyRing::open(directory.path()).unwrap();
        let copy = fs::read(key_path(directory.path(), 0)).unwrap();
        for ring in [on_disk.clone(), KeyRing::ephemeral().unwrap()] {
            let first = ring.active(second(1_000)).unwrap().id;
            ring.revoke(&first, second(1_000)).unwrap();
            assert!(ring.find(&first).is_none());
            let next = ring.active(second(1_000)).unwrap().id;
            assert_ne!(next, first);
            assert_eq!(ring.revoked(second(1_000)), std::slice::from_ref(&first));
            assert_eq!(
                states(&ring, 1_000),
                [
                    KeyState::Signs(second(1_000)),
                    KeyState::Revoked(second(1_000))
                ]
            );
            // Done again, there is nothing to do; nobody's key is nobody's.
            ring.revoke(&first, second(1_001)).unwrap();
            assert_eq!(ring.active(second(1_001)).unwrap().id, next);
            assert!(ring.revoke("nobodys", second(1_001)).is_err());
            assert!(ring.revoked(second(1_000 + NAMED_SECONDS)).is_empty());
        }
        write_new(&key_path(directory.path(), 0), &copy).unwrap();
        on_disk.reload().unwrap();
        assert_eq!(on_disk.ids().len(), 1, "its file came back, it did not");
        let reopened = KeyRing::open(directory.path()).unwrap();
        assert_eq!(reopened.ids(), on_disk.ids());
    }

    #[test]
    fn who_revokes_a_key_that_does_not_sign_makes_no_other() {
        let ring = KeyRing::ephemeral().unwrap();
        ring.rotate(second(1_000), Duration::from_secs(600))
            .unwrap();
        let next = ring.list(second(1_000)).pop().unwrap();
        ring.revoke(&next.id, second(1_000)).unwrap();
        assert_eq!(ring.ids().len(), 1);
        // The one that has just begun too.
        let first = ring.ids().pop().unwrap();
        ring.revoke(&first, second(1_000)).unwrap();
        let second_one = ring.ids().pop().unwrap();
        assert_ne!(second_one, first);
    }

    #[test]
    fn a_key_that_began_in_this_very_second_can_be_revoked() {
        let directory = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(directory.path()).unwrap();
        ring.rotate(second(1_000), Duration::ZERO).unwrap();
        for entry in ring.list(second(1_000)) {
            ring.revoke(&entry.id, second(1_000)).unwrap();
        }
        assert_eq!(ring.ids().len(), 1);
        assert!(ring.active(second(1_000)).is_ok());
    }
}
