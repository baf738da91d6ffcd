//! What an operation reads and writes, written down: the same work can then be given to another database, or be
//! multiplied.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use coditect_core::Version;
use coditect_registry::store::{
    Isolation, Key, KeyRange, Page, Store, StoreError, Transaction, Value, memory::MemoryStore,
};

/// One step of a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Get(Key),
    Range(KeyRange, usize),
    Set(Key, Value),
    Clear(Key),
    ClearRange(KeyRange),
    Add(Key, i64),
    /// The key without its stamp.
    Append(Key, Value),
}

/// A store in memory that writes down what each committed transaction did.
pub(crate) struct Recording {
    below: Arc<dyn Store>,
    done: Arc<Mutex<Vec<Vec<Step>>>>,
}

impl Recording {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            below: MemoryStore::new(),
            done: Arc::default(),
        })
    }

    /// The transactions since the last call.
    pub(crate) fn take(&self) -> Vec<Vec<Step>> {
        std::mem::take(&mut self.done.lock().unwrap())
    }
}

#[async_trait]
impl Store for Recording {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(Recorded {
            below: self.below.begin().await?,
            steps: Vec::new(),
            done: Arc::clone(&self.done),
        }))
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.below.changed(key, seen).await
    }

    fn description(&self) -> String {
        "recording".to_owned()
    }
}

struct Recorded {
    below: Box<dyn Transaction>,
    steps: Vec<Step>,
    done: Arc<Mutex<Vec<Vec<Step>>>>,
}

#[async_trait]
impl Transaction for Recorded {
    async fn read_version(&mut self) -> Result<Version, StoreError> {
        self.below.read_version().await
    }

    async fn get(&mut self, key: &[u8], isolation: Isolation) -> Result<Option<Value>, StoreError> {
        self.steps.push(Step::Get(key.to_vec()));
        self.below.get(key, isolation).await
    }

    async fn range(
        &mut self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
        isolation: Isolation,
    ) -> Result<Page, StoreError> {
        self.steps.push(Step::Range(range.clone(), limit));
        self.below.range(range, limit, reverse, isolation).await
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.steps.push(Step::Set(key.to_vec(), value.to_vec()));
        self.below.set(key, value);
    }

    fn clear(&mut self, key: &[u8]) {
        self.steps.push(Step::Clear(key.to_vec()));
        self.below.clear(key);
    }

    fn clear_range(&mut self, range: &KeyRange) {
        self.steps.push(Step::ClearRange(range.clone()));
        self.below.clear_range(range);
    }

    fn add(&mut self, key: &[u8], delta: i64) {
        self.steps.push(Step::Add(key.to_vec(), delta));
        self.below.add(key, delta);
    }

    fn append(&mut self, prefix: &[u8], value: &[u8]) {
        self.steps
            .push(Step::Append(prefix.to_vec(), value.to_vec()));
        self.below.append(prefix, value);
    }

    async fn commit(&mut self) -> Result<Version, StoreError> {
        let version = self.below.commit().await?;
        self.done
            .lock()
            .unwrap()
            .push(std::mem::take(&mut self.steps));
        Ok(version)
    }

    async fn reset(&mut self, after: StoreError) -> Result<(), StoreError> {
        self.steps.clear();
        self.below.reset(after).await
    }
}
