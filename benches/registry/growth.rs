//! A registry of a hundred times as many users.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::AccountId;
use coditect_registry::{
    Registry, keys,
    store::{Isolation, KeyRange, Store, embedded::EmbeddedStore},
};
use uuid::Uuid;

use crate::{
    figures::{at, micros, progress, table, verdict},
    people, reads,
};

/// Operations of one round on one size, before it is the other's turn.
const ROUND: usize = 50;

struct Sized {
    store: Arc<dyn Store>,
    registry: Registry,
    /// Keys of records anywhere in it, none of which has been read since it was opened.
    keys: Vec<Vec<u8>>,
    first: Vec<Duration>,
    again: Vec<Duration>,
    range: Vec<Duration>,
    sign_up: Vec<Duration>,
    filled_in: Duration,
    opened_in: Duration,
    bytes: u64,
}

impl Sized {
    /// A registry of so many users, filled, closed and opened: what filling leaves in the program's memory is not
    /// what a registry of this size has there.
    async fn new(folder: &Path, users: usize, rounds: usize) -> Self {
        progress(&format!("filling a registry with {users} users"));
        let path = folder.join(format!("{users}.redb"));
        let began = Instant::now();
        let keys = {
            let store = EmbeddedStore::open(&path).unwrap() as Arc<dyn Store>;
            people::fill(&store, users).await;
            let mut keys = Vec::new();
            while keys.len() < rounds * ROUND {
                keys.push(somewhere(&store, users).await);
            }
            keys
        };
        let filled_in = began.elapsed();
        let began = Instant::now();
        let embedded = EmbeddedStore::open(&path).unwrap();
        let opened_in = began.elapsed();
        let store = Arc::clone(&embedded) as Arc<dyn Store>;
        Self {
            registry: Registry::open(Arc::clone(&store)).await.unwrap(),
            store,
            keys,
            first: Vec::new(),
            again: Vec::new(),
            range: Vec::new(),
            sign_up: Vec::new(),
            filled_in,
            opened_in,
            bytes: embedded.size_bytes(),
        }
    }

    async fn round(&mut self) {
        let keys = self.keys.split_off(self.keys.len() - ROUND);
        for key in &keys {
            self.first.push(reads::point(&self.store, key).await);
        }
        // Reads of other places in between: what was just looked up is not what is timed.
        for key in &keys {
            self.again.push(reads::point(&self.store, key).await);
        }
        for key in keys.iter().take(ROUND / 5) {
            self.range.push(reads::range(&self.store, key).await);
        }
        for _ in 0..ROUND {
            let began = Instant::now();
            people::sign_up(&self.registry).await;
            self.sign_up.push(began.elapsed());
        }
    }
}

/// The first key of an account's records behind a random place.
async fn somewhere(store: &Arc<dyn Store>, users: usize) -> Vec<u8> {
    let user = Uuid::new_v4().as_u128() % users as u128;
    let mut id = [0_u8; 16];
    id[..4].copy_from_slice(&u32::try_from(user).unwrap().to_be_bytes());
    let from = keys::account_all(AccountId::from_bytes(id)).begin;
    let range = KeyRange {
        begin: from,
        end: vec![0xff],
    };
    let mut transaction = store.begin().await.unwrap();
    let page = transaction
        .range(&range, 1, false, Isolation::Snapshot)
        .await
        .unwrap();
    page.entries[0].0.clone()
}

pub(crate) fn run(small: usize, large: usize, rounds: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut few, mut many) = runtime.block_on(async {
        let mut few = Sized::new(folder.path(), small, rounds).await;
        let mut many = Sized::new(folder.path(), large, rounds).await;
        progress("operations on both");
        for _ in 0..rounds {
            few.round().await;
            many.round().await;
        }
        (few, many)
    });
    let mut ratios = Vec::new();
    let mut row = |what: &str, few: &mut [Duration], many: &mut [Duration]| {
        let (few_p50, many_p50) = (micros(at(0.5, few)), micros(at(0.5, many)));
        ratios.push(many_p50 / few_p50);
        [
            what.to_owned(),
            format!("{few_p50:.1} µs"),
            format!("{:.1} µs", micros(at(0.99, few))),
            format!("{many_p50:.1} µs"),
            format!("{:.1} µs", micros(at(0.99, many))),
            format!("{:.2} ×", many_p50 / few_p50),
        ]
    };
    let rows = vec![
        row("one record, read before", &mut few.again, &mut many.again),
        row("a durable sign-up", &mut few.sign_up, &mut many.sign_up),
        row(
            "one record, for the first time",
            &mut few.first,
            &mut many.first,
        ),
        row("1,000 records", &mut few.range, &mut many.range),
    ];
    let (few_head, many_head) = (format!("{small} users: p50"), format!("{large} users: p50"));
    table(
        "Growth",
        ["what", &few_head, "p99", &many_head, "p99", "beside"],
        rows,
    );
    println!(
        "{large} users were written in {:.0} s, {:.0} a second; the file has {:.2} GB, which were checked and opened \
         in {:.1} s",
        many.filled_in.as_secs_f64(),
        large as f64 / many.filled_in.as_secs_f64(),
        many.bytes as f64 / 1e9,
        many.opened_in.as_secs_f64()
    );
    let worst = ratios[0].max(ratios[1]);
    println!(
        "point operations at {large} users: {worst:.2} × those at {small} (target: 1.5): {}",
        verdict(worst <= 1.5)
    );
}
