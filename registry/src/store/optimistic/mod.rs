//! Transactions for stores of our own: the client side of optimistic concurrency control.
//!
//! A [`Transaction`] reads from one [`Snapshot`], keeps its writes in memory, remembers what it read, and
//! hands both to its [`Engine`] at commit. The engine decides; whether it lives in this process or behind
//! a socket makes no difference here.

mod overlay;
mod transaction;

use std::sync::Arc;

use async_trait::async_trait;
use coditect_core::Version;

pub use transaction::Transaction;

use super::{Key, KeyRange, Page, StoreError, Value};

/// Where snapshots come from and commits go to.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// The newest version that is durable.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError>;

    /// Applies the mutations if nothing of `reads` changed after the read version, and returns when they
    /// are durable.
    ///
    /// # Errors
    /// `Conflict`; `TooOld` if the engine no longer knows what changed since; `Unavailable` if it did not
    /// happen, `UnknownResult` if nobody can tell.
    async fn commit(&self, request: CommitRequest) -> Result<Version, StoreError>;

    /// As [`super::Store::changed`].
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError>;
}

/// The store as it was at one version.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// The version.
    fn version(&self) -> Version;

    /// The value of `key`.
    ///
    /// # Errors
    /// `TooOld` if the snapshot has been let go, `Unavailable`, `Corrupt`.
    async fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError>;

    /// At most `limit` entries of `range`, fewer if they are large, but at least one if `more` is true.
    ///
    /// # Errors
    /// As [`Snapshot::get`].
    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
    ) -> Result<Page, StoreError>;
}

/// What a transaction asks for at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRequest {
    /// The version that all reads saw.
    pub read_version: Version,
    /// What must not have changed since, sorted and disjoint.
    pub reads: Vec<KeyRange>,
    /// What to write, in this order.
    pub mutations: Vec<Mutation>,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Sets a key.
    Set(Key, Value),
    /// Removes a key.
    Clear(Key),
    /// Removes every key of a range.
    ClearRange(KeyRange),
    /// Adds to the little-endian number at a key.
    Add(Key, i64),
    /// Sets prefix ++ versionstamp.
    Append(Key, Value),
}

impl Mutation {
    /// How many bytes of keys and values it holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Set(key, value) | Self::Append(key, value) => key.len() + value.len(),
            Self::Clear(key) => key.len(),
            Self::ClearRange(range) => range.begin.len() + range.end.len(),
            Self::Add(key, _) => key.len() + size_of::<i64>(),
        }
    }
}

/// The number at a key after adding `delta`, as FoundationDB's `ADD` computes it: missing bytes count as
/// zero, bytes behind the eighth are dropped, overflow wraps.
#[must_use]
pub fn add(existing: Option<&[u8]>, delta: i64) -> Value {
    let mut number = [0_u8; 8];
    for (byte, stored) in number.iter_mut().zip(existing.unwrap_or_default()) {
        *byte = *stored;
    }
    i64::from_le_bytes(number)
        .wrapping_add(delta)
        .to_le_bytes()
        .to_vec()
}

/// The key of an append: `prefix` and the tuple encoding of a versionstamp, which is the type code 0x33,
/// ten bytes that the store gives the transaction and two for the place within it
/// (<https://github.com/apple/foundationdb/blob/main/design/tuple.md>).
#[must_use]
pub fn stamped(prefix: &[u8], version: Version, place: u16) -> Key {
    // Engines of our own give every transaction a version of its own: its place among them is 0.
    stamped_in_batch(prefix, version, 0, place)
}

/// As [`stamped`], of the transaction at place `batch` among those of one version.
pub(super) fn stamped_in_batch(prefix: &[u8], version: Version, batch: u16, place: u16) -> Key {
    let mut key = Vec::with_capacity(prefix.len() + 13);
    key.extend_from_slice(prefix);
    key.push(0x33);
    key.extend_from_slice(&version.0.to_be_bytes());
    key.extend_from_slice(&batch.to_be_bytes());
    key.extend_from_slice(&place.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_as_foundationdb_does() {
        assert_eq!(add(None, -1), (-1_i64).to_le_bytes());
        assert_eq!(add(Some(&[255, 1]), 1), 512_i64.to_le_bytes());
        assert_eq!(
            add(Some(&i64::MAX.to_le_bytes()), 1),
            i64::MIN.to_le_bytes()
        );
        assert_eq!(
            add(Some(&[1, 0, 0, 0, 0, 0, 0, 0, 9]), 1),
            2_i64.to_le_bytes()
        );
    }
}
