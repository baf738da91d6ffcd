//! kill -9 under load: what was acknowledged stays, what was not is whole or absent.

use std::{collections::HashSet, ffi::OsString, sync::Arc};

use coditect_core::Version;
use coditect_registry::store::{
    Isolation::{Serializable, Snapshot},
    KeyRange, Store, StoreError,
    embedded::EmbeddedStore,
};
use foundationdb_tuple::{pack, unpack};

use crate::{
    bench::{number, pages, transact},
    child::{self, Process},
};

const ROUNDS: usize = 24;
const WRITERS: u32 = 8;

/// Commits as fast as it can, and says what has been acknowledged.
async fn load(place: OsString) {
    let store = EmbeddedStore::open(place).unwrap();
    child::say("open");
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let last = pack(&("last", writer));
            loop {
                let (n, version) = transact(&*store, |transaction| {
                    let last = last.clone();
                    Box::pin(async move {
                        let n = match transaction.get(&last, Serializable).await? {
                            Some(before) => unpack::<u32>(&before).unwrap() + 1,
                            None => 0,
                        };
                        transaction.set(&last, &pack(&n));
                        for half in ["one half", "other half"] {
                            transaction
                                .set(&pack(&(half, writer, n)), &vec![7; (n % 2_000) as usize]);
                        }
                        transaction.append(&pack(&"feed"), &pack(&(writer, n)));
                        transaction.add(b"total", 1);
                        Ok(n)
                    })
                })
                .await;
                child::say(&format!("{writer} {n} {version}"));
            }
        })
    });
    futures::future::join_all(writers).await;
}

type Ids = HashSet<(u32, u32)>;

/// Everything that the store holds, after checking that it is whole.
async fn whole(store: &dyn Store) -> (Ids, Version) {
    let mut transaction = store.begin().await.unwrap();
    let feed = pages(
        &mut *transaction,
        &KeyRange::below(&pack(&"feed")),
        1_000,
        false,
        Snapshot,
    )
    .await;
    let feed: Vec<(u32, u32)> = feed
        .iter()
        .map(|(_, value)| unpack(value).unwrap())
        .collect();
    let ids: Ids = feed.iter().copied().collect();
    assert_eq!(feed.len(), ids.len(), "appended twice");
    for half in ["one half", "other half"] {
        let found = pages(
            &mut *transaction,
            &KeyRange::below(&pack(&half)),
            1_000,
            false,
            Snapshot,
        )
        .await;
        let found: Ids = found
            .iter()
            .map(|(key, _)| unpack::<(String, u32, u32)>(key).unwrap())
            .map(|(_, writer, n)| (writer, n))
            .collect();
        assert_eq!(found, ids, "half of a transaction");
    }
    assert_eq!(
        number(&mut *transaction, "total").await,
        i64::try_from(ids.len()).unwrap()
    );
    for writer in 0..WRITERS {
        let mut own = feed.iter().filter(|(by, _)| *by == writer).map(|(_, n)| *n);
        assert!(
            own.by_ref().enumerate().all(|(at, n)| at == n as usize),
            "writer {writer} out of order or with a gap"
        );
    }
    (ids, transaction.read_version().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_commit_is_lost() {
    if let Some(place) = child::place() {
        return load(place).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("registry");
    let mut acknowledged: Ids = HashSet::new();
    let mut newest = Version(0);
    for round in 0..ROUNDS {
        let mut process = Process::start("kill::no_acknowledged_commit_is_lost", &place);
        // At any moment: also while it opens, or before it has said anything.
        let mut until: u32 = rand::random_range(0..400);
        let mut killed = false;
        let before = newest;
        loop {
            if until == 0 && !killed {
                process.kill();
                killed = true;
            }
            let Some(said) = process.says() else { break };
            until = until.saturating_sub(1);
            if let [writer, n, version] = said.as_slice() {
                let version = Version(version.parse().unwrap());
                assert!(
                    version > before,
                    "round {round}: version {version} after {before}"
                );
                newest = newest.max(version);
                acknowledged.insert((writer.parse().unwrap(), n.parse().unwrap()));
            }
        }
        assert!(killed, "the child ended by itself");
        let store = EmbeddedStore::open(&place).unwrap();
        let (found, version) = whole(&*store).await;
        let lost: Vec<_> = acknowledged.difference(&found).collect();
        assert!(
            lost.is_empty(),
            "round {round}: {lost:?} were acknowledged and are lost"
        );
        assert!(
            version >= newest,
            "round {round}: the version went from {newest} back to {version}"
        );
        newest = version;
    }
    assert!(
        acknowledged.len() > ROUNDS,
        "the load did nothing: {}",
        acknowledged.len()
    );
}

#[tokio::test]
async fn a_second_process_is_refused() {
    if let Some(place) = child::place() {
        let _store = EmbeddedStore::open(place).unwrap();
        child::say("open");
        return std::future::pending().await;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("registry");
    let mut process = Process::start("kill::a_second_process_is_refused", &place);
    assert_eq!(process.says().unwrap(), ["open"]);
    let refused = EmbeddedStore::open(&place).map(drop).unwrap_err();
    assert!(
        matches!(&refused, StoreError::NotOpened(why) if why.contains("another process")),
        "{refused}"
    );
    process.kill();
    EmbeddedStore::open(&place).unwrap();
}
