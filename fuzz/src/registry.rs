//! The registry's part: keys, values, messages on the store's socket, and the embedded store's file.

use std::{fs, sync::OnceLock};

use coditect_registry::{
    keys, record,
    store::{Isolation::Snapshot, KeyRange, Store, StoreError, embedded::EmbeddedStore, remote},
    trailing_uuid,
};

/// A key of the store.
pub fn keys(data: &[u8]) {
    if let Ok(parsed) = keys::parse(data) {
        assert!(!parsed.kind.pattern.is_empty());
        let _ = parsed.to_string();
    }
    let _ = keys::stamp_of(data);
    let _ = keys::request_of(data);
    let _ = trailing_uuid(data);
}

/// A value of the store: the pattern of its key, a zero byte, and the value.
pub fn values(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == 0);
    let (pattern, value) = data.split_at(at.unwrap_or(data.len()));
    let value = value.get(1..).unwrap_or_default();
    let Ok(pattern) = std::str::from_utf8(pattern) else {
        return;
    };
    if let Err(error) = record::inspect(pattern, value) {
        assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    }
}

/// A message between a store's server and its client, without the length before it.
pub fn messages(data: &[u8]) {
    let _ = remote::is_message(data);
}

/// What is written over the embedded store's file: the first byte says which file, the next four where, the
/// rest what. Whatever it is, the store opens and can be read, or says which file it is that cannot be.
pub fn file(data: &[u8]) {
    static IMAGES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let Some(([which, at @ ..], over)) = data.split_first_chunk::<5>() else {
        return;
    };
    let images = IMAGES.get_or_init(images);
    let mut bytes = images[usize::from(which & 1)].clone();
    // The header decides most; so it is hit often.
    let reach = if which & 2 == 0 { 320 } else { bytes.len() };
    let at = u32::from_le_bytes(*at) as usize % reach;
    if which & 4 == 0 {
        for (byte, over) in bytes[at..].iter_mut().zip(over) {
            *byte = *over;
        }
    } else {
        bytes.truncate(at);
        bytes.extend_from_slice(over);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("registry");
    fs::write(&path, bytes).expect("a file");
    match EmbeddedStore::open(&path) {
        Ok(store) => read_all(&*store),
        Err(error) => assert!(error.to_string().contains("registry"), "{error}"),
    }
}

/// A small store as it is left by a process that closes it, and by one that is killed.
fn images() -> [Vec<u8>; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).expect("an empty store");
    runtime().block_on(async {
        for n in 0..20_u8 {
            let mut transaction = store.begin().await.expect("a transaction");
            transaction.set(&[n], &vec![n; usize::from(n) * 100]);
            transaction.commit().await.expect("a commit");
        }
    });
    let killed = fs::read(&path).expect("its file");
    drop(store);
    [fs::read(&path).expect("its file"), killed]
}

fn read_all(store: &dyn Store) {
    let all = KeyRange {
        begin: vec![],
        end: vec![0xff],
    };
    runtime().block_on(async {
        let mut transaction = store.begin().await.expect("a transaction");
        let _ = transaction.range(&all, 1_000, false, Snapshot).await;
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}
