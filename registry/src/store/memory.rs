//! A store in memory: the model that the others are compared with, and the store of tests that need no
//! disk.
//!
//! It shares the transactions with the other engines and nothing else: it keeps every version of every
//! key and finds conflicts by looking at them.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use async_trait::async_trait;
use coditect_core::Version;

use super::{
    Key, KeyRange, Page, Store, StoreError, Value,
    conflicts::Written,
    limits,
    optimistic::{self, CommitRequest, Engine, Mutation, Snapshot, add, stamped_in_batch},
    watches::Watches,
};

/// The history of one key: what it was set to at which version, oldest first.
type History = Vec<(Version, Option<Value>)>;

/// Every version of every key.
#[derive(Default)]
pub(super) struct Versions {
    newest: Version,
    /// Which of the transactions of the newest version was the last, from 0.
    batch: u16,
    keys: BTreeMap<Key, History>,
    /// Ranges that were cleared, whether they held anything or not: who saw that they did not has read.
    cleared: Vec<(Version, KeyRange)>,
}

/// A store in memory. Nothing survives it.
#[derive(Default)]
pub struct MemoryStore {
    engine: Arc<MemoryEngine>,
}

#[derive(Default)]
struct MemoryEngine {
    versions: Arc<RwLock<Versions>>,
    watches: Watches,
}

/// What the store held at one version.
pub(super) struct MemorySnapshot {
    pub(super) versions: Arc<RwLock<Versions>>,
    pub(super) version: Version,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The engine below, to be served to others.
    #[must_use]
    pub fn engine(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.engine) as Arc<dyn Engine>
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn begin(&self) -> Result<Box<dyn super::Transaction>, StoreError> {
        Ok(Box::new(
            optimistic::Transaction::begin(self.engine()).await?,
        ))
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.engine.changed(key, seen).await
    }

    fn description(&self) -> String {
        format!("in memory, {} keys", read(&self.engine.versions).keys.len())
    }
}

pub(super) fn read(versions: &RwLock<Versions>) -> RwLockReadGuard<'_, Versions> {
    versions.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write(versions: &RwLock<Versions>) -> RwLockWriteGuard<'_, Versions> {
    versions.write().unwrap_or_else(PoisonError::into_inner)
}

fn at(history: &History, version: Version) -> Option<&Value> {
    history
        .iter()
        .rev()
        .find(|(set_at, _)| *set_at <= version)
        .and_then(|(_, value)| value.as_ref())
}

impl Versions {
    /// The version of the last commit.
    pub(super) fn newest(&self) -> Version {
        self.newest
    }

    /// Commits at `version`: a newer one than before, or once more the newest, which then holds a batch of
    /// transactions. Says what was written.
    ///
    /// # Errors
    /// `Conflict` if something that the transaction read has changed since.
    pub(super) fn commit(
        &mut self,
        request: CommitRequest,
        version: Version,
    ) -> Result<Written, StoreError> {
        if request
            .reads
            .iter()
            .any(|read| self.changed(read, request.read_version))
        {
            return Err(StoreError::Conflict);
        }
        self.batch = if version == self.newest {
            self.batch.wrapping_add(1)
        } else {
            0
        };
        self.newest = version;
        let (mut place, mut written) = (0, Written::default());
        for mutation in request.mutations {
            self.apply(mutation, &mut place, &mut written);
        }
        Ok(written)
    }

    fn write(&mut self, key: &[u8], value: Option<Value>) {
        let newest = self.newest;
        let history = self.keys.entry(key.to_vec()).or_default();
        if history
            .last()
            .is_some_and(|(version, _)| *version == newest)
        {
            history.pop();
        }
        history.push((newest, value));
    }

    /// True if something in the range was written after the version.
    fn changed(&self, read: &KeyRange, version: Version) -> bool {
        if read.begin >= read.end {
            return false;
        }
        let mut newest = self
            .keys
            .range::<Key, _>(&read.begin..&read.end)
            .filter_map(|(_, history)| history.last());
        let mut cleared = self
            .cleared
            .iter()
            .rev()
            .take_while(|(at, _)| *at > version);
        newest.any(|(at, _)| *at > version)
            || cleared.any(|(_, range)| range.begin < read.end && read.begin < range.end)
    }

    /// Applies one write at the newest version and says what it touched.
    fn apply(&mut self, mutation: Mutation, place: &mut u16, written: &mut Written) {
        match mutation {
            Mutation::Set(key, value) => {
                self.write(&key, Some(value));
                written.keys.push(key);
            }
            Mutation::Clear(key) => {
                self.write(&key, None);
                written.keys.push(key);
            }
            Mutation::ClearRange(range) => {
                if range.begin >= range.end {
                    return;
                }
                let keys: Vec<Key> = self
                    .keys
                    .range::<Key, _>(&range.begin..&range.end)
                    .map(|(key, _)| key.clone())
                    .collect();
                for key in keys {
                    self.write(&key, None);
                }
                self.cleared.push((self.newest, range.clone()));
                written.ranges.push(range);
            }
            Mutation::Add(key, delta) => {
                let sum = add(
                    self.keys
                        .get(&key)
                        .and_then(|history| at(history, self.newest))
                        .map(Vec::as_slice),
                    delta,
                );
                self.write(&key, Some(sum));
                written.keys.push(key);
            }
            Mutation::Append(prefix, value) => {
                let key = stamped_in_batch(&prefix, self.newest, self.batch, *place);
                *place = place.wrapping_add(1);
                self.write(&key, Some(value));
                written.keys.push(key);
            }
        }
    }
}

#[async_trait]
impl Engine for MemoryEngine {
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let version = read(&self.versions).newest;
        Ok(Arc::new(MemorySnapshot {
            versions: Arc::clone(&self.versions),
            version,
        }))
    }

    async fn commit(&self, request: CommitRequest) -> Result<Version, StoreError> {
        let (version, written) = {
            let mut versions = write(&self.versions);
            let version = Version(versions.newest.0 + 1);
            (version, versions.commit(request, version)?)
        };
        self.watches.wake(&written);
        Ok(version)
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        let read = || async { self.snapshot().await?.get(key).await };
        self.watches.changed(key, seen, read).await
    }
}

#[async_trait]
impl Snapshot for MemorySnapshot {
    fn version(&self) -> Version {
        self.version
    }

    async fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        Ok(read(&self.versions)
            .keys
            .get(key)
            .and_then(|history| at(history, self.version))
            .cloned())
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
    ) -> Result<Page, StoreError> {
        let mut page = Page::default();
        if range.begin >= range.end {
            return Ok(page);
        }
        let versions = read(&self.versions);
        let keys = versions.keys.range::<Key, _>(&range.begin..&range.end);
        let keys: Box<dyn Iterator<Item = (&Key, &History)>> = if reverse {
            Box::new(keys.rev())
        } else {
            Box::new(keys)
        };
        let mut bytes = 0;
        for (key, value) in
            keys.filter_map(|(key, history)| Some((key, at(history, self.version)?)))
        {
            if page.entries.len() == limit || bytes >= limits::PAGE_BYTES {
                page.more = true;
                break;
            }
            bytes += key.len() + value.len();
            page.entries.push((key.clone(), value.clone()));
        }
        Ok(page)
    }
}
