//! What concerns a cluster alone: places beside each other, several connections, limits that the cluster counts itself,
//! and a cluster that does not answer.

use std::{sync::Arc, time::Duration};

use coditect_registry::store::{
    Isolation::{Serializable, Snapshot},
    KeyRange, Store, StoreError,
    fdb::{FdbStore, Options, Place},
    limits,
};
use uuid::Uuid;

use crate::{
    access::{everything, pages, text, transact},
    child,
    cluster::{self, Cleared},
};

async fn put(store: &dyn Store, key: &[u8], value: &[u8]) {
    transact(store, |transaction| {
        transaction.set(key, value);
        Box::pin(std::future::ready(Ok(())))
    })
    .await
    .unwrap();
}

async fn all(store: &dyn Store) -> String {
    let mut transaction = store.begin().await.unwrap();
    let all = pages(&mut *transaction, &everything(), 2, false, Snapshot).await;
    text(&all.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn places_do_not_see_each_other() {
    let one = Cleared::open(&cluster::options()).await;
    let other = Cleared::open(&cluster::options()).await;
    put(&*one.0, b"a", b"one").await;
    put(&*other.0, b"a", b"other").await;
    assert_eq!(all(&*one.0).await, "a=one");
    drop(one);
    assert_eq!(
        all(&*other.0).await,
        "a=other",
        "cleared with its neighbour"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_found_again() {
    let path = |last: &str| {
        Place::Directory(vec![
            "conformance".into(),
            Uuid::new_v4().to_string(),
            last.into(),
        ])
    };
    let (here, there) = (path("here"), path("there"));
    let first = Cleared::open(&cluster::at(here.clone())).await;
    let elsewhere = Cleared::open(&cluster::at(there)).await;
    put(&*first.0, b"a", b"1").await;
    let again = FdbStore::open(&cluster::at(here)).await.unwrap();
    assert_eq!(all(&*again).await, "a=1");
    assert_eq!(all(&*elsewhere.0).await, "");
}

/// Two processes have a connection each, and so do two stores.
#[tokio::test(flavor = "multi_thread")]
async fn another_connection_sees_conflicts_and_is_woken() {
    let options = cluster::options();
    let one = Cleared::open(&options).await;
    let other = FdbStore::open(&options).await.unwrap();
    let waits = tokio::spawn({
        let other = Arc::clone(&other);
        async move { other.changed(b"signal", None).await }
    });
    let mut loses = other.begin().await.unwrap();
    loses.get(b"signal", Serializable).await.unwrap();
    loses.set(b"late", b"");
    put(&*one.0, b"signal", b"1").await;
    waits.await.unwrap().unwrap();
    assert!(matches!(loses.commit().await, Err(StoreError::Conflict)));
    assert_eq!(all(&*other).await, "signal=1");
}

/// Room for the mark by which `transact` knows its own commit again, read and written.
const MARK_BYTES: usize = 1_000;

/// What the contract counts as just fitting must fit the cluster's own counting, at its least favourable: behind the
/// longest prefix, with keys so small that the book-keeping outweighs them, and with as large keys as there may be.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_transactions_of_the_contract_fit() {
    let bench = Cleared::open(&cluster::options()).await;
    for (key, value) in [(16, 0), (limits::KEY_BYTES, 0), (16, limits::VALUE_BYTES)] {
        let value = vec![7; value];
        for kind in 0..4 {
            // As the contract counts each kind: a range has its begin in place of a value, a single clear nothing.
            let beside = match kind {
                0 | 3 => value.len(),
                1 => key - 1,
                _ => 0,
            };
            let fit = (limits::TRANSACTION_BYTES - MARK_BYTES) / limits::write_bytes(key, beside);
            transact(&*bench.0, |transaction| {
                for n in 0..fit {
                    let mut name = vec![b'k'; key];
                    name[..4].copy_from_slice(&u32::try_from(n).unwrap().to_be_bytes());
                    match kind {
                        0 => transaction.set(&name, &value),
                        1 => transaction.clear_range(&KeyRange {
                            begin: name[..key - 1].to_vec(),
                            end: name,
                        }),
                        2 => transaction.clear(&name),
                        // The stamp is a part of the key.
                        _ => {
                            transaction.append(&name[..key - limits::VERSIONSTAMP_BYTES], &value);
                        }
                    }
                }
                Box::pin(std::future::ready(Ok(())))
            })
            .await
            .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_says_how_it_fares() {
    let bench = Cleared::open(&cluster::options()).await;
    assert!(
        bench
            .0
            .description()
            .contains("FoundationDB, prefix conformance/")
    );
    // A cluster that is busy with other tests may not say so in time; what came too late is told to who asks next.
    for _ in 0..10 {
        let message = bench.0.message().await.unwrap();
        if message.starts_with("the database is available") {
            return;
        }
        child::say(&message);
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    panic!("the cluster never says that it is available");
}

/// Nobody listens there: the port is reserved. It takes no cluster, only the client.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_out_of_reach_is_unavailable_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fdb.cluster");
    std::fs::write(&file, "nobody:nobody@127.0.0.1:1\n").unwrap();
    let store = FdbStore::open(&Options {
        cluster_file: Some(file),
        timeout: Some(Duration::from_millis(500)),
        ..Options::at(Place::Prefix("nowhere".into()))
    })
    .await
    .unwrap();
    for error in [
        store.begin().await.map(drop).unwrap_err(),
        store.changed(b"key", None).await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, StoreError::Unavailable(why) if why.contains("in time")),
            "{error}"
        );
    }
    let message = store.message().await.unwrap();
    assert!(!message.contains("is available"), "{message}");
}
