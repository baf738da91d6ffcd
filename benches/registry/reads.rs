//! One record and a thousand, beside SQLite.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_registry::store::{Isolation, KeyRange, Store, embedded::EmbeddedStore};
use uuid::Uuid;

use crate::{
    figures::{at, micros, progress, table},
    people,
    sqlite::{self, Synchronous},
};

/// Rows of the long read.
const ROWS: usize = 1_000;

pub(crate) fn everything() -> KeyRange {
    KeyRange {
        begin: vec![0x00],
        end: vec![0xff],
    }
}

/// Every key and value.
pub(crate) async fn all(store: &Arc<dyn Store>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = everything();
    loop {
        let mut transaction = store.begin().await.unwrap();
        let page = transaction
            .range(&rest, ROWS, false, Isolation::Snapshot)
            .await
            .unwrap();
        found.extend(page.entries);
        match found.last() {
            Some((last, _)) if page.more => rest = rest.after(last),
            _ => return found,
        }
    }
}

pub(crate) async fn point(store: &Arc<dyn Store>, key: &[u8]) -> Duration {
    let began = Instant::now();
    let mut transaction = store.begin().await.unwrap();
    let value = transaction.get(key, Isolation::Snapshot).await.unwrap();
    let took = began.elapsed();
    assert!(value.is_some());
    took
}

pub(crate) async fn range(store: &Arc<dyn Store>, from: &[u8]) -> Duration {
    let range = KeyRange {
        begin: from.to_vec(),
        end: vec![0xff],
    };
    let began = Instant::now();
    let mut transaction = store.begin().await.unwrap();
    let page = transaction
        .range(&range, ROWS, false, Isolation::Snapshot)
        .await
        .unwrap();
    let took = began.elapsed();
    assert!(!page.entries.is_empty());
    took
}

pub(crate) fn run(users: usize, samples: usize) {
    progress(&format!("reads among {users} users"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut ours_point, mut ours_range, mut sql_point, mut sql_range) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        let store = EmbeddedStore::open(folder.path().join("registry.redb")).unwrap();
        let store = store as Arc<dyn Store>;
        people::fill(&store, users).await;
        let rows = all(&store).await;
        let mut connection = sqlite::open(&folder.path().join("sqlite"), Synchronous::Full);
        let transaction = connection.transaction().unwrap();
        for (key, value) in &rows {
            transaction
                .prepare_cached("INSERT INTO data (key, value) VALUES (?1, ?2)")
                .unwrap()
                .execute([key, value])
                .unwrap();
        }
        transaction.commit().unwrap();
        let keys: Vec<&Vec<u8>> = rows.iter().map(|(key, _)| key).collect();
        let starts = &keys[..keys.len() - ROWS];
        let one_of = |keys: &[&Vec<u8>]| {
            keys[(Uuid::new_v4().as_u128() % keys.len() as u128) as usize].clone()
        };
        for _ in 0..samples {
            let key = &one_of(&keys);
            ours_point.push(point(&store, key).await);
            let began = Instant::now();
            assert!(sqlite::get(&connection, key).is_some());
            sql_point.push(began.elapsed());
        }
        for _ in 0..samples / 20 {
            let from = &one_of(starts);
            ours_range.push(range(&store, from).await);
            let began = Instant::now();
            assert_eq!(sqlite::page(&connection, from, &[0xff], ROWS).len(), ROWS);
            sql_range.push(began.elapsed());
        }
    });
    let row = |what: &str, ours: &mut [Duration], sql: &mut [Duration]| {
        let (p50, peer) = (micros(at(0.5, ours)), micros(at(0.5, sql)));
        [
            what.to_owned(),
            format!("{p50:.1} µs"),
            format!("{:.1} µs", micros(at(0.99, ours))),
            format!("{peer:.1} µs"),
            format!("{:.1} µs", micros(at(0.99, sql))),
            format!("{:.2} ×", p50 / peer),
        ]
    };
    let rows = vec![
        row("one record", &mut ours_point, &mut sql_point),
        row("1,000 records", &mut ours_range, &mut sql_range),
    ];
    table(
        &format!("Reads among the records of {users} users, each a transaction of its own"),
        [
            "what",
            "coditect p50",
            "p99",
            "SQLite p50",
            "p99",
            "time beside SQLite",
        ],
        rows,
    );
}
