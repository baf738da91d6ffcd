//! One attempt of a transaction: a transaction of the client library, from its read version to its commit.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use coditect_core::Version;
use foundationdb::{
    FdbError, FdbResult, RangeOption, Transaction, TransactionCommitError,
    options::{ConflictRangeType, MutationType, StreamingMode, TransactionOption},
};

use super::{
    super::{
        Key, KeyRange, Page, StoreError, Value, limits,
        optimistic::{CommitRequest, Engine, Mutation, Snapshot},
    },
    code::{self, During},
    store::{Client, meaning},
    subspace,
};

/// How often a read is asked again of a storage server that has not reached the transaction's version. Each time the
/// server itself has waited for about a second before it said so. It helps those who only read: the client lets no
/// transaction commit in which a read has failed.
const LAG_TRIES: u32 = 3;
/// How long between.
const LAG_PAUSE: Duration = Duration::from_millis(20);

/// One attempt. Clones share it.
#[derive(Clone)]
pub(super) struct Attempt {
    client: Arc<Client>,
    held: Arc<Mutex<Held>>,
}

/// The client's transaction, and what has become of it. It is in one place at a time, so nothing is asked of it while it
/// commits, and nothing commits twice.
enum Held {
    /// It can be read from and committed; the code of the last read that failed.
    Open(Transaction, Option<i32>),
    /// Its commit has failed.
    Failed(TransactionCommitError),
    /// It is committing, or committed, or whoever waited for its commit waits no more.
    Gone,
}

