//! A transaction: attempts, one after the other.

use std::sync::Arc;

use async_trait::async_trait;
use coditect_core::Version;

use super::{
    super::{self as contract, Isolation, KeyRange, Page, StoreError, Value, optimistic},
    attempt::Attempt,
    store::Client,
};

/// A transaction on the cluster.
pub(super) struct FdbTransaction {
    client: Arc<Client>,
    attempt: Attempt,
    work: optimistic::Transaction,
}

impl FdbTransaction {
    /// Begins at the newest version.
    pub(super) async fn begin(client: Arc<Client>) -> Result<Self, StoreError> {
        let transaction = client.transaction()?;
        Self::over(client, transaction).await
    }

    async fn over(
        client: Arc<Client>,
        transaction: foundationdb::Transaction,
    ) -> Result<Self, StoreError> {
        let attempt = Attempt::of(Arc::clone(&client), transaction)?;
        let work = optimistic::Transaction::begin(Arc::new(attempt.clone())).await?;
        Ok(Self {
            client,
            attempt,
            work,
        })
    }
}

#[async_trait]
impl contract::Transaction for FdbTransaction {
    async fn read_version(&mut self) -> Result<Version, StoreError> {
        self.work.read_version().await
    }

    async fn get(&mut self, key: &[u8], isolation: Isolation) -> Result<Option<Value>, StoreError> {
        self.work.get(key, isolation).await
    }

    async fn range(
        &mut self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
        isolation: Isolation,
    ) -> Result<Page, StoreError> {
        self.work.range(range, limit, reverse, isolation).await
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.work.set(key, value);
    }

    fn clear(&mut self, key: &[u8]) {
        self.work.clear(key);
    }

    fn clear_range(&mut self, range: &KeyRange) {
        self.work.clear_range(range);
    }

    fn add(&mut self, key: &[u8], delta: i64) {
        self.work.add(key, delta);
    }

    fn append(&mut self, prefix: &[u8], value: &[u8]) {
        self.work.append(prefix, value);
    }

    async fn commit(&mut self) -> Result<Version, StoreError> {
        self.work.commit().await
    }

    async fn reset(&mut self, after: StoreError) -> Result<(), StoreError> {
        if !after.is_retryable() {
            return Err(after);
        }
        let transaction = self.attempt.again(after).await?;
        *self = Self::over(Arc::clone(&self.client), transaction).await?;
        Ok(())
    }
}
