//! Typed reads and writes inside one transaction.

mod announce;

use coditect_core::{Error, Version};
use foundationdb_tuple::unpack;
use uuid::Uuid;

use crate::{
    record::{IdentityKey, Record, decode, encode},
    store::{Isolation, Key, KeyRange, Page, StoreError, Transaction, Value, limits},
};

/// Why an operation did not commit: the store would not, or a rule says no.
#[derive(Debug)]
pub enum Abort {
    /// The store; perhaps to be run again.
    Store(StoreError),
    /// A rule of the product; final.
    Refused(Error),
}

impl From<StoreError> for Abort {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Abort {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Abort> for Error {
    fn from(abort: Abort) -> Self {
        match abort {
            Abort::Store(error) => error.into(),
            Abort::Refused(error) => error,
        }
    }
}

/// One transaction with typed records. Everything read through it is of one version.
pub struct Tx {
    inner: Box<dyn Transaction>,
    isolation: Isolation,
    identity_key: Option<IdentityKey>,
}

impl Tx {
    pub(crate) fn new(inner: Box<dyn Transaction>, isolation: Isolation) -> Self {
        Self {
            inner,
            isolation,
            identity_key: None,
        }
    }

    pub(crate) fn with_identity_key(self, identity_key: Option<IdentityKey>) -> Self {
        Self {
            identity_key,
            ..self
        }
    }

    /// The key under which erased identities are hashed, if the registry was given one.
    pub(crate) const fn identity_key(&self) -> Option<&IdentityKey> {
        self.identity_key.as_ref()
    }

    pub(crate) async fn commit(&mut self) -> Result<Version, StoreError> {
        self.inner.commit().await
    }

    pub(crate) async fn reset(&mut self, after: StoreError) -> Result<(), StoreError> {
        self.inner.reset(after).await
    }

    /// The version that every read sees.
    ///
    /// # Errors
    /// As [`Transaction::read_version`].
    pub async fn version(&mut self) -> Result<Version, StoreError> {
        self.inner.read_version().await
    }

    /// The record at `key`.
    ///
    /// # Errors
    /// As [`Transaction::get`]; `Corrupt` if the value is no such record.
    pub async fn get<T: Record>(&mut self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.inner
            .get(key, self.isolation)
            .await?
            .map(|bytes| decode(&bytes))
            .transpose()
    }

    /// The record at `key`, or a refusal that says what is missing.
    ///
    /// # Errors
    /// As [`Tx::get`]; `NotFound` with the sentence given.
    pub async fn require<T: Record>(&mut self, key: &[u8], missing: &str) -> Result<T, Abort> {
        self.get(key)
            .await?
            .ok_or_else(|| Error::not_found(missing).into())
    }

    /// A number kept by [`Tx::add`], read without a conflict.
    ///
    /// # Errors
    /// As [`Transaction::get`]; `Corrupt` if the value is no number.
    pub async fn number(&mut self, key: &[u8]) -> Result<i64, StoreError> {
        self.number_at(key, Isolation::Snapshot).await
    }

    /// A number kept by [`Tx::add`], which must still be the same at commit: for limits that hold.
    ///
    /// # Errors
    /// As [`Tx::number`].
    pub async fn exact_number(&mut self, key: &[u8]) -> Result<i64, StoreError> {
        self.number_at(key, self.isolation).await
    }

    async fn number_at(&mut self, key: &[u8], isolation: Isolation) -> Result<i64, StoreError> {
        match self.inner.get(key, isolation).await? {
            None => Ok(0),
            Some(bytes) => number_of(&bytes),
        }
    }

