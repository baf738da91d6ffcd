//! The change feed: everybody's changes, in their order, none of them missed and none told too early; and its
//! floor, below which nobody has to look.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use coditect_core::{CellName, UserId, Version};
use coditect_registry::{
    Abort, Changes, Operation, Registry, Tx,
    operation::{NoteCommitted, TrimFeed},
    store::StoreError,
};
use futures::future::join_all;
use jiff::Timestamp;

use super::{ask, look, registry, settled};
use crate::{access::get, bench::on_every_store, support::at};

const WRITERS: usize = 6;
const EACH: usize = 12;

fn cell() -> CellName {
    "local".parse().unwrap()
}

/// A change of users whose ids were never used before, and that of each one's own record.
struct Change(Vec<UserId>);

fn record(user: UserId) -> Vec<u8> {
    [b"record", &user.as_uuid().as_bytes()[..]].concat()
}

#[async_trait]
impl Operation for Change {
    const NAME: &'static str = "change";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        for user in &self.0 {
            tx.put(&record(*user), user)?;
            tx.announce_change(&cell(), *user)?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        at(0)
    }
}

/// Who changed what, and when they were told that it is done.
struct Written {
    clock: AtomicU64,
    acknowledged: Mutex<BTreeMap<UserId, u64>>,
    over: AtomicBool,
}

impl Written {
    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

/// The changes of one writer, in their order; each commit has up to three.
async fn write(registry: Registry, written: Arc<Written>) -> Result<Vec<Vec<UserId>>, StoreError> {
    let mut mine = Vec::new();
    for n in 0..EACH {
        let change = Change((0..=n % 3).map(|_| UserId::random()).collect());
        settled(ask(&registry, &change).await)?;
        let now = written.now();
        let mut acknowledged = written.acknowledged.lock().unwrap();
        acknowledged.extend(change.0.iter().map(|user| (*user, now)));
        drop(acknowledged);
        mine.push(change.0);
    }
    Ok(mine)
}

/// One look at the feed.
struct Step {
    began: u64,
    changes: Changes,
}

/// Follows the feed from the beginning until all is written and read, a few entries at a time.
async fn follow(
    registry: Registry,
    written: Arc<Written>,
    limit: usize,
) -> Result<Vec<Step>, StoreError> {
    let (mut steps, mut after) = (Vec::new(), Version(0));
    loop {
        let over = written.over.load(Ordering::SeqCst);
        let began = written.now();
        let changes = look(&registry, move |view| {
            Box::pin(async move { view.changes_after(&cell(), after, limit).await })
        })
        .await?;
        assert!(changes.until >= after, "the feed goes back");
        // Whoever hears of a change finds it when they look.
        for user in &changes.users {
            let key = record(*user);
            let found = get(&**registry.store(), &key).await?;
            assert!(found.is_some(), "a change was told before it was there");
        }
        let (until, more) = (changes.until, changes.more);
        steps.push(Step { began, changes });
        if over && !more {
            return Ok(steps);
        }
        after = until;
        tokio::task::yield_now().await;
    }
}

/// What the feed's promises are, for one who followed it.
fn keeps_its_promises(steps: &[Step], writers: &[Vec<Vec<UserId>>], written: &Written) {
    let acknowledged = written.acknowledged.lock().unwrap();
    let mut seen: BTreeMap<UserId, usize> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        for user in &step.changes.users {
            let before = seen.insert(*user, at);
            assert_eq!(
                before, None,
                "seen twice, though each change has its own place"
            );
        }
        if !step.changes.more {
            let missed = acknowledged
                .iter()
                .filter(|(_, at)| **at < step.began)
                .find(|(user, _)| !seen.contains_key(user));
            assert_eq!(
                missed, None,
                "acknowledged before the look, and not seen by it"
            );
        }
    }
    for changes in writers {
        let places: Vec<usize> = changes
            .iter()
            .flat_map(|commit| {
                let places: BTreeSet<_> = commit.iter().map(|user| seen.get(user)).collect();
                assert_eq!(places.len(), 1, "a commit was cut in two");
                places
            })
            .map(|place| *place.expect("a change was never seen"))
            .collect();
        assert!(places.is_sorted(), "out of order: {places:?}");
    }
    let all: usize = writers.iter().flatten().map(Vec::len).sum();
    assert_eq!(seen.len(), all);
}

