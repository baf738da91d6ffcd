//! kill -9 under load: what was acknowledged stays, what was not is whole or absent, and what anybody has
//! seen was there to stay.

use std::{collections::HashSet, ffi::OsString, path::Path, sync::Arc, thread};

use coditect_core::Version;
use coditect_registry::store::{
    Isolation::{Serializable, Snapshot},
    KeyRange, Store, StoreError,
    embedded::EmbeddedStore,
};
use foundationdb_tuple::{pack, unpack};

use crate::{
    access::{number, pages, transact},
    child::{self, Process},
};

/// Files that are worked on at once, each by processes of its own.
const LANES: u32 = 4;
/// Files of a lane, one after another: a check reads all of a file, and would grow long with it.
const FILES: u32 = 4;
/// How often processes are killed on one file.
const KILLS: u32 = 13;
const WRITERS: u32 = 8;

/// Commits as fast as it can, and says what has been acknowledged and what has been seen.
async fn load(place: OsString) {
    let store = EmbeddedStore::open(place).unwrap();
    child::say("open");
    let follower = tokio::spawn(follow(Arc::clone(&store)));
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
                            transaction.set(
                                &pack(&(half, writer, n)),
                                &vec![7; (n % 10 * 5_000) as usize],
                            );
                        }
                        transaction.append(&pack(&"feed"), &pack(&(writer, n)));
                        transaction.add(b"total", 1);
                        Ok(n)
                    })
                })
                .await
                .unwrap();
                child::say(&format!("done {writer} {n} {version}"));
            }
        })
    });
    futures::future::join_all(writers).await;
    follower.await.unwrap();
}

/// Says whatever is new in the feed, acknowledged or not.
async fn follow(store: Arc<EmbeddedStore>) {
    let mut rest = KeyRange::below(&pack(&"feed"));
    loop {
        let mut transaction = store.begin().await.unwrap();
        let page = transaction.range(&rest, 100, false, Snapshot).await;
        for (key, value) in page.unwrap().entries {
            let (writer, n) = unpack::<(u32, u32)>(&value).unwrap();
            child::say(&format!("seen {writer} {n}"));
            rest = rest.after(&key);
        }
        tokio::task::yield_now().await;
    }
}

type Ids = HashSet<(u32, u32)>;

/// Everything that the store holds, after checking that it is whole.
async fn whole(store: &dyn Store) -> Result<(Ids, Version), StoreError> {
    let mut transaction = store.begin().await?;
    let feed = KeyRange::below(&pack(&"feed"));
    let feed = pages(&mut *transaction, &feed, 1_000, false, Snapshot).await?;
    let feed: Vec<(u32, u32)> = feed
        .iter()
        .map(|(_, value)| unpack(value).unwrap())
        .collect();
    let ids: Ids = feed.iter().copied().collect();
    assert_eq!(feed.len(), ids.len(), "appended twice");
    for half in ["one half", "other half"] {
        let found = KeyRange::below(&pack(&half));
        let found = pages(&mut *transaction, &found, 1_000, false, Snapshot).await?;
        let found: Ids = found
            .iter()
            .map(|(key, _)| unpack::<(String, u32, u32)>(key).unwrap())
            .map(|(_, writer, n)| (writer, n))
            .collect();
        assert_eq!(found, ids, "half of a transaction");
    }
    assert_eq!(
        number(&mut *transaction, "total").await?,
        i64::try_from(ids.len()).unwrap()
    );
    for writer in 0..WRITERS {
        let mut own = feed.iter().filter(|(by, _)| *by == writer).map(|(_, n)| *n);
        assert!(
            own.by_ref().enumerate().all(|(at, n)| at == n as usize),
            "writer {writer} out of order or with a gap"
        );
    }
    Ok((ids, transaction.read_version().await?))
}

/// What must be in a file from now on.
#[derive(Default)]
struct Promised {
    ids: Ids,
    newest: Version,
}

impl Promised {
    /// Starts a process on the file, kills it at any moment (also while it opens, or before it has said
    /// anything), and notes what it had said.
    fn kill(&mut self, place: &Path) {
        let mut process = Process::start("kill::no_acknowledged_commit_is_lost", place);
        let mut until: u32 = rand::random_range(0..150);
        let mut killed = false;
        let before = self.newest;
        loop {
            if until == 0 && !killed {
                process.kill();
                killed = true;
            }
            let Some(said) = process.says() else { break };
            until = until.saturating_sub(1);
            let mut words = said.iter().map(String::as_str);
            let what = words.next();
            let numbers: Vec<u64> = words.map(|word| word.parse().unwrap()).collect();
            let id = |at: usize| u32::try_from(numbers[at]).unwrap();
            match what {
                Some("open") => {}
                Some("done") => {
                    let version = Version(numbers[2]);
                    assert!(version > before, "version {version} after {before}");
                    self.newest = self.newest.max(version);
                    self.ids.insert((id(0), id(1)));
                }
                Some("seen") => drop(self.ids.insert((id(0), id(1)))),
                other => panic!("{other:?}"),
            }
        }
        assert!(killed, "the process ended by itself");
    }

    /// Opens the file and looks.
    async fn is_kept(&mut self, place: &Path) {
        let store = EmbeddedStore::open(place).unwrap();
        let (found, version) = whole(&*store).await.unwrap();
        let lost: Vec<_> = self.ids.difference(&found).collect();
        assert!(
            lost.is_empty(),
            "{lost:?} were acknowledged or seen and are lost"
        );
        let before = self.newest;
        assert!(
            version >= before,
            "the version went from {before} back to {version}"
        );
        self.newest = version;
    }
}

/// One file after another; gives how many commits were promised.
fn lane() -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut commits = 0;
    for _ in 0..FILES {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("registry");
        let mut promised = Promised::default();
        for kill in 0..KILLS {
            promised.kill(&place);
            // Now and then the next process finds what the last one left, and may be killed while it mends it.
            if kill % 3 != 1 && place.exists() {
                runtime.block_on(promised.is_kept(&place));
            }
        }
        runtime.block_on(promised.is_kept(&place));
        commits += promised.ids.len();
    }
    commits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_commit_is_lost() {
    const { assert!(LANES * FILES * KILLS >= 200) };
    if let Some(place) = child::place() {
        return load(place).await;
    }
    let lanes: Vec<_> = (0..LANES).map(|_| thread::spawn(lane)).collect();
    let commits: usize = lanes.into_iter().map(|lane| lane.join().unwrap()).sum();
    assert!(
        commits > (LANES * FILES * KILLS) as usize,
        "the load did nothing: {commits}"
    );
}

#[tokio::test]
async fn a_second_process_is_refused_by_the_name_of_the_first() {
    if let Some(place) = child::place() {
        let _store = EmbeddedStore::open(place).unwrap();
        child::say("open");
        return std::future::pending().await;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("registry");
    let mut process = Process::start(
        "kill::a_second_process_is_refused_by_the_name_of_the_first",
        &place,
    );
    assert_eq!(process.says().unwrap(), ["open"]);
    let refused = EmbeddedStore::open(&place).map(drop).unwrap_err();
    let other = format!("another process ({})", process.id());
    assert!(
        matches!(&refused, StoreError::NotOpened(why) if why.contains(&other) && why.contains(place.to_str().unwrap())),
        "{refused}"
    );
    process.kill();
    EmbeddedStore::open(&place).unwrap();
}
