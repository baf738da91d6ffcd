//! A test aid: a store that fails when told to, over any other.
//!
//! Public, so that every room can test what it does when the registry does not answer, answers short, or
//! does not say whether a commit happened.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use coditect_core::Version;

use super::{Isolation, KeyRange, Page, Store, StoreError, Transaction, Value};

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// `begin` and `reset` fail.
    Begin(StoreError),
    /// `get` fails.
    Get(StoreError),
    /// `range` fails.
    Range(StoreError),
    /// `range` gives at most this many entries and says that there are no more: a read that lies.
    ShortRange(usize),
    /// `commit` fails and nothing happened.
    Commit(StoreError),
    /// `commit` happened, and answers `UnknownResult`.
    CommitThenUnknown,
    /// `changed` fails.
    Changed(StoreError),
    /// `begin` takes this long.
    SlowBegin(Duration),
    /// `commit` takes this long before it happens.
    SlowCommit(Duration),
}

#[derive(Default)]
struct Plan(Mutex<Vec<(Fault, Option<u32>)>>);

impl Plan {
    /// Takes what the first fault that fits says, once less for the next time.
    fn take<T>(&self, fits: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, found) = faults
            .iter()
            .enumerate()
            .find_map(|(at, (fault, _))| fits(fault).map(|found| (at, found)))?;
        if let (_, Some(left)) = &mut faults[at] {
            *left -= 1;
            if *left == 0 {
                faults.remove(at);
            }
        }
        Some(found)
    }

    fn fail(&self, fits: impl Fn(&Fault) -> Option<StoreError>) -> Result<(), StoreError> {
        self.take(fits).map_or(Ok(()), Err)
    }
}

/// A store that does as the store below does, except for the faults it has been told.
pub struct FaultyStore {
    below: Arc<dyn Store>,
    plan: Arc<Plan>,
}

impl FaultyStore {
    /// Over `below`, without faults so far.
    #[must_use]
    pub fn new(below: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            below,
            plan: Arc::default(),
        })
    }

    /// The next `times` operations of the fault's sort go wrong. Several faults of one sort take turns
    /// in the order told.
    pub fn inject(&self, fault: Fault, times: u32) {
        if times > 0 {
            self.plan
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((fault, Some(times)));
        }
    }

    /// Every operation of the fault's sort goes wrong, until [`FaultyStore::heal`].
    pub fn inject_always(&self, fault: Fault) {
        self.plan
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((fault, None));
    }

    /// Forgets all faults.
    pub fn heal(&self) {
        self.plan
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// True if every fault with a count has happened.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        !self
            .plan
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .any(|(_, times)| times.is_some())
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        begin_faults(&self.plan).await?;
        Ok(Box::new(FaultyTransaction {
            below: self.below.begin().await?,
            plan: Arc::clone(&self.plan),
        }))
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.plan.fail(|fault| {
            if let Fault::Changed(error) = fault {
                Some(error.clone())
            } else {
                None
            }
        })?;
        self.below.changed(key, seen).await
    }

    fn description(&self) -> String {
        format!("{}, with faults", self.below.description())
    }

    async fn message(&self) -> Option<String> {
        self.below.message().await
    }
}

async fn begin_faults(plan: &Plan) -> Result<(), StoreError> {
    if let Some(delay) = plan.take(|fault| {
        if let Fault::SlowBegin(delay) = fault {
            Some(*delay)
        } else {
            None
        }
    }) {
        tokio::time::sleep(delay).await;
    }
    plan.fail(|fault| {
        if let Fault::Begin(error) = fault {
            Some(error.clone())
        } else {
            None
        }
    })
}

struct FaultyTransaction {
    below: Box<dyn Transaction>,
    plan: Arc<Plan>,
}

#[async_trait]
impl Transaction for FaultyTransaction {
    async fn read_version(&mut self) -> Result<Version, StoreError> {
        self.below.read_version().await
    }

