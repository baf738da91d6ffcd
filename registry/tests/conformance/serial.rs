//! Concurrent transactions look as if they had run one after another, in an order that respects time.
//!
//! Every writing transaction appends its number to a log in the same commit: the log is the order. All
//! are then done again in that order on a map, and must see there what they saw in the store. What was
//! answered before another began must stand before it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use coditect_core::Version;
use coditect_registry::{
    keys,
    store::{
        Isolation::{Serializable, Snapshot},
        Key, KeyRange, Store, StoreError, Value,
    },
};
use futures::future::join_all;
use proptest::{
    collection::vec,
    prelude::Strategy,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use crate::{
    access::pages,
    bench::{Bench, draws, on_every_store},
    operations::{Operation, Seen, operation},
};

/// Behind every key that the operations use.
const LOG: &[u8] = &[0xfe, 0xfe, 0xfe];
const WRITERS: usize = 12;
const EACH: usize = 25;

/// Below it each writing transaction marks that it has happened, and in which attempt.
const MARKS: [u8; 4] = [0xfe, 0xfe, 0xff, 0];

/// What an attempt saw.
struct Attempt {
    seen: Vec<Seen>,
    began: u64,
    read_version: Version,
}

/// A transaction that committed.
struct Done {
    operations: Vec<Operation>,
    attempt: Attempt,
    answered: u64,
}

/// Runs one plan after another, each until it commits.
async fn work(
    store: Arc<dyn Store>,
    clock: Arc<AtomicU64>,
    plans: Vec<(u32, Vec<Operation>)>,
) -> Result<Vec<(u32, Done)>, StoreError> {
    let mut done = Vec::new();
    for (number, operations) in plans {
        let attempt = until_committed(&*store, &clock, number, &operations).await?;
        let answered = clock.fetch_add(1, Ordering::SeqCst);
        let this = Done {
            operations,
            attempt,
            answered,
        };
        done.push((number, this));
    }
    Ok(done)
}

/// The attempt that took effect.
async fn until_committed(
    store: &dyn Store,
    clock: &AtomicU64,
    number: u32,
    operations: &[Operation],
) -> Result<Attempt, StoreError> {
    let mark = [&MARKS[..], &number.to_be_bytes()].concat();
    let writes = operations.iter().any(Operation::writes);
    let mut unknown = Vec::new();
    let mut began = clock.fetch_add(1, Ordering::SeqCst);
    let mut transaction = store.begin().await?;
    loop {
        let mut ran = None;
        let attempt = async {
            if let Some(happened) = transaction.get(&mark, Serializable).await? {
                return Ok(Some(usize::from(happened[0])));
            }
            let mut seen = Vec::new();
            for operation in operations {
                seen.push(operation.run(&mut *transaction).await?);
                tokio::task::yield_now().await;
            }
            if writes {
                transaction.append(LOG, &number.to_be_bytes());
                transaction.set(&mark, &[u8::try_from(unknown.len()).unwrap()]);
            }
            let read_version = transaction.read_version().await?;
            ran = Some(Attempt {
                seen,
                began,
                read_version,
            });
            transaction.commit().await.map(|_| None)
        }
        .await;
        match (attempt, ran) {
            (Ok(Some(happened)), _) => return Ok(unknown.swap_remove(happened)),
            (Ok(None), Some(ran)) => return Ok(ran),
            (Err(error), ran) => {
                if let (StoreError::UnknownResult, Some(ran)) = (&error, ran) {
                    unknown.push(ran);
                }
                began = clock.fetch_add(1, Ordering::SeqCst);
                transaction.reset(error).await?;
            }
            (Ok(None), None) => unreachable!("it committed without having run"),
        }
    }
}

/// Does the transaction on the map, and compares what it saw.
fn replay(number: u32, done: &Done, model: &mut BTreeMap<Key, Value>) {
    for (operation, seen) in done.operations.iter().zip(&done.attempt.seen) {
        assert_eq!(
            *seen,
            operation.run_on(model),
            "transaction {number}, {operation:?}"
        );
    }
}

/// Plans drawn from the seed: a few operations each, about a quarter of them reading only.
fn plans(seed: u64) -> Vec<Vec<(u32, Vec<Operation>)>> {
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
    let mut runner = TestRunner::new_with_rng(Config::default(), draws(seed));
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
        check(bench).await?;
    }
}

async fn check(bench: &Bench) -> Result<(), StoreError> {
    let clock = Arc::new(AtomicU64::new(0));
    let writers = plans(bench.seed)
        .into_iter()
        .map(|plans| tokio::spawn(work(Arc::clone(&bench.store), Arc::clone(&clock), plans)));
    let mut done: HashMap<u32, Done> = HashMap::new();
    for writer in join_all(writers).await {
        done.extend(writer.unwrap()?);
    }
    assert_eq!(done.len(), WRITERS * EACH);

    let log = pages(
        &mut *bench.begin().await?,
        &KeyRange::below(LOG),
        100,
        false,
        Snapshot,
    )
    .await?;
    let order: Vec<(u32, Version)> = log
        .iter()
        .map(|(key, number)| {
            let number = u32::from_be_bytes(number.as_slice().try_into().unwrap());
            (number, keys::stamp_of(key).unwrap())
        })
        .collect();
    let committed: HashSet<u32> = order.iter().map(|(number, _)| *number).collect();
    assert_eq!(order.len(), committed.len(), "a transaction happened twice");
    for (number, done) in &done {
        let writes = done.operations.iter().any(Operation::writes);
        assert_eq!(committed.contains(number), writes, "transaction {number}");
    }

    // Those that only read stand behind the writes of their version, before all later ones.
    let mut readers: Vec<u32> = done
        .keys()
        .copied()
        .filter(|number| !committed.contains(number))
        .collect();
    readers.sort_by_key(|number| {
        let attempt = &done[number].attempt;
        (attempt.read_version, attempt.began)
    });
    let mut readers = readers.into_iter().peekable();
    let mut sequence = Vec::new();
    for (number, version) in &order {
        while let Some(reader) =
            readers.next_if(|reader| done[reader].attempt.read_version < *version)
        {
            sequence.push(reader);
        }
        sequence.push(*number);
    }
    sequence.extend(readers);

    let mut model = BTreeMap::new();
    for number in &sequence {
        replay(*number, &done[number], &mut model);
    }
    let content: BTreeMap<Key, Value> = bench
        .all()
        .await?
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
        latest_begin = latest_begin.max(this.attempt.began);
    }
    Ok(())
}
