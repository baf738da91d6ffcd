//! What the contract's suite cannot see: the file.

use std::fs;

use redb::{ReadableDatabase, ReadableTable};

use super::{
    super::{Isolation::Snapshot, KeyRange, limits},
    *,
};

pub(super) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

pub(super) async fn put(
    store: &EmbeddedStore,
    key: &[u8],
    value: &[u8],
) -> Result<Version, StoreError> {
    let mut transaction = store.begin().await?;
    transaction.set(key, value);
    transaction.commit().await
}

pub(super) async fn get(store: &EmbeddedStore, key: &[u8]) -> Option<Vec<u8>> {
    store
        .begin()
        .await
        .unwrap()
        .get(key, Snapshot)
        .await
        .unwrap()
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
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "registry",
            "registry.log.0",
            "registry.log.1",
            "registry.watermark"
        ],
        "nothing is left of making it"
    );
    for log in log::beside(&path) {
        let mode = fs::metadata(log).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
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
        .open_table(format::ABOUT)
        .unwrap()
        .insert("format", format::OURS + 1)
        .unwrap();
    write.commit().unwrap();
    drop(database);
    let refused = EmbeddedStore::open(&path).map(drop).unwrap_err();
    assert!(
        matches!(&refused, StoreError::NotOpened(why) if why.contains("newer")),
        "{refused}"
    );
}

/// A file as the first format had it.
pub(super) fn of_format_1(path: &Path) {
    let database = redb::Database::create(path).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut data = write.open_table(format::DATA).unwrap();
        data.insert(&b"a"[..], &b"1"[..]).unwrap();
        let mut about = write.open_table(format::ABOUT).unwrap();
        about.insert("format", 1).unwrap();
        about.insert("version", 7).unwrap();
    }
    write.commit().unwrap();
}

/// What the file says of itself.
pub(super) fn about(path: &Path) -> std::collections::BTreeMap<String, u64> {
    let database = redb::Database::open(path).unwrap();
    let about = database.begin_read().unwrap();
    let about = about.open_table(format::ABOUT).unwrap();
    about
        .iter()
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|(name, number)| (name.value().to_owned(), number.value()))
        .collect()
}

#[tokio::test]
async fn a_file_of_the_first_format_is_brought_up_once() {
    let folder = folder();
    let path = folder.path().join("registry");
    of_format_1(&path);
    let store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(get(&store, b"a").await, Some(b"1".to_vec()));
    let version = put(&store, b"b", b"2").await.unwrap();
    assert_eq!(version, Version(8), "versions go on");
    drop(store);
    let upgraded = about(&path);
    assert_eq!(
        (upgraded["format"], upgraded["version"]),
        (format::OURS, version.0)
    );
    let store = EmbeddedStore::open(&path).unwrap();
    store.compact().await.unwrap();
    drop(store);
    assert_eq!(
        about(&path),
        upgraded,
        "the id stays, also where all is written anew"
    );
}

#[test]
fn another_format_of_the_library_is_refused_by_name() {
    let folder = folder();
    let path = folder.path().join("registry");
    drop(EmbeddedStore::open(&path).unwrap());
    let whole = fs::read(&path).unwrap();
    // Each of the header's two commit slots begins with the number (redb's design.md).
    for (number, says) in [(2, "older database library"), (4, "backup")] {
        let mut other = whole.clone();
        (other[64], other[192]) = (number, number);
        fs::write(&path, &other).unwrap();
        let refused = EmbeddedStore::open(&path)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains(says) && refused.contains(path.to_str().unwrap()),
            "{refused}"
        );
        assert_eq!(fs::read(&path).unwrap(), other, "it is left alone");
    }
}

