//! Values that were read lately, in memory: a record that is asked for again and again (an account, a login) is found
//! in one step, however large the registry is. The tree takes a few steps more the larger it is.
//!
//! An entry says: this has been the value since a version, up to the newest. So a reader of that version or of a later
//! one may have it. Whoever commits takes out what is written before anybody can read the new version
//! ([`Cache::advance`]), and what a reader of an older version found is not taken in any more.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use coditect_core::Version;

use super::super::{Key, KeyRange, Value, conflicts::Written};

/// Parts, each with a lock of its own.
const SHARDS: usize = 16;
/// Most bytes of keys and values in one generation of a part: 16 MiB in all.
const GENERATION_BYTES: usize = 512 << 10;
/// What an entry counts beside its key and value.
const ENTRY_OVERHEAD: usize = 96;
/// Largest value that is kept: one that is larger takes longer to copy than to find.
const LARGEST: usize = 4 << 10;

/// Values by key, or that there is none.
#[derive(Debug)]
pub(super) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    /// The version up to which every entry holds.
    newest: AtomicU64,
}

#[derive(Clone, Debug)]
struct Entry {
    since: Version,
    value: Option<Value>,
}

/// Entries in two generations. What is asked for while it is old becomes young again; when the young ones have grown
/// to their limit, the old ones are forgotten.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<Key, Entry>,
    old: HashMap<Key, Entry>,
    young_bytes: usize,
}

impl Cache {
    /// An empty one, for what is read at `version`.
    pub(super) fn new(version: Version) -> Self {
        Self {
            shards: Default::default(),
            hasher: RandomState::new(),
            newest: AtomicU64::new(version.0),
        }
    }

    /// What stands at `key` for a reader of `version`, if it is known: none at all, or a value.
    pub(super) fn get(&self, key: &[u8], version: Version) -> Option<Option<Value>> {
        let mut shard = self.shard(key);
        shard.find(key, version)
    }

    /// Takes in what a reader of `version` found, unless something was committed since.
    pub(super) fn put(&self, key: &[u8], value: Option<&[u8]>, version: Version) {
        if value.is_some_and(|value| value.len() > LARGEST) {
            return;
        }
        let mut shard = self.shard(key);
        // Under the lock: whoever advances takes it for every key that is written, and has set the version before.
        if self.newest.load(Ordering::Acquire) == version.0 {
            let entry = Entry {
                since: version,
                value: value.map(<[u8]>::to_vec),
            };
            shard.put(key.to_vec(), entry);
        }
    }

    /// Takes out what is written up to `version`. To be called before anybody reads that version; what versions before
    /// it hold is known no more, but not wrong.
    pub(super) fn advance<'a>(
        &self,
        version: Version,
        written: impl IntoIterator<Item = &'a Written>,
    ) {
        self.newest.store(version.0, Ordering::Release);
        for written in written {
            for key in &written.keys {
                self.shard(key).remove(key);
            }
            for range in &written.ranges {
                self.remove_range(range);
            }
        }
    }

    /// Rare: erasures, and what the janitor takes away.
    fn remove_range(&self, range: &KeyRange) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let Shard { young, old, .. } = &mut *shard;
            for entries in [young, old] {
                entries.retain(|key, _| !range.contains(key));
            }
        }
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        lock(&self.shards[at])
    }
}

impl Shard {
    fn find(&mut self, key: &[u8], version: Version) -> Option<Option<Value>> {
        if let Some(entry) = self.young.get(key) {
            return (entry.since <= version).then(|| entry.value.clone());
        }
        let (key, entry) = self.old.remove_entry(key)?;
        let found = (entry.since <= version).then(|| entry.value.clone());
        self.put(key, entry);
        found
    }

