//! Waiting for a key to change.

use std::time::Duration;

use foundationdb::{FdbError, Transaction};

use super::{
    super::StoreError,
    code::{self, During},
    store::{Client, meaning},
};

/// After this long a watch is given up and the key is read again: if a server lost the watch, nobody waits for ever.
const REARM: Duration = Duration::from_secs(30);
/// How often the key is read where there can be no further watch.
const POLL: Duration = Duration::from_millis(250);

impl Client {
    /// As [`super::super::Store::changed`].
    pub(super) async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        let key = self.subspace.key(key);
        let mut transaction = self.transaction()?;
        loop {
            let error = match self.once(transaction, &key, seen).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    transaction = self.transaction()?;
                    continue;
                }
                Err(Interrupted::Again(again)) => {
                    transaction = again;
                    continue;
                }
                Err(Interrupted::By(error)) => error,
            };
            if !code::is_retryable(error.code()) {
                return Err(meaning(error, During::Read));
            }
            transaction = self.transaction()?;
        }
    }

    /// Reads the key, and if it is as seen waits for a change, or until it is time to read again. True if it differs.
    async fn once(
        &self,
        transaction: Transaction,
        key: &[u8],
        seen: Option<&[u8]>,
    ) -> Result<bool, Interrupted> {
        let value = match transaction.get(key, true).await {
            Ok(value) => value,
            Err(error) => return Err(after(transaction, error).await),
        };
        if value.as_deref() != seen {
            return Ok(true);
        }
        // The watch compares with the value at this transaction's version, which has just been read, and begins to
        // report when the transaction has been committed; it outlives it. Dropped, it is cancelled.
        let watch = transaction.watch(key);
        if let Err(error) = transaction.commit().await {
            return Err(match error.on_error().await {
                Ok(again) => Interrupted::Again(again),
                Err(error) => Interrupted::By(error),
            });
        }
        match tokio::time::timeout(REARM, watch).await {
            Ok(Ok(())) => Ok(true),
            Err(_) => Ok(false),
            Ok(Err(error)) if code::is_watch_limit(error.code()) => {
                metrics::counter!("coditect_registry_watches_refused_total").increment(1);
                tokio::time::sleep(POLL).await;
                Ok(false)
            }
            Ok(Err(error)) => Err(Interrupted::By(error)),
        }
    }
}

/// Why the key could not be read or watched.
enum Interrupted {
    /// To be tried again with this, after the wait that the client found right.
    Again(Transaction),
    By(FdbError),
}

async fn after(transaction: Transaction, error: FdbError) -> Interrupted {
    match transaction.on_error(error).await {
        Ok(again) => Interrupted::Again(again),
        Err(error) => Interrupted::By(error),
    }
}