#[tokio::test]
async fn a_store_says_how_its_file_is_used() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    for n in 0..100_u8 {
        put(&store, &[n], &vec![n; 10_000]).await.unwrap();
    }
    // Until then they are in the log alone.
    drop(store);
    let store = EmbeddedStore::open(&path).unwrap();
    let mut clears = store.begin().await.unwrap();
    clears.clear_range(&KeyRange {
        begin: vec![10],
        end: vec![0xff],
    });
    clears.commit().await.unwrap();
    let before = store.figures().unwrap();
    assert_eq!((before.keys, before.stored_bytes), (10, 10 * 10_001));
    assert!(before.unused_bytes > 90 * 10_000, "{before:?}");
    store.compact().await.unwrap();
    let after = store.figures().unwrap();
    assert_eq!((after.keys, after.stored_bytes), (10, 10 * 10_001));
    assert!(after.unused_bytes < before.unused_bytes / 4, "{after:?}");
    assert!(after.file_bytes >= after.stored_bytes + after.overhead_bytes);
    assert_eq!(
        super::disk_use(&path).log,
        2 << 20,
        "room for what is to come"
    );
    assert!(
        store.description().starts_with("embedded, "),
        "{}",
        store.description()
    );
}

#[tokio::test]
async fn compaction_gives_space_back_and_keeps_everything() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    for n in 0..100_u8 {
        put(&store, &[n], &vec![n; 90_000]).await.unwrap();
    }
    drop(store);
    let store = EmbeddedStore::open(&path).unwrap();
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

/// An erased person's bytes lie in unused pages, and in the log, until these are given back.
#[tokio::test]
async fn compaction_leaves_nothing_of_what_was_cleared() {
    let folder = folder();
    let path = folder.path().join("registry");
    let holds = |what: &[u8]| {
        fs::read_dir(folder.path()).unwrap().any(|entry| {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(what.len()).any(|window| window == what)
        })
    };
    let store = EmbeddedStore::open(&path).unwrap();
    for n in 0..200_u8 {
        let value = format!("somebody-{n}@example.test");
        put(&store, &[n], value.as_bytes()).await.unwrap();
    }
    assert!(holds(b"somebody-17@"));
    let mut clears = store.begin().await.unwrap();
    clears.clear(&[17]);
    clears.commit().await.unwrap();
    store.compact().await.unwrap();
    assert!(!holds(b"somebody-17@"));
    assert!(holds(b"somebody-18@"));
    assert_eq!(
        get(&store, &[18]).await,
        Some(b"somebody-18@example.test".to_vec())
    );
    put(&store, &[17], b"on").await.unwrap();
    drop(store);
    let store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(get(&store, &[17]).await, Some(b"on".to_vec()));
}

/// The store's files as they lie there now, under another name.
fn copied(path: &Path) -> std::path::PathBuf {
    let copy = path.with_file_name("copy");
    let [first, second] = log::beside(path);
    let [first_copy, second_copy] = log::beside(&copy);
    for (from, to) in [
        (path.to_owned(), copy.clone()),
        (first, first_copy),
        (second, second_copy),
        (watermark::beside(path), watermark::beside(&copy)),
    ] {
        fs::copy(from, to).unwrap();
    }
    copy
}

fn refused(path: &Path) -> String {
    let refused = EmbeddedStore::open(path).map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt(_)), "{refused}");
    refused.to_string()
}

#[tokio::test]
async fn what_is_in_the_log_alone_is_taken_in() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    for n in 0..10_u8 {
        put(&store, &[n], &[n; 1_000]).await.unwrap();
    }
    let copy = copied(&path);
    for _ in 0..2 {
        let store = EmbeddedStore::open(&copy).unwrap();
        for n in 0..10_u8 {
            assert_eq!(get(&store, &[n]).await, Some(vec![n; 1_000]));
        }
    }
}

#[tokio::test]
async fn a_store_closed_in_order_needs_its_file_alone() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    let version = put(&store, b"a", b"1").await.unwrap();
    drop(store);
    for log in log::beside(&path) {
        assert!(!log.exists());
    }
    let copy = path.with_file_name("copy");
    fs::copy(&path, &copy).unwrap();
    let store = EmbeddedStore::open(&copy).unwrap();
    assert_eq!(get(&store, b"a").await, Some(b"1".to_vec()));
    assert_eq!(
        store.begin().await.unwrap().read_version().await.unwrap(),
        version
    );
}

