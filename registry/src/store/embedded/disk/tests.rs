//! A disk that is slow, full, broken, or loses its power.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use proptest::prelude::*;

use super::{
    super::{
        COMMIT_OVERHEAD, EmbeddedStore, QUEUE_BYTES, Store, StoreError, log,
        tests::{about, folder, get, of_format_1, put},
        watermark::beside,
    },
    Part, State, after_power_cut, below, disks, log_of,
};
use crate::store::{Isolation::Snapshot, Key, KeyRange, Transaction, Value};

/// Tries until the disk's trouble is over.
async fn put_at_last(store: &EmbeddedStore, key: &[u8], value: &[u8]) {
    for _ in 0..1_000 {
        match put(store, key, value).await {
            Ok(_) => return,
            Err(StoreError::Unavailable(_) | StoreError::UnknownResult) => {
                tokio::time::sleep(Duration::from_millis(10)).await
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!(
        "the store does not recover: {:?}",
        put(store, key, value).await
    );
}

#[tokio::test]
async fn nobody_sees_a_version_before_it_is_on_disk() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    let before = put(&store, b"a", b"1").await.unwrap();
    let disk = log_of(&path);
    let syncs = disk.syncs.load(Ordering::SeqCst);
    let writes = {
        let _stuck = disk.sticks();
        let writes = tokio::spawn({
            let store = Arc::clone(&store);
            async move { put(&store, b"a", b"2").await }
        });
        // The log is written, and the committer waits for the disk.
        while disk.syncs.load(Ordering::SeqCst) == syncs {
            tokio::task::yield_now().await;
        }
        let mut reader = store.begin().await.unwrap();
        assert_eq!(reader.read_version().await.unwrap(), before);
        assert_eq!(
            reader.get(b"a", Snapshot).await.unwrap(),
            Some(b"1".to_vec())
        );
        assert!(!writes.is_finished());
        writes
    };
    assert!(writes.await.unwrap().unwrap() > before);
    assert_eq!(get(&store, b"a").await, Some(b"2".to_vec()));
}

#[tokio::test]
async fn commits_that_wait_share_a_sync() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    let disk = log_of(&path);
    let syncs = disk.syncs.load(Ordering::SeqCst);
    let commits = {
        let _stuck = disk.sticks();
        let commits: Vec<_> = (0..50_u8)
            .map(|n| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { put(&store, &[n], b"1").await.unwrap() })
            })
            .collect();
        while disk.syncs.load(Ordering::SeqCst) == syncs
            || store.engine.room.available_permits() > QUEUE_BYTES as usize - 50 * COMMIT_OVERHEAD
        {
            tokio::task::yield_now().await;
        }
        commits
    };
    for commit in commits {
        commit.await.unwrap();
    }
    let syncs = disk.syncs.load(Ordering::SeqCst) - syncs;
    assert!(
        syncs <= 3,
        "{syncs} syncs for 50 commits of which 49 waited"
    );
}

#[tokio::test]
async fn a_checkpoint_holds_up_no_commit() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    let disk = below(&path);
    let syncs = disk.syncs.load(Ordering::SeqCst);
    {
        let _stuck = disk.sticks();
        let mut n = 0_u8;
        // The checkpoint waits for the disk.
        while disk.syncs.load(Ordering::SeqCst) == syncs {
            put(&store, &[n % 200], &[n; 5_000]).await.unwrap();
            n = n.wrapping_add(1);
        }
        for n in 200..250 {
            put(&store, &[n], &[n; 5_000]).await.unwrap();
        }
        assert_eq!(disk.syncs.load(Ordering::SeqCst), syncs + 1);
    }
    drop(store);
    let store = EmbeddedStore::open(&path).unwrap();
    for n in 200..250 {
        assert_eq!(get(&store, &[n]).await, Some(vec![n; 5_000]));
    }
}

#[tokio::test]
async fn a_full_disk_refuses_commits_and_serves_reads_until_there_is_room() {
    for part in [Part::Grow, Part::Write] {
        let folder = folder();
        let path = folder.path().join("registry");
        let store = EmbeddedStore::open(&path).unwrap();
        put(&store, b"kept", b"1").await.unwrap();
        let disk = below(&path);
        disk.breaks(part, 0, io::ErrorKind::StorageFull);
        let mut taken = [false; 200];
        for n in 0..200_u8 {
            match put(&store, &[n], &vec![n; 90_000]).await {
                Ok(_) => taken[usize::from(n)] = true,
                Err(StoreError::Unavailable(_)) => {}
                Err(other) => panic!("{other}"),
            }
            assert_eq!(get(&store, b"kept").await, Some(b"1".to_vec()));
        }
        assert!(!taken[199], "the disk was never full");
        disk.heals();
        put_at_last(&store, b"after", b"2").await;
        drop(store);
        let store = EmbeddedStore::open(&path).unwrap();
        assert_eq!(get(&store, b"after").await, Some(b"2".to_vec()));
        for n in 0..200_u8 {
            let expected = taken[usize::from(n)].then(|| vec![n; 90_000]);
            assert_eq!(get(&store, &[n]).await, expected, "{n}, {part:?}");
        }
    }
}