    fn put(&mut self, key: Key, entry: Entry) {
        let bytes = ENTRY_OVERHEAD + key.len() + entry.value.as_ref().map_or(0, Vec::len);
        if self.young_bytes + bytes > GENERATION_BYTES {
            self.old = mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(key, entry);
    }

    /// Its bytes stay counted: the generation ends a little earlier.
    fn remove(&mut self, key: &[u8]) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What may happen, in any order: readers of an old version are as slow as they like.
    #[derive(Clone, Debug)]
    enum Step {
        Write {
            key: u8,
            value: Option<u8>,
        },
        Clear {
            begin: u8,
            end: u8,
        },
        Look {
            key: u8,
            version: prop::sample::Index,
        },
        Find {
            key: u8,
            version: prop::sample::Index,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        let (key, version) = (0..4_u8, any::<prop::sample::Index>());
        prop_oneof![
            (key.clone(), any::<Option<u8>>()).prop_map(|(key, value)| Step::Write { key, value }),
            (key.clone(), key.clone()).prop_map(|(begin, end)| Step::Clear { begin, end }),
            (key.clone(), version.clone()).prop_map(|(key, version)| Step::Look { key, version }),
            (key, version).prop_map(|(key, version)| Step::Find { key, version }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_known_is_what_stands_in_that_version(steps in prop::collection::vec(step(), 1..200)) {
            let cache = Cache::new(Version(0));
            let mut versions = vec![[None::<u8>; 4]];
            for step in steps {
                let mut next = versions.last().copied().unwrap_or_default();
                let mut written = Written::default();
                match step {
                    Step::Look { key, version } => {
                        let at = version.index(versions.len());
                        let stands = versions[at][usize::from(key)].map(|value| vec![value]);
                        let known = cache.get(&[key], Version(at as u64));
                        prop_assert!(known.is_none_or(|known| known == stands));
                        continue;
                    }
                    Step::Find { key, version } => {
                        let at = version.index(versions.len());
                        let stands = versions[at][usize::from(key)].map(|value| vec![value]);
                        cache.put(&[key], stands.as_deref(), Version(at as u64));
                        continue;
                    }
                    Step::Write { key, value } => {
                        next[usize::from(key)] = value;
                        written.keys.push(vec![key]);
                    }
                    Step::Clear { begin, end } => {
                        (begin..end).for_each(|key| next[usize::from(key)] = None);
                        written.ranges.push(KeyRange { begin: vec![begin], end: vec![end] });
                    }
                }
                versions.push(next);
                cache.advance(Version(versions.len() as u64 - 1), [&written]);
            }
        }
    }

    #[test]
    fn what_was_read_is_known_until_it_is_written() {
        let cache = Cache::new(Version(1));
        cache.put(b"a", Some(b"1"), Version(1));
        cache.put(b"b", None, Version(1));
        let other = Written {
            keys: vec![b"b".to_vec()],
            ranges: Vec::new(),
        };
        cache.advance(Version(2), [&other]);
        assert_eq!(cache.get(b"a", Version(2)), Some(Some(b"1".to_vec())));
        assert_eq!(cache.get(b"b", Version(2)), None);
    }

    #[test]
    fn it_takes_no_more_than_its_share_and_keeps_what_is_asked_for() {
        let cache = Cache::new(Version(1));
        let value = vec![0; 1_000];
        cache.put(b"asked for", Some(b""), Version(1));
        for number in 0..100_000_u32 {
            cache.put(&number.to_be_bytes(), Some(&value), Version(1));
            assert!(cache.get(b"asked for", Version(1)).is_some());
        }
        let mut bytes = 0;
        for shard in &cache.shards {
            let shard = lock(shard);
            let values = shard.young.values().chain(shard.old.values());
            bytes += values
                .filter_map(|entry| entry.value.as_ref())
                .map(Vec::len)
                .sum::<usize>();
        }
        let most = 2 * GENERATION_BYTES * SHARDS;
        assert!((most / 4..most).contains(&bytes), "{bytes}");
        cache.put(b"large", Some(&vec![0; LARGEST + 1]), Version(1));
        assert_eq!(cache.get(b"large", Version(1)), None);
    }
}