#[tokio::test]
async fn a_log_that_is_missing_is_damage_until_somebody_decides() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    put(&store, b"a", b"1").await.unwrap();
    let copy = copied(&path);
    let log = log::beside(&copy);
    let whole = fs::read(&log[0]).unwrap();
    fs::remove_file(&log[0]).unwrap();
    // Asking again changes nothing, and neither does that there is no watermark.
    let watermark = fs::read(watermark::beside(&copy)).unwrap();
    for _ in 0..2 {
        let why = refused(&copy);
        for part in [&copy, &log[0], &log[1], &watermark::beside(&copy)] {
            assert!(why.contains(part.to_str().unwrap()), "{why}");
        }
        let _ = fs::remove_file(watermark::beside(&copy));
    }
    fs::write(watermark::beside(&copy), watermark).unwrap();
    // An empty log is no decision by itself: more was acknowledged.
    fs::write(&log[0], b"").unwrap();
    assert!(refused(&copy).contains("acknowledged"));
    // What is put back is taken in: nothing was changed by refusing.
    fs::remove_file(watermark::beside(&copy)).unwrap();
    fs::write(&log[0], whole).unwrap();
    let store = EmbeddedStore::open(&copy).unwrap();
    assert_eq!(get(&store, b"a").await, Some(b"1".to_vec()));
}

#[tokio::test]
async fn a_log_whose_middle_is_damaged_is_refused_until_somebody_decides() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    for n in 0..5_u8 {
        put(&store, &[n], &[n; 100]).await.unwrap();
    }
    let copy = copied(&path);
    let log = log::beside(&copy);
    let mut bytes = fs::read(&log[0]).unwrap();
    bytes[2 * 4096 + 50] ^= 1;
    fs::write(&log[0], bytes).unwrap();
    // A watermark that a power cut has left behind says less than the log proves.
    let promised = fs::read_to_string(watermark::beside(&copy)).unwrap();
    let promised = promised.replace("00005 kept", "00001 kept");
    fs::write(watermark::beside(&copy), promised).unwrap();
    for _ in 0..2 {
        let why = refused(&copy);
        assert!(
            why.contains("version 2") && why.contains("4 was acknowledged"),
            "{why}"
        );
    }
    fs::remove_file(watermark::beside(&copy)).unwrap();
    let store = EmbeddedStore::open(&copy).unwrap();
    assert_eq!(get(&store, &[1]).await, Some(vec![1; 100]));
    assert_eq!(get(&store, &[2]).await, None);
}

#[tokio::test]
async fn an_older_copy_is_not_continued_by_the_log_of_a_newer_one() {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    put(&store, b"a", b"1").await.unwrap();
    drop(store);
    let older = fs::read(&path).unwrap();
    let store = EmbeddedStore::open(&path).unwrap();
    put(&store, b"a", b"2").await.unwrap();
    let copy = copied(&path);
    fs::write(&copy, older).unwrap();
    let store = EmbeddedStore::open(&copy).unwrap();
    assert_eq!(get(&store, b"a").await, Some(b"1".to_vec()));
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
async fn a_page_is_read_no_further_than_its_limits() {
    let folder = folder();
    let store = EmbeddedStore::open(folder.path().join("registry")).unwrap();
    for n in 0..20_u8 {
        put(&store, &[n], &vec![n; limits::VALUE_BYTES])
            .await
            .unwrap();
    }
    let snapshot = store.engine.snapshot().await.unwrap();
    let all = KeyRange {
        begin: vec![],
        end: vec![0xff],
    };
    for reverse in [false, true] {
        let few = snapshot.range(&all, 3, reverse).await.unwrap();
        assert_eq!((few.entries.len(), few.more), (3, true));
        let large = snapshot.range(&all, 1_000, reverse).await.unwrap();
        assert_eq!(
            (large.entries.len(), large.more),
            (limits::PAGE_BYTES / limits::VALUE_BYTES, true)
        );
    }
}
