//! Durable sign-ups a second, beside the disk's own syncs and SQLite.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use coditect_registry::{
    Registry,
    store::{Store, embedded::EmbeddedStore},
};

use crate::{
    figures::{median, progress, raw_sync_rate, table, verdict},
    people,
    sqlite::{self, Sharing, Synchronous},
};

pub(crate) const CLIENTS: [usize; 3] = [1, 8, 64];

struct Row {
    clients: usize,
    ours: f64,
    raw: f64,
    full: f64,
    full_one: f64,
    off: f64,
}

pub(crate) fn run(rounds: usize, time: Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    // More than any of them gets done.
    let enough = (time.as_secs_f64() * 12_000.0) as usize;
    progress(&format!("recording what {enough} sign-ups read and write"));
    let work = Arc::new(runtime.block_on(people::recorded(enough)));
    let rows: Vec<Row> = CLIENTS
        .into_iter()
        .map(|clients| {
            progress(&format!("sign-ups of {clients} clients"));
            let mut found: [Vec<f64>; 5] = Default::default();
            // Side by side, so that a slow moment of the disk hits all.
            for _ in 0..rounds {
                let sql = |synchronous, sharing| {
                    let folder = tempfile::tempdir().unwrap();
                    sqlite::throughput(folder.path(), synchronous, sharing, clients, time, &work)
                };
                let folder = tempfile::tempdir().unwrap();
                found[0].push(runtime.block_on(ours(folder.path(), clients, time)));
                found[1].push(raw_sync_rate(folder.path(), time / 2));
                found[2].push(sql(Synchronous::Full, Sharing::Connections));
                found[3].push(sql(Synchronous::Full, Sharing::OneConnection));
                found[4].push(
                    sql(Synchronous::Off, Sharing::Connections)
                        .max(sql(Synchronous::Off, Sharing::OneConnection)),
                );
            }
            let [ours, raw, full, full_one, off] = found.map(median);
            Row {
                clients,
                ours,
                raw,
                full,
                full_one,
                off,
            }
        })
        .collect();
    print(&rows);
}

/// The real operation through the registry on the embedded store.
async fn ours(folder: &Path, clients: usize, time: Duration) -> f64 {
    let store = EmbeddedStore::open(folder.join("registry.redb")).unwrap();
    let registry = Registry::open(store as Arc<dyn Store>).await.unwrap();
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let began = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (registry, stop, done) = (registry.clone(), Arc::clone(&stop), Arc::clone(&done));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    people::sign_up(&registry).await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    let rate = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    rate
}

fn print(rows: &[Row]) {
    table(
        "Durable sign-ups a second (the peers do the same reads and writes, already computed)",
        [
            "clients",
            "coditect, embedded",
            "one page synced (raw)",
            "SQLite WAL FULL, a connection each",
            "SQLite WAL FULL, one connection",
            "SQLite WAL, sync OFF",
            "beside SQLite FULL",
            "beside raw",
        ],
        rows.iter()
            .map(|row| {
                [
                    row.clients.to_string(),
                    format!("{:.0}", row.ours),
                    format!("{:.0}", row.raw),
                    format!("{:.0}", row.full),
                    format!("{:.0}", row.full_one),
                    format!("{:.0}", row.off),
                    format!("{:.2} ×", row.ours / row.full.max(row.full_one)),
                    format!("{:.2} ×", row.ours / row.raw),
                ]
            })
            .collect(),
    );
    for row in rows {
        let peer = row.full.max(row.full_one);
        println!(
            "{} clients: {:.2} × the better SQLite with synchronous=FULL (target: not slower): {}",
            row.clients,
            row.ours / peer,
            verdict(row.ours >= peer)
        );
    }
    if let Some(row) = rows.last() {
        let target = (5.0 * row.raw).min(row.off / 2.0);
        println!(
            "{} clients: {:.0} a second (target: the smaller of 5 × raw, {:.0}, and half of SQLite with sync off, {:.0}): {}",
            row.clients,
            row.ours,
            5.0 * row.raw,
            row.off / 2.0,
            verdict(row.ours >= target)
        );
    }
}