/// Publishes a checkpoint now and then, and trims what it covers; or asks for more than that.
async fn publish(registry: Registry, written: Arc<Written>) -> Result<(), StoreError> {
    let (mut after, mut greedy) = (Version(0), false);
    while !written.over.load(Ordering::SeqCst) {
        let changes = look(&registry, move |view| {
            Box::pin(async move { view.changes_after(&cell(), after, 5).await })
        })
        .await?;
        after = changes.until;
        let note = NoteCommitted {
            cell: cell(),
            commit: "0".repeat(40),
            rows: vec![],
            checkpoint: Some(after),
            at: at(1),
        };
        settled(ask(&registry, &note).await)?;
        let trim = TrimFeed {
            cell: cell(),
            until: if greedy { Version(u64::MAX) } else { after },
            at: at(1),
        };
        greedy = !greedy;
        settled(ask(&registry, &trim).await)?;
    }
    Ok(())
}

/// Looks at floor and checkpoint, again and again. Both only rise.
async fn watch_floor(registry: Registry, written: Arc<Written>) -> Result<Version, StoreError> {
    let mut last = (Version(0), Version(0));
    loop {
        let over = written.over.load(Ordering::SeqCst);
        let (floor, published) = look(&registry, |view| {
            Box::pin(async move {
                let floor = view.feed_floor(&cell()).await?;
                Ok((floor, view.published(&cell()).await?))
            })
        })
        .await?;
        assert!(floor <= published, "{floor} is above {published}");
        assert!(last.0 <= floor && last.1 <= published, "one of them sank");
        last = (floor, published);
        if over {
            return Ok(floor);
        }
        tokio::task::yield_now().await;
    }
}

async fn writers(
    registry: &Registry,
    written: &Arc<Written>,
) -> Result<Vec<Vec<Vec<UserId>>>, StoreError> {
    let writers = (0..WRITERS).map(|_| tokio::spawn(write(registry.clone(), Arc::clone(written))));
    let mut changes = Vec::new();
    for writer in join_all(writers).await {
        changes.push(writer.unwrap()?);
    }
    written.over.store(true, Ordering::SeqCst);
    Ok(changes)
}

fn nothing_written() -> Arc<Written> {
    Arc::new(Written {
        clock: AtomicU64::new(0),
        acknowledged: Mutex::default(),
        over: AtomicBool::new(false),
    })
}

on_every_store! {
    async fn followers_miss_nothing_and_hear_nothing_early(bench) {
        let registry = registry(bench).await?;
        let written = nothing_written();
        let followers = [1, 2, 7, 1_000].map(|limit| {
            tokio::spawn(follow(registry.clone(), Arc::clone(&written), limit))
        });
        let changes = writers(&registry, &written).await?;
        for follower in followers {
            keeps_its_promises(&follower.await.unwrap()?, &changes, &written);
        }
    }

    async fn the_floor_stays_below_what_is_published_and_the_rest_is_whole(bench) {
        let registry = registry(bench).await?;
        let written = nothing_written();
        let publisher = tokio::spawn(publish(registry.clone(), Arc::clone(&written)));
        let watcher = tokio::spawn(watch_floor(registry.clone(), Arc::clone(&written)));
        let changes = writers(&registry, &written).await?;
        publisher.await.unwrap()?;
        watcher.await.unwrap()?;
        let floor = look(&registry, |view| Box::pin(async move { view.feed_floor(&cell()).await })).await?;
        // Who has read up to the floor goes on without a gap: what is left is what they have not seen.
        let rest = look(&registry, move |view| Box::pin(async move { view.changes_after(&cell(), floor, 10_000).await })).await?;
        let all = look(&registry, |view| Box::pin(async move { view.changes_after(&cell(), Version(0), 10_000).await })).await?;
        assert_eq!(rest.users, all.users, "something at or below the floor is left");
        let everybody: BTreeSet<UserId> = changes.into_iter().flatten().flatten().collect();
        assert!(rest.users.is_subset(&everybody));
    }
}