#[tokio::test]
async fn a_disk_without_room_for_the_log_refuses_commits_and_serves_reads() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    put(&store, b"kept", b"1").await.unwrap();
    log_of(&path).breaks(Part::Grow, 0, io::ErrorKind::StorageFull);
    let many = || async {
        let mut transaction = store.begin().await.unwrap();
        for n in 0..20_u8 {
            transaction.set(&[n], &[n; 90_000]);
        }
        transaction.commit().await
    };
    assert!(matches!(many().await, Err(StoreError::Unavailable(_))));
    assert_eq!(get(&store, b"kept").await, Some(b"1".to_vec()));
    assert_eq!(get(&store, &[0]).await, None);
    put(&store, b"small", b"2").await.unwrap();
    log_of(&path).heals();
    many().await.unwrap();
    drop(store);
    let store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(get(&store, &[19]).await, Some(vec![19; 90_000]));
    assert_eq!(get(&store, b"small").await, Some(b"2".to_vec()));
}

/// Breaks the disk at the given place of its work under a stream of commits, heals it, and compares.
async fn survives(which: usize, part: Part, after: u32, says: io::ErrorKind) {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    let [disk, ..] = &disks(&path)[which..] else {
        panic!("{which}");
    };
    disk.breaks(part, after, says);
    let mut answers = Vec::new();
    for n in 0..40_u8 {
        let mut transaction = store.begin().await;
        for _ in 0..1_000 {
            if transaction.is_ok() {
                break;
            }
            disk.heals();
            tokio::time::sleep(Duration::from_millis(10)).await;
            transaction = store.begin().await;
        }
        let mut transaction = transaction.expect("the store comes back once the disk is well");
        transaction.set(&[b'a', n], &vec![n; 20_000]);
        transaction.set(&[b'b', n], &[n]);
        answers.push(transaction.commit().await);
        if answers.iter().filter(|answer| answer.is_err()).count() == 3 {
            disk.heals();
        }
    }
    disk.heals();
    put_at_last(&store, b"last", b"1").await;
    for reopened in [false, true] {
        let store = if reopened { None } else { Some(&store) };
        let again;
        let store = match store {
            Some(store) => store,
            None => {
                again = EmbeddedStore::open(copied(&folder)).unwrap();
                &again
            }
        };
        for (n, answer) in (0_u8..).zip(&answers) {
            let found = (
                get(store, &[b'a', n]).await.is_some(),
                get(store, &[b'b', n]).await.is_some(),
            );
            match answer {
                Ok(_) => assert_eq!(found, (true, true), "acknowledged and lost"),
                Err(StoreError::UnknownResult) => {
                    assert_eq!(found.0, found.1, "half of a transaction")
                }
                Err(StoreError::Unavailable(_)) => {
                    assert_eq!(found, (false, false), "refused and done")
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// The files as a crash at this moment would leave them.
fn copied(folder: &tempfile::TempDir) -> PathBuf {
    let (path, copy) = (folder.path().join("registry"), folder.path().join("copy"));
    for (from, to) in files(&path).iter().zip(files(&copy)) {
        fs::copy(from, to).unwrap();
    }
    copy
}

/// The store's file and its log's two.
fn files(path: &Path) -> [PathBuf; 3] {
    let [first, second] = log::beside(path);
    [path.to_owned(), first, second]
}

/// Everything that a transaction sees.
pub(super) async fn all_of(transaction: &mut dyn Transaction) -> Vec<(Key, Value)> {
    let everything = KeyRange {
        begin: vec![],
        end: vec![0xff],
    };
    let (mut all, mut rest) = (Vec::new(), everything.clone());
    loop {
        let page = transaction
            .range(&rest, 1_000, false, Snapshot)
            .await
            .unwrap();
        all.extend(page.entries);
        match all.last() {
            Some((last, _)) if page.more => rest = everything.after(last),
            _ => return all,
        }
    }
}

/// So long without a commit, and none will come: one takes a few milliseconds.
const NO_MORE: std::time::Duration = std::time::Duration::from_secs(10);

/// Cuts the power under eight writers once `until` commits have been acknowledged.
async fn power_cut(until: usize, slow: bool, choices: u64) {
    let folder = folder();
    let path = folder.path().join("registry");
    drop(EmbeddedStore::open(&path).unwrap());
    let disks = disks(&path);
    for (disk, path) in disks.iter().zip(files(&path)) {
        disk.keeps_account(&path);
    }
    let store = EmbeddedStore::open(&path).unwrap();
    // No checkpoint gets through.
    let stuck = slow.then(|| disks[0].sticks());
    let (says, mut said) = tokio::sync::mpsc::unbounded_channel();
    for writer in 0..8_u8 {
        let (store, says) = (Arc::clone(&store), says.clone());
        tokio::spawn(async move {
            for n in 0..100_u8 {
                let mut transaction = store.begin().await.unwrap();
                transaction.set(&[b'a', writer, n], &vec![n; usize::from(n) * 100]);
                transaction.set(&[b'b', writer, n], b"");
                transaction.add(b"total", 1);
                transaction.commit().await.unwrap();
                says.send((writer, n)).unwrap();
            }
        });
    }
    let mut acknowledged = Vec::new();
    while acknowledged.len() < until {
        // Whoever makes the file shorter waits for the disk, and everybody with them: then the power goes now.
        match tokio::time::timeout(NO_MORE, said.recv()).await {
            Ok(said) => acknowledged.push(said.unwrap()),
            Err(_) if slow => break,
            Err(_) => panic!("commits stand still"),
        }
    }
    // Whoever looks now has seen it before the power goes, acknowledged or not.
    let mut reader = store.begin().await.unwrap();
    let seen = all_of(&mut *reader).await;
    let left = folder.path().join("left");
    // What is promised by now is on disk by now, and more may be promised until the power is gone.
    fs::copy(beside(&path), beside(&left)).unwrap();
    // splitmix64: the same choices give the same disk.
    let mut seed = choices;
    let images = after_power_cut(&disks, || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) & 1 == 0
    });
    for (path, image) in files(&left).iter().zip(images) {
        fs::write(path, image).unwrap();
    }
    drop(stuck);
    let store = EmbeddedStore::open(&left).unwrap();
    let mut transaction = store.begin().await.unwrap();
    let kept = all_of(&mut *transaction).await;
    assert!(
        seen.iter()
            .all(|(key, _)| kept.iter().any(|(other, _)| other == key)),
        "seen and lost"
    );
    for (writer, n) in acknowledged {
        assert!(
            transaction
                .get(&[b'a', writer, n], Snapshot)
                .await
                .unwrap()
                .is_some(),
            "acknowledged and lost"
        );
    }
    let mut total = 0_i64;
    for (writer, n) in (0..8).flat_map(|writer| (0..100).map(move |n| (writer, n))) {
        let a = transaction.get(&[b'a', writer, n], Snapshot).await.unwrap();
        let b = transaction.get(&[b'b', writer, n], Snapshot).await.unwrap();
        assert_eq!(a.is_some(), b.is_some(), "half of a transaction");
        total += i64::from(a.is_some());
    }
    assert_eq!(
        transaction.get(b"total", Snapshot).await.unwrap().unwrap(),
        total.to_le_bytes()
    );
}

/// An upgrade is one commit: wherever it is interrupted, the file has the old format or ours.
#[tokio::test]
async fn an_upgrade_that_is_interrupted_is_begun_anew() {
    let mut refused = 0;
    for part in [Part::Write, Part::Sync] {
        for after in 0..12 {
            let folder = folder();
            let path = folder.path().join("registry");
            of_format_1(&path);
            below(&path).breaks(part, after, io::ErrorKind::StorageFull);
            match EmbeddedStore::open(&path) {
                Ok(_) => {}
                Err(StoreError::NotOpened(_) | StoreError::Unavailable(_)) => refused += 1,
                Err(other) => panic!("{other}"),
            }
            below(&path).heals();
            let store = EmbeddedStore::open(&path).unwrap();
            assert_eq!(get(&store, b"a").await, Some(b"1".to_vec()));
            put(&store, b"b", b"2").await.unwrap();
            drop(store);
            assert_eq!(about(&path)["version"], 8);
        }
    }
    assert!(refused > 5, "the disk hardly ever broke: {refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_power_cut_loses_no_acknowledged_commit_and_halves_none(
        until in 1_usize..300,
        slow in prop::bool::weighted(0.3),
        choices: u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(power_cut(until, slow, choices));
    }

    #[test]
    fn wherever_the_disk_breaks_no_acknowledged_commit_is_lost_and_none_is_halved(
        (which, part, after) in prop_oneof![
            (Just(0_usize), Just(Part::Grow), 0_u32..3),
            (Just(0), Just(Part::Write), 0_u32..600),
            (Just(0), Just(Part::Sync), 0_u32..20),
            (1_usize..3, Just(Part::Write), 0_u32..20),
            (1_usize..3, Just(Part::Sync), 0_u32..20),
        ],
        full: bool,
    ) {
        let says = if full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(survives(which, part, after, says));
    }
}

#[test]
fn a_broken_disk_breaks() {
    let disk = State::default();
    disk.breaks(Part::Write, 1, io::ErrorKind::Other);
    assert!(disk.check(Part::Sync).is_ok() && disk.check(Part::Write).is_ok());
    assert!(disk.check(Part::Write).is_err());
}
