//! The registry as its users see it: operations that happen once, and views of one version.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use coditect_core::{CellName, Epoch, Error, RequestId, Result, Version};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    keys,
    record::{IdentityKey, TransactionRecord},
    store::{Isolation, Store, StoreError},
    tx::{Abort, Tx},
};

/// Something that changes the registry, whole or not at all.
///
/// `run` may be called several times with fresh transactions, so it takes its inputs by reference, draws
/// nothing that must stay the same, and reads no clock: the time is part of the operation.
#[async_trait]
pub trait Operation: Send + Sync {
    /// What the operation is called in records and metrics.
    const NAME: &'static str;
    /// True if doing it twice is the same as doing it once, whatever others did between: what it takes away cannot
    /// have come back under the same name. Such an operation (a lease renewed, a status noted) needs no
    /// `txn/{request id}`.
    const IDEMPOTENT: bool = false;
    /// Its answer; ids only, because it is kept with the request for a day.
    type Output: Serialize + DeserializeOwned + Send;

    /// Does it within `tx`.
    ///
    /// # Errors
    /// [`Abort::Refused`] if a rule forbids it: nothing is written then.
    async fn run(&self, tx: &mut Tx) -> Result<Self::Output, Abort>;

    /// When it happens.
    fn at(&self) -> Timestamp;
}

/// How often one operation is tried before the caller is told that the registry is too busy. With the
/// back-off of the back ends this takes several seconds of constant conflicts.
const ATTEMPTS: u32 = 30;

/// The registry. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Arc<dyn Store>,
    epoch: Epoch,
    identity_key: Option<IdentityKey>,
}