    /// At most `limit` records of `range` and whether there are more behind them. Pages of the store may be
    /// short; this reads on until it has what was asked for.
    ///
    /// # Errors
    /// As [`Transaction::range`]; `Corrupt` if a value is no such record.
    pub async fn scan<T: Record>(
        &mut self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<(Vec<(Vec<u8>, T)>, bool), StoreError> {
        let (found, more) = self.scan_raw(range, limit).await?;
        let found = found
            .into_iter()
            .map(|(key, value)| Ok((key, decode(&value)?)))
            .collect::<Result<_, StoreError>>()?;
        Ok((found, more))
    }

    /// As [`Tx::scan`], for a range whose records are of several kinds.
    ///
    /// # Errors
    /// As [`Transaction::range`].
    pub(crate) async fn scan_raw(
        &mut self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<(Vec<(Key, Value)>, bool), StoreError> {
        let mut found = Vec::new();
        let mut rest = range.clone();
        loop {
            let wanted = (limit - found.len()).min(limits::PAGE_ENTRIES);
            let page = self
                .inner
                .range(&rest, wanted, false, self.isolation)
                .await?;
            if let Some((last, _)) = page.entries.last() {
                rest = rest.after(last);
            }
            found.extend(page.entries);
            if !page.more || found.len() >= limit {
                return Ok((found, page.more));
            }
        }
    }

    /// Every record of `range`.
    ///
    /// # Errors
    /// As [`Tx::scan`].
    pub async fn scan_all<T: Record>(
        &mut self,
        range: &KeyRange,
    ) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        Ok(self.scan(range, usize::MAX).await?.0)
    }

    /// At most `limit` records from the end of `range`, newest first in a feed.
    ///
    /// # Errors
    /// As [`Tx::scan`].
    pub async fn scan_back<T: Record>(
        &mut self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        let page = self
            .inner
            .range(range, limit.min(limits::PAGE_ENTRIES), true, self.isolation)
            .await?;
        page.entries
            .into_iter()
            .map(|(key, value)| Ok((key, decode(&value)?)))
            .collect()
    }

    /// Writes a record.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn put<T: Record>(&mut self, key: &[u8], record: &T) -> Result<(), StoreError> {
        self.inner.set(key, &encode(record)?);
        Ok(())
    }

    /// The bytes at `key`, whatever they are.
    pub(crate) async fn get_bytes(&mut self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.inner.get(key, self.isolation).await
    }

    /// A page of bytes, whatever they are.
    pub(crate) async fn page_bytes(
        &mut self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = limit.min(limits::PAGE_ENTRIES);
        self.inner.range(range, limit, false, self.isolation).await
    }

    /// Writes bytes that were a record before.
    pub(crate) fn put_bytes(&mut self, key: &[u8], value: &[u8]) {
        self.inner.set(key, value);
    }

    /// Appends bytes that were a record before.
    pub(crate) fn append_bytes(&mut self, feed: &[u8], value: &[u8]) {
        self.inner.append(feed, value);
    }

    /// Removes a record.
    pub fn clear(&mut self, key: &[u8]) {
        self.inner.clear(key);
    }

    /// Removes a range of records.
    pub fn clear_range(&mut self, range: &KeyRange) {
        self.inner.clear_range(range);
    }

    /// Adds to a counter without a conflict.
    pub fn add(&mut self, key: &[u8], delta: i64) {
        self.inner.add(key, delta);
    }

    /// Appends a record to a feed.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn append<T: Record>(&mut self, feed: &[u8], record: &T) -> Result<(), StoreError> {
        self.inner.append(feed, &encode(record)?);
        Ok(())
    }
}

/// The last UUID of a tuple-encoded key: which object a range read found.
///
/// # Errors
/// `Corrupt` if the key does not end in one.
pub fn trailing_uuid(key: &[u8]) -> Result<Uuid, StoreError> {
    // A UUID is the code 0x30 and 16 bytes, at the key's very end.
    let at = key
        .len()
        .checked_sub(17)
        .ok_or_else(|| StoreError::Corrupt("a key that is too short".into()))?;
    let (id,): (Uuid,) = unpack(&key[at..])
        .map_err(|error| StoreError::Corrupt(format!("a key without an id: {error}")))?;
    Ok(id)
}

/// A number kept by [`Tx::add`].
pub(crate) fn number_of(bytes: &[u8]) -> Result<i64, StoreError> {
    let bytes = bytes
        .try_into()
        .map_err(|_| StoreError::Corrupt("a counter that is not eight bytes".into()))?;
    Ok(i64::from_le_bytes(bytes))
}

pub(crate) fn no_such_user() -> Error {
    Error::not_found("there is no user of that id")
}

pub(crate) fn no_such_account() -> Error {
    Error::not_found("there is no account of that id")
}

pub(crate) fn no_such_workspace() -> Error {
    Error::not_found("there is no workspace of that id")
}
