//! One durable version, readable by many at once.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use coditect_core::Version;
use redb::{
    AccessGuard, Database, ReadOnlyTable, ReadableDatabase, ReadableTableMetadata, StorageError,
};

use super::{
    super::{KeyRange, Page, StoreError, Value, limits, optimistic::Snapshot},
    cache::Cache,
    format::DATA,
};

type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A version that is on disk. While it can be read, its pages cannot be used again; so it is let go once
/// no transaction may read it any more, whoever may still hold it.
pub(super) struct EmbeddedSnapshot {
    version: Version,
    table: RwLock<Option<Arc<Table>>>,
    cache: Arc<Cache>,
    /// Set if the file cannot be read, for the committer to open it anew.
    suspect: Arc<AtomicBool>,
}

impl EmbeddedSnapshot {
    /// What the database holds now, which is `version`.
    pub(super) fn take(
        database: &Database,
        version: Version,
        cache: Arc<Cache>,
        suspect: Arc<AtomicBool>,
    ) -> Result<Self, redb::Error> {
        let table = database.begin_read()?.open_table(DATA)?;
        Ok(Self {
            version,
            table: RwLock::new(Some(Arc::new(table))),
            cache,
            suspect,
        })
    }

    /// Lets the version go: whoever reads it from now on is told that it is too old.
    pub(super) fn let_go(&self) {
        self.table
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    fn table(&self) -> Result<Arc<Table>, StoreError> {
        self.table
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(StoreError::TooOld)
    }

    /// How many keys there are, the bytes of keys and values, and those of the pages around them. Reads all of
    /// the tree.
    pub(super) fn usage(&self) -> Result<(u64, u64, u64), StoreError> {
        let table = self.table()?;
        let count = table.len().map_err(|error| self.explain(error))?;
        let stats = table.stats().map_err(|error| self.explain(error))?;
        Ok((
            count,
            stats.stored_bytes(),
            stats.metadata_bytes() + stats.fragmented_bytes(),
        ))
    }

    fn explain(&self, error: StorageError) -> StoreError {
        match error {
            // The file was closed to be opened anew: a new transaction will see it.
            StorageError::DatabaseClosed => StoreError::TooOld,
            StorageError::Corrupted(why) => StoreError::Corrupt(why),
            error => {
                self.suspect.store(true, Ordering::Release);
                StoreError::Unavailable(error.to_string())
            }
        }
    }

    fn read_range(
        &self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
    ) -> Result<Page, StorageError> {
        let mut page = Page::default();
        let Ok(table) = self.table() else {
            return Err(StorageError::DatabaseClosed);
        };
        let mut entries = table.range::<&[u8]>(range.begin.as_slice()..range.end.as_slice())?;
        let mut bytes = 0;
        while let Some(entry) = if reverse {
            entries.next_back()
        } else {
            entries.next()
        } {
            if page.entries.len() == limit || bytes >= limits::PAGE_BYTES {
                page.more = true;
                break;
            }
            let (key, value) = entry?;
            bytes += key.value().len() + value.value().len();
            page.entries
                .push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(page)
    }
}

// The reads below block their thread for as long as reading a few pages takes. They are nearly always in
// memory; handing each read to another thread costs more than it saves.
#[async_trait]
impl Snapshot for EmbeddedSnapshot {
    fn version(&self) -> Version {
        self.version
    }

    async fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let table = self.table()?;
        if let Some(known) = self.cache.get(key, self.version) {
            return Ok(known);
        }
        let found = table.get(key).map_err(|error| self.explain(error))?;
        let value = found.as_ref().map(AccessGuard::value);
        self.cache.put(key, value, self.version);
        Ok(value.map(<[u8]>::to_vec))
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
    ) -> Result<Page, StoreError> {
        if range.begin >= range.end {
            return Ok(Page::default());
        }
        self.read_range(range, limit, reverse)
            .map_err(|error| self.explain(error))
    }
}