impl Registry {
    /// Opens the registry that lives in `store`, founding it if it is empty.
    ///
    /// # Errors
    /// As the store.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self> {
        let mut tx = Tx::new(store.begin().await?, Isolation::Serializable);
        loop {
            let found: Result<Epoch, StoreError> = async {
                crate::dump::refuse_unfinished(&mut tx).await?;
                if let Some(epoch) = tx.get(&keys::epoch()).await? {
                    return Ok(epoch);
                }
                let epoch = Epoch::random();
                tx.put(&keys::epoch(), &epoch)?;
                tx.commit().await?;
                Ok(epoch)
            }
            .await;
            match found {
                Ok(epoch) => {
                    return Ok(Self {
                        store,
                        epoch,
                        identity_key: None,
                    });
                }
                Err(error) => tx.reset(error).await?,
            }
        }
    }

    /// Which life of the registry this is, as of opening. [`View::epoch`] reads it anew.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// From now on erasures keep a hash of each erased identity under this key, by which it is known again
    /// ([`View::erased`]). Without a key they keep ids alone.
    #[must_use]
    pub fn with_identity_key(self, key: IdentityKey) -> Self {
        Self {
            identity_key: Some(key),
            ..self
        }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Does `operation` once: however often it is tried or sent again under the same request id, its effect
    /// happens at most once and the answer is the same.
    ///
    /// # Errors
    /// What the operation refuses; `Unavailable` if the store does not answer or conflicts do not end;
    /// `Conflict` if the request id was used for another operation.
    pub async fn apply<O: Operation>(
        &self,
        request: RequestId,
        operation: &O,
    ) -> Result<O::Output> {
        Ok(self.apply_at(request, operation).await?.0)
    }

    /// As [`Registry::apply`], with the version at which the answer is seen.
    ///
    /// # Errors
    /// As [`Registry::apply`].
    pub async fn apply_at<O: Operation>(
        &self,
        request: RequestId,
        operation: &O,
    ) -> Result<(O::Output, Version)> {
        let started = Instant::now();
        let mut tx = Tx::new(self.store.begin().await?, Isolation::Serializable)
            .with_identity_key(self.identity_key.clone());
        for _ in 0..ATTEMPTS {
            let attempt = async {
                // A registry that is being imported is nobody's, also for whoever opened it before that began.
                crate::dump::refuse_unfinished(&mut tx).await?;
                let key = keys::transaction(request);
                if !O::IDEMPOTENT
                    && let Some(done) = tx.get::<TransactionRecord>(&key).await?
                {
                    return Ok((answer_of::<O>(done)?, tx.version().await?));
                }
                let output = operation.run(&mut tx).await?;
                if !O::IDEMPOTENT {
                    let record = TransactionRecord {
                        at: operation.at(),
                        operation: O::NAME.to_owned(),
                        output: serde_json::to_value(&output).map_err(|error| {
                            Error::internal("an answer cannot be encoded").because(error)
                        })?,
                    };
                    tx.put(&key, &record)?;
                    tx.put(
                        &keys::transaction_age(operation.at(), request),
                        &Version::default(),
                    )?;
                }
                let version = tx.commit().await?;
                Ok((output, version))
            }
            .await;
            match attempt {
                Ok(done) => {
                    metrics::histogram!("coditect_registry_operation_seconds", "operation" => O::NAME)
                        .record(started.elapsed().as_secs_f64());
                    return Ok(done);
                }
                Err(Abort::Refused(error)) => return Err(error),
                Err(Abort::Store(error)) => {
                    metrics::counter!("coditect_registry_retries_total", "operation" => O::NAME)
                        .increment(1);
                    tx.reset(error).await?;
                }
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// A view of everything at the newest version.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    pub async fn view(&self) -> Result<View> {
        Ok(View {
            tx: Tx::new(self.store.begin().await?, Isolation::Snapshot),
        })
    }

    /// Waits until the cell's change feed has moved past what `seen` says (see [`View::change_signal`]).
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    pub async fn changed(&self, cell: &CellName, seen: i64) -> Result<()> {
        self.moved(&keys::change_signal(cell), seen).await
    }

    /// Waits until the cell's power feed has moved past what `seen` says (see [`View::power_signal`]).
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    pub async fn power_changed(&self, cell: &CellName, seen: i64) -> Result<()> {
        self.moved(&keys::power_signal(cell), seen).await
    }

    /// Waits until the feed of revocations has moved past what `seen` says (see [`View::revocation_signal`]).
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    pub async fn revoked(&self, seen: i64) -> Result<()> {
        self.moved(&keys::revocation_signal(), seen).await
    }

    /// Waits until the feed of what was counted has moved past what `seen` says (see [`View::counted_signal`]).
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    pub async fn counted(&self, seen: i64) -> Result<()> {
        self.moved(&keys::counted_signal(), seen).await
    }

    async fn moved(&self, signal: &[u8], seen: i64) -> Result<()> {
        let seen = (seen != 0).then(|| seen.to_le_bytes());
        let seen = seen.as_ref().map(<[u8; 8]>::as_slice);
        Ok(self.store.changed(signal, seen).await?)
    }
}

/// Reads at one version; it sees nothing that happens later and lives at most five seconds.
pub struct View {
    pub(crate) tx: Tx,
}

impl View {
    /// The version that everything here is of.
    ///
    /// # Errors
    /// As the store.
    pub async fn version(&mut self) -> Result<Version> {
        Ok(self.tx.version().await?)
    }

    /// Which life of the registry this is.
    ///
    /// # Errors
    /// As the store; `Internal` if the registry was never founded.
    pub async fn epoch(&mut self) -> Result<Epoch> {
        self.tx
            .get(&keys::epoch())
            .await?
            .ok_or_else(|| Error::internal("the registry has no epoch"))
    }
}

fn answer_of<O: Operation>(done: TransactionRecord) -> Result<O::Output, Abort> {
    if done.operation != O::NAME {
        return Err(
            Error::conflict("this request id was used for something else; use a new one").into(),
        );
    }
    serde_json::from_value(done.output).map_err(|error| {
        Error::internal("a recorded answer cannot be read")
            .because(error)
            .into()
    })
}