    async fn get(&mut self, key: &[u8], isolation: Isolation) -> Result<Option<Value>, StoreError> {
        self.plan.fail(|fault| {
            if let Fault::Get(error) = fault {
                Some(error.clone())
            } else {
                None
            }
        })?;
        self.below.get(key, isolation).await
    }

    async fn range(
        &mut self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
        isolation: Isolation,
    ) -> Result<Page, StoreError> {
        self.plan.fail(|fault| {
            if let Fault::Range(error) = fault {
                Some(error.clone())
            } else {
                None
            }
        })?;
        let mut page = self.below.range(range, limit, reverse, isolation).await?;
        if let Some(keep) = self.plan.take(|fault| {
            if let Fault::ShortRange(keep) = fault {
                Some(*keep)
            } else {
                None
            }
        }) {
            page.entries.truncate(keep);
            page.more = false;
        }
        Ok(page)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.below.set(key, value);
    }

    fn clear(&mut self, key: &[u8]) {
        self.below.clear(key);
    }

    fn clear_range(&mut self, range: &KeyRange) {
        self.below.clear_range(range);
    }

    fn add(&mut self, key: &[u8], delta: i64) {
        self.below.add(key, delta);
    }

    fn append(&mut self, prefix: &[u8], value: &[u8]) {
        self.below.append(prefix, value);
    }

    async fn commit(&mut self) -> Result<Version, StoreError> {
        if let Some(delay) = self.plan.take(|fault| {
            if let Fault::SlowCommit(delay) = fault {
                Some(*delay)
            } else {
                None
            }
        }) {
            tokio::time::sleep(delay).await;
        }
        self.plan.fail(|fault| {
            if let Fault::Commit(error) = fault {
                Some(error.clone())
            } else {
                None
            }
        })?;
        let unknown = self
            .plan
            .take(|fault| matches!(fault, Fault::CommitThenUnknown).then_some(()))
            .is_some();
        let version = self.below.commit().await?;
        if unknown {
            Err(StoreError::UnknownResult)
        } else {
            Ok(version)
        }
    }

    async fn reset(&mut self, after: StoreError) -> Result<(), StoreError> {
        begin_faults(&self.plan).await?;
        self.below.reset(after).await
    }
}

#[cfg(test)]
mod tests {
    use super::{super::memory::MemoryStore, *};

    #[tokio::test]
    async fn faults_happen_as_often_as_told() {
        let store = FaultyStore::new(MemoryStore::new());
        store.inject(Fault::Begin(StoreError::Unavailable("gone".to_owned())), 2);
        assert!(store.begin().await.is_err());
        assert!(store.begin().await.is_err());
        assert!(store.is_spent());

        store.inject(Fault::Commit(StoreError::UnknownResult), 1);
        let mut transaction = store.begin().await.unwrap();
        transaction.set(b"a", b"1");
        transaction.set(b"b", b"2");
        let error = transaction.commit().await.unwrap_err();
        transaction.reset(error).await.unwrap();
        assert_eq!(
            transaction.get(b"a", Isolation::Snapshot).await.unwrap(),
            None,
            "a refused commit happened"
        );

        store.inject(Fault::CommitThenUnknown, 1);
        transaction.set(b"a", b"1");
        transaction.set(b"b", b"2");
        let error = transaction.commit().await.unwrap_err();
        assert!(matches!(error, StoreError::UnknownResult));
        transaction.reset(error).await.unwrap();
        assert_eq!(
            transaction
                .get(b"a", Isolation::Snapshot)
                .await
                .unwrap()
                .as_deref(),
            Some(b"1".as_slice())
        );

        store.inject_always(Fault::ShortRange(1));
        let all = KeyRange::below(b"");
        let page = transaction
            .range(&all, 10, false, Isolation::Snapshot)
            .await
            .unwrap();
        assert_eq!((page.entries.len(), page.more), (1, false));
        store.heal();
        assert_eq!(
            transaction
                .range(&all, 10, false, Isolation::Snapshot)
                .await
                .unwrap()
                .entries
                .len(),
            2
        );
    }
}
