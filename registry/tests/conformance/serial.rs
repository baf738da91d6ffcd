//! Concurrent transactions look as if they had run one after another, in an order that respects time.
//!
//! Every writing transaction appends its number to a log in the same commit: the log is the order. All
//! are then done again in that order on a map, and must see there what they saw in the store. What was
//! answered before another began must stand before it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use coditect_core::Version;
use coditect_registry::store::{Isolation::Snapshot, Key, KeyRange, Store, StoreError, Value};
use futures::future::join_all;
use proptest::{
    collection::vec,
    prelude::Strategy,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use crate::{
    bench::{Bench, on_every_store, pages},
    operations::{Operation, Seen, operation},
};

/// Behind every key that the operations use.
const LOG: &[u8] = &[0xfe, 0xfe, 0xfe];
const WRITERS: usize = 12;
const EACH: usize = 25;

/// A transaction that committed.
struct Done {
    operations: Vec<Operation>,
    seen: Vec<Seen>,
    began: u64,
    answered: u64,
    read_version: Version,
    commit_version: Version,
}

/// Runs one plan after another, each until it commits.
async fn work(
    store: Arc<dyn Store>,
    clock: Arc<AtomicU64>,
    plans: Vec<(u32, Vec<Operation>)>,
) -> Vec<(u32, Done)> {
    let mut done = Vec::new();
    for (number, operations) in plans {
        let mut began = clock.fetch_add(1, Ordering::SeqCst);
        let mut transaction = store.begin().await.unwrap();
        loop {
            let attempt = async {
                let mut seen = Vec::new();
                for operation in &operations {
                    seen.push(operation.run(&mut *transaction).await?);
                    tokio::task::yield_now().await;
                }
                if operations.iter().any(Operation::writes) {
                    transaction.append(LOG, &number.to_be_bytes());
                }
                let read_version = transaction.read_version().await?;
                Ok::<_, StoreError>((seen, read_version, transaction.commit().await?))
            }
            .await;
            match attempt {
                Ok((seen, read_version, commit_version)) => {
                    let answered = clock.fetch_add(1, Ordering::SeqCst);
                    done.push((
                        number,
                        Done {
                            operations,
                            seen,
                            began,
                            answered,
                            read_version,
                            commit_version,
                        },
                    ));
                    break;
                }
                Err(error) => {
                    assert!(matches!(error, StoreError::Conflict), "{error}");
                    began = clock.fetch_add(1, Ordering::SeqCst);
                    transaction.reset(error).await.unwrap();
                }
            }
        }
    }
    done
}

/// Does the transaction on the map, and compares what it saw.
fn replay(number: u32, done: &Done, model: &mut BTreeMap<Key, Value>) {
    for (operation, seen) in done.operations.iter().zip(&done.seen) {
        assert_eq!(
            *seen,
            operation.run_on(model),
            "transaction {number}, {operation:?}"
        );
    }
}

/// Random plans: a few operations each, about a quarter of them reading only.
fn plans() -> Vec<Vec<(u32, Vec<Operation>)>> {
    // Stamped keys and single pages are not foretold by the map; snapshot reads are not serialised.
    let foretold = operation().prop_filter("foretold", |operation| {
        !matches!(
            operation,
            Operation::Append(..) | Operation::Range { .. } | Operation::Get(_, Snapshot)
        )
    });
    let plan = (vec(foretold, 1..6), 0..4).prop_map(|(mut operations, reads_only)| {
        if reads_only == 0 {
            operations.retain(|operation| !operation.writes());
        }
        operations
    });
    let mut runner = TestRunner::new(Config::default());
    let plans = vec(vec(plan, EACH), WRITERS)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    let mut numbers = 0..;
    plans
        .into_iter()
        .map(|plans| numbers.by_ref().zip(plans).take(EACH).collect())
        .collect()
}

on_every_store! {
    async fn histories_are_serialisable_in_the_order_of_versions(bench) {
        check(bench).await;
    }
}

async fn check(bench: &Bench) {
    let clock = Arc::new(AtomicU64::new(0));
    let writers = plans()
        .into_iter()
        .map(|plans| tokio::spawn(work(Arc::clone(&bench.store), Arc::clone(&clock), plans)));
    let done: HashMap<u32, Done> = join_all(writers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    assert_eq!(done.len(), WRITERS * EACH);

    let log = pages(
        &mut *bench.begin().await,
        &KeyRange::below(LOG),
        100,
        false,
        Snapshot,
    )
    .await;
    let order: Vec<u32> = log
        .iter()
        .map(|(_, number)| u32::from_be_bytes(number.as_slice().try_into().unwrap()))
        .collect();
    let writing = done
        .values()
        .filter(|done| done.operations.iter().any(Operation::writes))
        .count();
    assert_eq!(order.len(), writing, "each writing transaction once");

    // Those that only read stand behind the writes of their version, before all later ones.
    let mut readers: Vec<u32> = done
        .keys()
        .copied()
        .filter(|number| !order.contains(number))
        .collect();
    readers.sort_by_key(|number| (done[number].read_version, done[number].began));
    let mut readers = readers.into_iter().peekable();
    let mut sequence = Vec::new();
    for number in &order {
        while let Some(reader) =
            readers.next_if(|reader| done[reader].read_version < done[number].commit_version)
        {
            sequence.push(reader);
        }
        sequence.push(*number);
    }
    sequence.extend(readers);

    let mut model = BTreeMap::new();
    let mut last_version = Version(0);
    for number in &sequence {
        replay(*number, &done[number], &mut model);
        assert!(
            done[number].commit_version >= last_version,
            "the log's order is not the versions' order"
        );
        last_version = done[number].commit_version;
    }
    let content: BTreeMap<Key, Value> = bench
        .all()
        .await
        .into_iter()
        .filter(|(key, _)| !key.starts_with(LOG))
        .collect();
    assert_eq!(content, model);

    // Real time: no transaction has been answered before one that stands ahead of it began.
    let mut latest_begin = 0;
    for number in &sequence {
        let this = &done[number];
        assert!(
            this.answered > latest_begin,
            "transaction {number} was answered before one ahead of it began"
        );
        latest_begin = latest_begin.max(this.began);
    }
}
