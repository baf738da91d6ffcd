//! What the contract's suite cannot see: the file, and a disk that fails.

use std::{fs, time::Duration};

use proptest::prelude::*;

use super::{
    super::{Isolation::Snapshot, KeyRange},
    disk::{self, Part},
    *,
};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn put(store: &EmbeddedStore, key: &[u8], value: &[u8]) -> Result<Version, StoreError> {
    let mut transaction = store.begin().await?;
    transaction.set(key, value);
    transaction.commit().await
}

async fn get(store: &EmbeddedStore, key: &[u8]) -> Option<Vec<u8>> {
    store
        .begin()
        .await
        .unwrap()
        .get(key, Snapshot)
        .await
        .unwrap()
}

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
async fn what_was_acknowledged_is_there_after_reopening_and_versions_go_on() {
    let folder = folder();
    let path = folder.path().join("registry");
    let mut last = Version(0);
    for round in 0..3_u8 {
        let store = EmbeddedStore::open(&path).unwrap();
        for before in 0..round {
            assert_eq!(get(&store, &[before]).await, Some(vec![before]));
        }
        assert_eq!(
            store.begin().await.unwrap().read_version().await.unwrap(),
            last
        );
        let version = put(&store, &[round], &[round]).await.unwrap();
        assert!(version > last);
        last = version;
    }
}

#[tokio::test]
async fn one_file_has_one_owner() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    let refused = EmbeddedStore::open(&path).map(drop).unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, StoreError::NotOpened(_)), "{text}");
    assert!(
        text.contains(path.to_str().unwrap())
            && text.contains("another process")
            && text.contains("socket"),
        "{text}"
    );
    drop(store);
    EmbeddedStore::open(&path).unwrap();
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = folder.path().join("registry");
    let _store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["registry"], "nothing is left of making it");
}

#[test]
fn what_is_no_registry_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("registry");
    for content in [&b""[..], b"name: value\n", &[0; 10_000], &[0xff; 10_000]] {
        fs::write(&path, content).unwrap();
        let refused = EmbeddedStore::open(&path)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(refused.contains(path.to_str().unwrap()), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    let refused = EmbeddedStore::open(folder.path().join("no/such/folder"))
        .map(drop)
        .unwrap_err();
    assert!(refused.to_string().contains("no/such/folder"), "{refused}");
}

#[test]
fn a_newer_format_is_refused() {
    let folder = folder();
    let path = folder.path().join("registry");
    drop(EmbeddedStore::open(&path).unwrap());
    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    write
        .open_table(file::ABOUT)
        .unwrap()
        .insert("format", 2)
        .unwrap();
    write.commit().unwrap();
    drop(database);
    let refused = EmbeddedStore::open(&path).map(drop).unwrap_err();
    assert!(
        matches!(&refused, StoreError::NotOpened(why) if why.contains("newer")),
        "{refused}"
    );
}

#[tokio::test]
async fn compaction_gives_space_back_and_keeps_everything() {
    let folder = folder();
    let store = EmbeddedStore::open(folder.path().join("registry")).unwrap();
    for n in 0..100_u8 {
        put(&store, &[n], &vec![n; 90_000]).await.unwrap();
    }
    let mut clears = store.begin().await.unwrap();
    clears.clear_range(&KeyRange {
        begin: vec![1],
        end: vec![0xff],
    });
    clears.commit().await.unwrap();
    let before = store.size_bytes();
    let mut open = store.begin().await.unwrap();
    store.compact().await.unwrap();
    assert!(
        store.size_bytes() < before / 2,
        "{before} bytes before, {} after",
        store.size_bytes()
    );
    assert!(matches!(
        open.get(&[0], Snapshot).await,
        Err(StoreError::TooOld)
    ));
    assert_eq!(get(&store, &[0]).await, Some(vec![0; 90_000]));
    put(&store, &[1], b"on").await.unwrap();
}

#[tokio::test]
async fn a_snapshot_nobody_may_read_any_more_is_let_go() {
    let folder = folder();
    let store = EmbeddedStore::open(folder.path().join("registry")).unwrap();
    put(&store, b"a", b"1").await.unwrap();
    let snapshot = store.engine.snapshot().await.unwrap();
    put(&store, b"a", b"2").await.unwrap();
    assert_eq!(snapshot.get(b"a").await.unwrap(), Some(b"1".to_vec()));
    drop(store);
    assert!(
        matches!(snapshot.get(b"a").await, Err(StoreError::TooOld)),
        "a closed store lets go of its versions"
    );
}

#[tokio::test]
async fn a_full_disk_refuses_commits_and_serves_reads_until_there_is_room() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    put(&store, b"kept", b"1").await.unwrap();
    let disk = disk::below(&path);
    disk.breaks(Part::Grow, 0);
    let mut refused = 0;
    for n in 0..200_u8 {
        match put(&store, &[n], &vec![n; 90_000]).await {
            Ok(_) => assert_eq!(refused, 0, "a write was taken without room"),
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
        assert_eq!(get(&store, b"kept").await, Some(b"1".to_vec()));
    }
    assert!(refused > 0, "the disk was never full");
    disk.heals();
    put_at_last(&store, b"after", b"2").await;
    drop(store);
    let store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(get(&store, b"after").await, Some(b"2".to_vec()));
    assert_eq!(get(&store, &[0]).await, Some(vec![0; 90_000]));
    assert_eq!(get(&store, &[199]).await, None, "a refused write happened");
}

/// Breaks the disk at the given place of its work under a stream of commits, heals it, and compares.
async fn survives(part: Part, after: u32) {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    let disk = disk::below(&path);
    disk.breaks(part, after);
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

/// The file as a crash at this moment would leave it.
fn copied(folder: &tempfile::TempDir) -> PathBuf {
    let copy = folder.path().join("copy");
    fs::copy(folder.path().join("registry"), &copy).unwrap();
    copy
}

/// Cuts the power under eight writers once `until` commits have been acknowledged.
async fn power_cut(until: usize, choices: u64) {
    let folder = folder();
    let path = folder.path().join("registry");
    drop(EmbeddedStore::open(&path).unwrap());
    disk::below(&path).keeps_account(&path);
    let store = EmbeddedStore::open(&path).unwrap();
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
        acknowledged.push(said.recv().await.unwrap());
    }
    // splitmix64: the same choices give the same disk.
    let mut seed = choices;
    let image = disk::below(&path).after_power_cut(|| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) & 1 == 0
    });
    let left = folder.path().join("left");
    fs::write(&left, image).unwrap();
    let store = EmbeddedStore::open(&left).unwrap();
    let mut transaction = store.begin().await.unwrap();
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_power_cut_loses_no_acknowledged_commit_and_halves_none(until in 1_usize..60, choices: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(power_cut(until, choices));
    }

    #[test]
    fn wherever_the_disk_breaks_no_acknowledged_commit_is_lost_and_none_is_halved(
        (part, after) in prop_oneof![
            (Just(Part::Grow), 0_u32..3),
            (Just(Part::Write), 0_u32..600),
            (Just(Part::Sync), 0_u32..40),
        ],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(survives(part, after));
    }
}

#[test]
fn a_broken_disk_breaks() {
    let disk = disk::State::default();
    disk.breaks(Part::Write, 1);
    assert!(disk.check(Part::Sync).is_ok() && disk.check(Part::Write).is_ok());
    assert!(disk.check(Part::Write).is_err());
}