impl Attempt {
    /// Of a transaction that nothing has been asked of since it was made or reset.
    pub(super) fn of(client: Arc<Client>, transaction: Transaction) -> Result<Self, StoreError> {
        // Our own writes are laid over what is read above; here they are only known at the commit. Options but time-outs
        // and retry limits do not outlast a reset.
        transaction
            .set_option(TransactionOption::ReadYourWritesDisable)
            .map_err(|error| meaning(error, During::Read))?;
        Ok(Self {
            client,
            held: Arc::new(Mutex::new(Held::Open(transaction, None))),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Held {
        std::mem::replace(&mut self.lock(), Held::Gone)
    }

    /// Asks something of the open transaction. The client's futures stand on their own, so nothing is locked while they
    /// are awaited.
    fn ask<F>(&self, question: impl FnOnce(&Transaction) -> F) -> Result<F, StoreError> {
        match &*self.lock() {
            Held::Open(transaction, _) => Ok(question(transaction)),
            Held::Failed(_) | Held::Gone => Err(StoreError::TooOld),
        }
    }

    /// As [`Attempt::ask`], with the answer.
    async fn read<F, T>(&self, question: impl Fn(&Transaction) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = FdbResult<T>>,
    {
        let mut tries = 0;
        loop {
            match self.ask(&question)?.await {
                Ok(answer) => return Ok(answer),
                Err(error) if code::is_lag(error.code()) && tries < LAG_TRIES => {
                    tries += 1;
                    tokio::time::sleep(LAG_PAUSE).await;
                }
                Err(error) => {
                    if let Held::Open(_, last) = &mut *self.lock() {
                        *last = Some(error.code());
                    }
                    return Err(meaning(error, During::Read));
                }
            }
        }
    }

    /// The transaction once more, reset, after the wait that the client finds right for what happened; `after` is told
    /// where nothing has been noted.
    ///
    /// # Errors
    /// `after`, if the client says that another attempt is pointless, or that there were enough.
    pub(super) async fn again(&self, after: StoreError) -> Result<Transaction, StoreError> {
        let waited = match self.take() {
            Held::Failed(commit) => commit.on_error().await,
            Held::Open(transaction, last) => {
                let code = last.unwrap_or_else(|| code::of(&after));
                transaction.on_error(FdbError::from_code(code)).await
            }
            Held::Gone => return self.client.transaction(),
        };
        waited.map_err(|error| {
            tracing::debug!(code = error.code(), %after, "no further attempt");
            after
        })
    }
}

#[async_trait]
impl Engine for Attempt {
    /// The version that a new transaction reads at. While the cluster asks to come again later, this does, until the
    /// transaction's time is over.
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        loop {
            let error = match self.ask(Transaction::get_read_version)?.await {
                Ok(version) => {
                    return Ok(Arc::new(FdbSnapshot {
                        attempt: self.clone(),
                        version: version_of(version)?,
                    }));
                }
                Err(error) => error,
            };
            let Held::Open(transaction, _) = self.take() else {
                return Err(StoreError::TooOld);
            };
            let transaction = transaction
                .on_error(error)
                .await
                .map_err(|last| late(error, last))?;
            *self.lock() = Self::of(Arc::clone(&self.client), transaction)?.take();
        }
    }

    async fn commit(&self, request: CommitRequest) -> Result<Version, StoreError> {
        let Held::Open(transaction, _) = self.take() else {
            return Err(StoreError::TooOld);
        };
        self.write(&transaction, &request)
            .map_err(|error| meaning(error, During::Commit))?;
        match transaction.commit().await {
            Ok(committed) => {
                // It is done. A version that cannot be told afterwards (the client has just changed to the library of
                // another version) is for the request id to find again.
                let version = committed.committed_version();
                let version = version.map_err(|_| StoreError::UnknownResult)?;
                version_of(version).map_err(|_| StoreError::UnknownResult)
            }
            Err(failed) => {
                let error = meaning(*failed, During::Commit);
                if matches!(error, StoreError::Conflict) {
                    metrics::counter!("coditect_registry_conflicts_total").increment(1);
                }
                *self.lock() = Held::Failed(failed);
                Err(error)
            }
        }
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.client.changed(key, seen).await
    }
}

impl Attempt {
    /// Puts into the transaction what it has read and what it writes.
    fn write(&self, transaction: &Transaction, request: &CommitRequest) -> FdbResult<()> {
        let space = &self.client.subspace;
        for read in &request.reads {
            if let Some((begin, end)) = space.range(read) {
                transaction.add_conflict_range(&begin, &end, ConflictRangeType::Read)?;
            }
        }
        let mut place = 0_u16;
        for mutation in &request.mutations {
            match mutation {
                Mutation::Set(key, value) => transaction.set(&space.key(key), value),
                Mutation::Clear(key) => transaction.clear(&space.key(key)),
                Mutation::ClearRange(range) => {
                    if let Some((begin, end)) = space.range(range) {
                        transaction.clear_range(&begin, &end);
                    }
                }
                Mutation::Add(key, delta) => {
                    transaction.atomic_op(&space.key(key), &delta.to_le_bytes(), MutationType::Add)
                }
                Mutation::Append(prefix, value) => {
                    let operand = space.stamped(prefix, place);
                    transaction.atomic_op(&operand, value, MutationType::SetVersionstampedKey);
                    place = place.wrapping_add(1);
                }
            }
        }
        Ok(())
    }
}

/// The cluster at the attempt's version.
struct FdbSnapshot {
    attempt: Attempt,
    version: Version,
}

#[async_trait]
impl Snapshot for FdbSnapshot {
    fn version(&self) -> Version {
        self.version
    }

    // Reads are the client's snapshot reads, which leave no conflict range: what counts as read is said at the commit.

    async fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let key = self.attempt.client.subspace.key(key);
        let value = self
            .attempt
            .read(|transaction| transaction.get(&key, true))
            .await?;
        Ok(value.map(|value| value.to_vec()))
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
    ) -> Result<Page, StoreError> {
        let space = &self.attempt.client.subspace;
        let Some(range) = space.range(range) else {
            return Ok(Page::default());
        };
        let options = RangeOption {
            limit: Some(limit.saturating_add(1)),
            target_bytes: limits::PAGE_BYTES,
            mode: StreamingMode::Exact,
            reverse,
            ..RangeOption::from(range)
        };
        let values = self
            .attempt
            .read(|transaction| transaction.get_range(&options, 1, true))
            .await?;
        let found: Option<Vec<(Key, Value)>> = values
            .iter()
            .map(|entry| Some((space.strip(entry.key())?, entry.value().to_vec())))
            .collect();
        let found = found.ok_or_else(|| {
            StoreError::Corrupt("the cluster gave a key that was not asked for".to_owned())
        })?;
        Ok(subspace::page(found, limit, values.more()))
    }
}

/// Versions of the cluster are never negative, except -1 for "none".
fn version_of(version: i64) -> Result<Version, StoreError> {
    u64::try_from(version)
        .map(Version)
        .map_err(|_| StoreError::Corrupt(format!("the cluster gave the version {version}")))
}

/// What to say when the time was over before the cluster gave a version: why it had not given one before, if it said so.
fn late(first: FdbError, last: FdbError) -> StoreError {
    match meaning(last, During::Read) {
        StoreError::Unavailable(why) if first.code() != last.code() => StoreError::Unavailable(
            format!("{why}; before: {}, error {}", first.message(), first.code()),
        ),
        error @ StoreError::Unavailable(_) => error,
        // Tried as often as it may be.
        error => StoreError::Unavailable(error.to_string()),
    }
}
