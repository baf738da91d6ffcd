//! The peer: SQLite, with the same keys and values in one table.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::recording::Step;

/// How long a connection waits for another's write.
const BUSY: Duration = Duration::from_secs(60);

/// When SQLite waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Synchronous {
    /// At every commit.
    Full,
    /// Never.
    Off,
}

/// How clients share the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// A connection each, and SQLite's own lock.
    Connections,
    /// One connection behind a lock of this program.
    OneConnection,
}

pub(crate) fn open(path: &Path, synchronous: Synchronous) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(BUSY).unwrap();
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .unwrap();
    let level = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Off => "OFF",
    };
    connection
        .pragma_update(None, "synchronous", level)
        .unwrap();
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS data (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        )
        .unwrap();
    connection
}

/// Does what a recorded transaction did.
pub(crate) fn replay(connection: &mut Connection, steps: &[Step], stamps: &AtomicU64) {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    for step in steps {
        run(&transaction, step, stamps);
    }
    transaction.commit().unwrap();
}

fn run(transaction: &Transaction<'_>, step: &Step, stamps: &AtomicU64) {
    const SET: &str =
        "INSERT INTO data (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
    let cached = |sql| transaction.prepare_cached(sql).unwrap();
    match step {
        Step::Get(key) => {
            get(transaction, key);
        }
        Step::Range(range, limit) => {
            page(transaction, &range.begin, &range.end, *limit);
        }
        Step::Set(key, value) => {
            cached(SET).execute(params![key, value]).unwrap();
        }
        Step::Add(key, delta) => {
            let before = get(transaction, key)
                .map_or(0, |value| i64::from_le_bytes(value.try_into().unwrap()));
            let sum = (before + delta).to_le_bytes();
            cached(SET).execute(params![key, sum]).unwrap();
        }
        Step::Append(prefix, value) => {
            let stamp = stamps.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            let key = [&prefix[..], &[0x33], &stamp, &[0; 4]].concat();
            cached(SET).execute(params![key, value]).unwrap();
        }
        Step::Clear(key) => {
            cached("DELETE FROM data WHERE key = ?1")
                .execute([key])
                .unwrap();
        }
        Step::ClearRange(range) => {
            cached("DELETE FROM data WHERE key >= ?1 AND key < ?2")
                .execute([&range.begin, &range.end])
                .unwrap();
        }
    }
}

pub(crate) fn get(connection: &Connection, key: &[u8]) -> Option<Vec<u8>> {
    connection
        .prepare_cached("SELECT value FROM data WHERE key = ?1")
        .unwrap()
        .query_row([key], |row| row.get(0))
        .optional()
        .unwrap()
}

pub(crate) fn page(
    connection: &Connection,
    begin: &[u8],
    end: &[u8],
    limit: usize,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut statement = connection
        .prepare_cached(
            "SELECT key, value FROM data WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3",
        )
        .unwrap();
    let rows = statement
        .query_map(params![begin, end, i64::try_from(limit).unwrap()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}

/// Transactions a second of so many clients for so long.
pub(crate) fn throughput(
    folder: &Path,
    synchronous: Synchronous,
    sharing: Sharing,
    clients: usize,
    time: Duration,
    work: &Arc<Vec<Vec<Step>>>,
) -> f64 {
    let path = folder.join("sqlite");
    let shared = Arc::new(Mutex::new(open(&path, synchronous)));
    let (next, done, stamps) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
    );
    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let (shared, next, done, stamps, stop, work, path) = (
                Arc::clone(&shared),
                Arc::clone(&next),
                Arc::clone(&done),
                Arc::clone(&stamps),
                Arc::clone(&stop),
                Arc::clone(work),
                path.clone(),
            );
            std::thread::spawn(move || {
                let mut own = (sharing == Sharing::Connections).then(|| open(&path, synchronous));
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(steps) = work.get(usize::try_from(number).unwrap()) else {
                        return;
                    };
                    match &mut own {
                        Some(connection) => replay(connection, steps, &stamps),
                        None => replay(&mut shared.lock().unwrap(), steps, &stamps),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    while began.elapsed() < time && done.load(Ordering::Relaxed) < work.len() as u64 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (count, took) = (done.load(Ordering::Relaxed), began.elapsed());
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    count as f64 / took.as_secs_f64()
}
