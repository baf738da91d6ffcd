//! An import that stops goes on, and none goes where something is.

use std::{
    io::{BufReader, Cursor},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use coditect_core::{Kind, RequestId, Version};
use coditect_registry::{
    Registry, dump,
    record::encode,
    store::{
        Isolation, KeyRange, Page, Store, StoreError, Transaction, Value,
        faulty::{Fault, FaultyStore},
        memory::MemoryStore,
    },
};

use crate::support::{content, export, import, memory, people, register};

#[tokio::test]
async fn a_registry_that_is_not_empty_is_left_alone() {
    let source = memory();
    people(&source, 2).await;
    let (lines, _) = export(&source).await;
    let target = memory();
    people(&target, 1).await;
    let before = content(&target).await;
    let error = import(&target, &lines).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Conflict);
    assert!(
        error.to_string().contains("not empty") && error.to_string().contains("--data"),
        "{error}"
    );
    assert_eq!(content(&target).await, before);
}

#[tokio::test]
async fn the_same_file_again_changes_nothing_and_says_so() {
    let source = memory();
    people(&source, 3).await;
    let (lines, _) = export(&source).await;
    let target = memory();
    let first = import(&target, &lines).await.unwrap();
    // What people do afterwards is not undone.
    let registry = Registry::open(Arc::clone(&target)).await.unwrap();
    registry
        .apply(RequestId::random(), &register("later@example.com"))
        .await
        .unwrap();
    let after = content(&target).await;
    let again = import(&target, &lines).await.unwrap();
    assert!(!first.already_finished && again.already_finished);
    assert_eq!(again.epoch, first.epoch);
    assert_eq!(content(&target).await, after);
}

/// A store that dies with the commit behind the last that it is given: before it happens, or after it and before
/// the answer.
struct Dies {
    below: Arc<dyn Store>,
    commits_left: Arc<AtomicI64>,
    after_it: bool,
}

#[async_trait]
impl Store for Dies {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(Mortal {
            below: self.below.begin().await?,
            commits_left: Arc::clone(&self.commits_left),
            after_it: self.after_it,
        }))
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.below.changed(key, seen).await
    }

    fn description(&self) -> String {
        self.below.description()
    }
}

struct Mortal {
    below: Box<dyn Transaction>,
    commits_left: Arc<AtomicI64>,
    after_it: bool,
}

#[async_trait]
impl Transaction for Mortal {
    async fn read_version(&mut self) -> Result<Version, StoreError> {
        self.below.read_version().await
    }

    async fn get(&mut self, key: &[u8], isolation: Isolation) -> Result<Option<Value>, StoreError> {
        self.below.get(key, isolation).await
    }

    async fn range(
        &mut self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
        isolation: Isolation,
    ) -> Result<Page, StoreError> {
        self.below.range(range, limit, reverse, isolation).await
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
        let left = self.commits_left.fetch_sub(1, Ordering::SeqCst);
        if left > 0 {
            return self.below.commit().await;
        }
        if left == 0 && self.after_it {
            self.below.commit().await?;
        }
        Err(StoreError::Unavailable("it has died".to_owned()))
    }

    async fn reset(&mut self, after: StoreError) -> Result<(), StoreError> {
        self.below.reset(after).await
    }
}

#[tokio::test]
async fn an_import_that_dies_anywhere_goes_on_and_gives_the_same() {
    let source = memory();
    // Several batches of plain records.
    people(&source, 500).await;
    let (lines, exported) = export(&source).await;
    let other = memory();
    people(&other, 1).await;
    let (other_lines, _) = export(&other).await;
    for after_it in [false, true] {
        let target = memory();
        let mut deaths = 0;
        loop {
            let dies = Arc::new(Dies {
                below: Arc::clone(&target),
                commits_left: Arc::new(AtomicI64::new(deaths)),
                after_it,
            }) as Arc<dyn Store>;
            match import(&dies, &lines).await {
                Ok(_) => break,
                Err(error) => assert_eq!(*error.kind(), Kind::Unavailable, "{error:?}"),
            }
            deaths += 1;
            // Nobody else may use what is half there, and no other file may be mixed in.
            if let Err(error) = Registry::open(Arc::clone(&target)).await {
                assert!(error.to_string().contains("unfinished"), "{error}");
                let error = import(&target, &other_lines).await.unwrap_err();
                assert!(error.to_string().contains("another import"), "{error}");
            } else {
                assert!(
                    content(&target).await.is_empty()
                        || import(&target, &lines).await.unwrap().already_finished
                );
            }
        }
        assert!(deaths >= 5, "it died only {deaths} times");
        assert_eq!(export(&target).await.0, lines);
        assert_eq!(content(&target).await.len() as u64, exported.records);
    }
}

/// A commit of which nobody knows whether it happened is tried again, and appends nothing twice.
#[tokio::test]
async fn unknown_results_and_conflicts_double_nothing() {
    let source = memory();
    people(&source, 40).await;
    let (lines, _) = export(&source).await;
    for fault in [
        Fault::CommitThenUnknown,
        Fault::Commit(StoreError::UnknownResult),
        Fault::Commit(StoreError::Conflict),
    ] {
        let faulty = FaultyStore::new(MemoryStore::new());
        let target = Arc::clone(&faulty) as Arc<dyn Store>;
        let calls = AtomicU64::new(0);
        faulty.inject(fault.clone(), 2);
        let mut file = BufReader::new(Cursor::new(lines.clone()));
        dump::import(&target, &mut file, &|step, _| {
            // Every commit from the first batch on, and so each of the appends, meets the fault once.
            if step == dump::Step::Writing && calls.fetch_add(1, Ordering::Relaxed) < 50 {
                faulty.inject(fault.clone(), 1);
            }
        })
        .await
        .unwrap();
        assert_eq!(export(&target).await.0, lines);
    }
}

#[tokio::test]
async fn nobody_writes_into_a_registry_that_is_being_imported() {
    let target = memory();
    // A program that was there first: it opened the registry when that was empty.
    let early = Registry::open(Arc::clone(&target)).await.unwrap();
    let unfinished = |finished| dump::ImportState {
        sha256: "ab".repeat(32),
        finished,
    };
    for (finished, writes) in [(false, false), (true, true)] {
        let mut transaction = target.begin().await.unwrap();
        let state = encode(&unfinished(finished)).unwrap();
        transaction.set(&foundationdb_tuple::pack(&("import",)), &state);
        transaction.commit().await.unwrap();
        let before = content(&target).await;
        let sign_up = register("early@example.com");
        let done = early.apply(RequestId::random(), &sign_up).await;
        assert_eq!(done.is_ok(), writes, "{done:?}");
        assert_eq!(content(&target).await != before, writes);
    }
}
