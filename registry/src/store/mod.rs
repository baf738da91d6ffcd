//! The ordered-key store below the registry: a contract small enough for several back ends, and honest
//! about what FoundationDB does.
//!
//! What every back end promises:
//! - **Serialisable, optimistic.** A transaction reads at one version. It commits only if nothing that it
//!   read with [`Isolation::Serializable`] has changed since; otherwise [`StoreError::Conflict`].
//! - **Its own writes are seen** by later reads of the same transaction, except versionstamped appends,
//!   whose keys do not exist before the commit.
//! - **Durable at acknowledgement.** When `commit` returns, a power cut does not undo it; nobody sees a
//!   version before it is durable.
//! - **Ordered.** A transaction that began after another was acknowledged has a higher version.
//! - **Retryable.** Work may run several times; [`StoreError::UnknownResult`] means that it may or may not
//!   have happened, which only the caller's request id can tell.
//! - **Bounded.** The limits in [`limits`] hold for every back end, so that what works on one machine works
//!   on a cluster.

mod conflicts;
pub mod embedded;
mod encoding;
pub mod faulty;
pub mod fdb;
pub mod limits;
pub mod memory;
pub mod optimistic;
pub mod remote;
pub mod simulated;
mod watches;

use std::fmt;

use async_trait::async_trait;
use coditect_core::{Version, error};

/// Raw bytes of a key, ordered bytewise.
pub type Key = Vec<u8>;
/// Raw bytes of a value.
pub type Value = Vec<u8>;

/// A half-open range of keys, `begin <= key < end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// First key of the range.
    pub begin: Key,
    /// First key after the range.
    pub end: Key,
}

impl KeyRange {
    /// Every key that begins with `prefix` and is longer than it.
    #[must_use]
    pub fn below(prefix: &[u8]) -> Self {
        // Tuple codes never begin with 0xff, so prefix + 0xff is behind every key below the prefix.
        let mut end = prefix.to_vec();
        end.push(0xff);
        let mut begin = prefix.to_vec();
        begin.push(0x00);
        Self { begin, end }
    }

    /// What of this range lies behind `key`, for the next page.
    #[must_use]
    pub fn after(&self, key: &[u8]) -> Self {
        let mut begin = key.to_vec();
        begin.push(0x00);
        Self {
            begin,
            end: self.end.clone(),
        }
    }

    /// True if the key lies in the range.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.begin.as_slice() <= key && key < self.end.as_slice()
    }
}

/// One page of a range read, in key order (or the reverse, if asked).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys and values.
    pub entries: Vec<(Key, Value)>,
    /// False if the range holds nothing behind the last entry. True if it may; then there is a last entry.
    pub more: bool,
}

/// Whether a read takes part in conflict detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// What was read must be unchanged at commit.
    Serializable,
    /// Read at the same version, without a conflict if it changes.
    Snapshot,
}

/// Why a store operation did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Something this transaction read was changed by another. Run it again.
    #[error("another transaction changed what this one read")]
    Conflict,
    /// The commit may or may not have happened. Run it again under the same request id.
    #[error("the commit's result is unknown")]
    UnknownResult,
    /// The transaction has been open longer than [`limits::TRANSACTION_AGE`]. Run it again, shorter.
    #[error("the transaction is older than {} s", limits::TRANSACTION_AGE.as_secs())]
    TooOld,
    /// A limit of [`limits`] is exceeded; running it again does not help.
    #[error("{0}")]
    TooLarge(String),
    /// The store does not answer now (disk full, cluster out of reach). Retried by whoever can wait.
    #[error("the registry's store does not answer: {0}")]
    Unavailable(String),
    /// Another process has the store open, or it is not ours to open.
    #[error("{0}")]
    NotOpened(String),
    /// The store holds what it should not.
    #[error("the registry's store is damaged: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// True if running the same work again may succeed at once.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict | Self::UnknownResult | Self::TooOld)
    }
}

impl From<StoreError> for error::Error {
    fn from(store: StoreError) -> Self {
        match &store {
            StoreError::Conflict | StoreError::UnknownResult | StoreError::TooOld => {
                Self::unavailable("the registry is too busy; nothing was changed twice, try again")
            }
            StoreError::Unavailable(_) => {
                Self::unavailable("the registry does not answer now; try again in a moment")
            }
            StoreError::NotOpened(why) => Self::unavailable(why.clone()),
            StoreError::TooLarge(why) => Self::internal(why.clone()),
            StoreError::Corrupt(_) => Self::internal("the registry's store is damaged"),
        }
        .because(store)
    }
}

/// A store: where transactions begin and changes are awaited.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Begins a transaction at the newest version.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError>;

    /// Waits until the value of `key` is not `seen` (`None`: the key is absent). May also return without a
    /// change, never miss one; whoever waits also keeps a timer.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError>;

    /// What the store is and how it fares ("embedded, 12 MB"), for health pages.
    fn description(&self) -> String;

    /// What a cluster below says of itself, within a few seconds; `None` where there is none. For health pages.
    async fn message(&self) -> Option<String> {
        None
    }
}

/// One transaction. Dropped without `commit`, it changes nothing.
#[async_trait]
pub trait Transaction: Send + Sync {
    /// The version all reads see.
    ///
    /// # Errors
    /// As every read.
    async fn read_version(&mut self) -> Result<Version, StoreError>;

    /// The value of `key`, with this transaction's own writes.
    ///
    /// # Errors
    /// `TooOld`, `Unavailable`, `Corrupt`.
    async fn get(&mut self, key: &[u8], isolation: Isolation) -> Result<Option<Value>, StoreError>;

    /// At most `limit` entries of `range` (at least 1, at most [`limits::PAGE_ENTRIES`]) from its start (its
    /// end, if `reverse`), with this transaction's own writes. A page may be shorter than `limit` and still
    /// say `more`. Only what lies up to the last entry counts as read, unless the page says that it is all.
    ///
    /// # Errors
    /// `TooOld`, `Unavailable`, `Corrupt`.
    async fn range(
        &mut self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
        isolation: Isolation,
    ) -> Result<Page, StoreError>;

    /// Sets `key` to `value`.
    fn set(&mut self, key: &[u8], value: &[u8]);

    /// Removes `key`.
    fn clear(&mut self, key: &[u8]);

    /// Removes every key of `range`.
    fn clear_range(&mut self, range: &KeyRange);

    /// Adds `delta` to the little-endian 64-bit number at `key` (absent: 0), wrapping, without a conflict.
    fn add(&mut self, key: &[u8], delta: i64);

    /// Sets `prefix ++ versionstamp` to `value`, where the versionstamp is the tuple encoding (0x33 and 12
    /// bytes) of the commit's version, its place among the version's transactions, and the place of this
    /// append among this transaction's. Later commits thus sort behind earlier ones.
    fn append(&mut self, prefix: &[u8], value: &[u8]);

    /// Commits and gives the version at which the writes are seen (the read version if there are none).
    /// Afterwards only [`Transaction::reset`] may be called.
    ///
    /// # Errors
    /// Any of [`StoreError`].
    async fn commit(&mut self) -> Result<Version, StoreError>;

    /// Prepares for another attempt after a retryable error, waiting as long as the back end sees fit.
    ///
    /// # Errors
    /// The error given, if another attempt is pointless.
    async fn reset(&mut self, after: StoreError) -> Result<(), StoreError>;
}

impl fmt::Debug for dyn Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description())
    }
}
