//! A test aid: the model in memory under the weather of a cluster, drawn from a seed.
//!
//! Whatever the contract allows a store to do, this one does often: conflicts for no reason, transactions
//! that are too old at once, commits that overtake one another, unknown results of both kinds, short pages,
//! waiting that ends without a change, versions with gaps, and several transactions of one version. What it
//! must not do, it refuses loudly: a transaction used after its commit. Work that passes here has read the
//! contract, not the habits of one back end.
//!
//! On a runtime of one thread whose clock is paused, one seed gives one course of events, and no time is
//! spent waiting.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use coditect_core::Version;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    Isolation, KeyRange, Page, Store, StoreError, Transaction, Value,
    memory::{MemorySnapshot, Versions, read, write},
    optimistic::{self, CommitRequest, Engine, Snapshot},
    watches::Watches,
};

/// How often things go otherwise, each in thousandths of the times they could.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Commits that are refused with `Conflict` though nothing has changed.
    pub conflict: u32,
    /// Commits that happen and answer `UnknownResult`.
    pub unknown_done: u32,
    /// Commits that do not happen and answer `UnknownResult`.
    pub unknown_lost: u32,
    /// Commits that answer `UnknownResult` and happen a while later, unless something they read has changed by
    /// then: what a time-out leaves behind.
    pub unknown_late: u32,
    /// Reads and commits that answer `TooOld` however young the transaction is.
    pub too_old: u32,
    /// Pages shorter than asked for.
    pub short_page: u32,
    /// Waits that end without a change.
    pub woken_early: u32,
    /// Commits that share the version of the one before, where nobody can have seen it yet.
    pub batch: u32,
    /// How long a request or its answer is on its way at most. Who is longer on the way is overtaken.
    pub longest_delay: Duration,
}

impl Weather {
    /// Nothing goes wrong; versions still have gaps and batches.
    pub const CALM: Self = Self {
        conflict: 0,
        unknown_done: 0,
        unknown_lost: 0,
        unknown_late: 0,
        too_old: 0,
        short_page: 0,
        woken_early: 0,
        batch: 500,
        longest_delay: Duration::from_millis(5),
    };
    /// More goes wrong in a minute than in a cluster's bad year, and most attempts still get through.
    pub const STORMY: Self = Self {
        conflict: 60,
        unknown_done: 30,
        unknown_lost: 30,
        unknown_late: 30,
        too_old: 5,
        short_page: 300,
        woken_early: 200,
        ..Self::CALM
    };
}

/// What the weather has done so far, for tests that must have met it.
#[derive(Debug, Default)]
pub struct Injected {
    conflicts: AtomicU64,
    unknown: AtomicU64,
    too_old: AtomicU64,
    overtaken: AtomicU64,
    batched: AtomicU64,
}

impl Injected {
    /// Conflicts without a reason.
    #[must_use]
    pub fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::Relaxed)
    }

    /// Unknown results, whatever became of the commit.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }

    /// Transactions that were called too old.
    #[must_use]
    pub fn too_old(&self) -> u64 {
        self.too_old.load(Ordering::Relaxed)
    }

    /// Commits that were sent before another and took effect after it.
    #[must_use]
    pub fn overtaken(&self) -> u64 {
        self.overtaken.load(Ordering::Relaxed)
    }

    /// Commits that share a version.
    #[must_use]
    pub fn batched(&self) -> u64 {
        self.batched.load(Ordering::Relaxed)
    }
}

/// The store. Nothing survives it.
pub struct SimulatedStore {
    engine: Arc<SimulatedEngine>,
    seed: u64,
}

struct SimulatedEngine(Arc<Simulation>);

struct Simulation {
    versions: Arc<RwLock<Versions>>,
    watches: Watches,
    weather: Weather,
    draws: Mutex<StdRng>,
    /// The newest version that somebody reads at: no commit may change it any more.
    read_at: Mutex<Version>,
    injected: Injected,
    sent: AtomicU64,
    /// The highest number of a commit that has taken effect.
    arrived: AtomicU64,
}

impl SimulatedStore {
    /// An empty store whose course is drawn from `seed`.
    #[must_use]
    pub fn new(seed: u64, weather: Weather) -> Arc<Self> {
        let simulation = Simulation {
            versions: Arc::default(),
            watches: Watches::default(),
            weather,
            draws: Mutex::new(StdRng::seed_from_u64(seed)),
            read_at: Mutex::new(Version(0)),
            injected: Injected::default(),
            sent: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
        };
        Arc::new(Self {
            engine: Arc::new(SimulatedEngine(Arc::new(simulation))),
            seed,
        })
    }

    /// What the weather has done so far.
    #[must_use]
    pub fn injected(&self) -> &Injected {
        &self.engine.0.injected
    }

    fn engine(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.engine) as Arc<dyn Engine>
    }
}

#[async_trait]
impl Store for SimulatedStore {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(SimulatedTransaction {
            below: optimistic::Transaction::begin(self.engine()).await?,
            engine: self.engine(),
            simulation: Arc::clone(&self.engine.0),
            attempts: 0,
            over: false,
        }))
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.engine.changed(key, seen).await
    }

    fn description(&self) -> String {
        format!("simulated, seed {}", self.seed)
    }
}

impl Simulation {
    fn draw<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.draws.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn happens(&self, thousandths: u32) -> bool {
        self.draw(|rng| rng.random_range(0..1000)) < thousandths
    }

    async fn on_its_way(&self) {
        let longest = self.weather.longest_delay.as_micros() as u64;
        let micros = self.draw(|rng| rng.random_range(0..=longest));
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }

    fn may_be_too_old(&self) -> Result<(), StoreError> {
        if self.happens(self.weather.too_old) {
            self.injected.too_old.fetch_add(1, Ordering::Relaxed);
            return Err(StoreError::TooOld);
        }
        Ok(())
    }

    /// Lets a commit take effect.
    fn apply(&self, request: CommitRequest, number: u64) -> Result<Version, StoreError> {
        let (version, written) = {
            let mut versions = write(&self.versions);
            let read_at = *self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
            let newest = versions.newest();
            let shares = newest > read_at && self.happens(self.weather.batch);
            let version = if shares {
                newest
            } else {
                let gap = self.draw(|rng| rng.random_range(1..1_000));
                Version(newest.max(read_at).0 + gap)
            };
            let written = versions.commit(request, version)?;
            self.injected
                .batched
                .fetch_add(u64::from(shares), Ordering::Relaxed);
            (version, written)
        };
        if self.arrived.fetch_max(number, Ordering::Relaxed) > number {
            self.injected.overtaken.fetch_add(1, Ordering::Relaxed);
        }
        self.watches.wake(&written);
        Ok(version)
    }
}

/// What becomes of a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Told,
    Done,
    Lost,
    Late,
}

#[async_trait]
impl Engine for SimulatedEngine {
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let simulation = &self.0;
        simulation.on_its_way().await;
        let version = {
            let versions = read(&simulation.versions);
            let mut read_at = simulation
                .read_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // As in a cluster, where versions rise with time, the version read need not be one of a commit.
            let ahead = simulation.draw(|rng| rng.random_range(0..2) * rng.random_range(0..1_000));
            *read_at = Version(versions.newest().max(*read_at).0 + ahead);
            *read_at
        };
        simulation.on_its_way().await;
        Ok(Arc::new(MemorySnapshot {
            versions: Arc::clone(&simulation.versions),
            version,
        }))
    }

    async fn commit(&self, request: CommitRequest) -> Result<Version, StoreError> {
        let simulation = &self.0;
        let weather = &simulation.weather;
        let number = simulation.sent.fetch_add(1, Ordering::Relaxed) + 1;
        simulation.may_be_too_old()?;
        simulation.on_its_way().await;
        if simulation.happens(weather.conflict) {
            simulation
                .injected
                .conflicts
                .fetch_add(1, Ordering::Relaxed);
            return Err(StoreError::Conflict);
        }
        let fate = if simulation.happens(weather.unknown_done) {
            Fate::Done
        } else if simulation.happens(weather.unknown_lost) {
            Fate::Lost
        } else if simulation.happens(weather.unknown_late) {
            Fate::Late
        } else {
            Fate::Told
        };
        let unknown = || {
            simulation.injected.unknown.fetch_add(1, Ordering::Relaxed);
            Err(StoreError::UnknownResult)
        };
        match fate {
            Fate::Lost => unknown(),
            Fate::Late => {
                let later = Arc::clone(simulation);
                tokio::spawn(async move {
                    later.on_its_way().await;
                    // Nobody waits for the answer any more.
                    let _ = later.apply(request, number);
                });
                unknown()
            }
            Fate::Told | Fate::Done => {
                let version = simulation.apply(request, number)?;
                simulation.on_its_way().await;
                if fate == Fate::Done {
                    return unknown();
                }
                Ok(version)
            }
        }
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        let simulation = &self.0;
        simulation.on_its_way().await;
        if simulation.happens(simulation.weather.woken_early) {
            return Ok(());
        }
        let read = || async { self.snapshot().await?.get(key).await };
        simulation.watches.changed(key, seen, read).await
    }
}

/// A transaction whose pauses are drawn from the seed, and which is strict about its use.
struct SimulatedTransaction {
    below: optimistic::Transaction,
    engine: Arc<dyn Engine>,
    simulation: Arc<Simulation>,
    attempts: u32,
    over: bool,
}

/// As many as every other back end gives.
const ATTEMPTS: u32 = 64;

impl SimulatedTransaction {
    fn is_open(&self) -> Result<(), StoreError> {
        if self.over {
            return Err(StoreError::TooLarge(
                "a transaction is not used after its commit; reset it to begin another".to_owned(),
            ));
        }
        Ok(())
    }

    fn reads(&self) -> Result<(), StoreError> {
        self.is_open()?;
        self.simulation.may_be_too_old()
    }
}

#[async_trait]
impl Transaction for SimulatedTransaction {
    async fn read_version(&mut self) -> Result<Version, StoreError> {
        self.reads()?;
        self.below.read_version().await
    }

    async fn get(&mut self, key: &[u8], isolation: Isolation) -> Result<Option<Value>, StoreError> {
        self.reads()?;
        self.below.get(key, isolation).await
    }

    async fn range(
        &mut self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
        isolation: Isolation,
    ) -> Result<Page, StoreError> {
        self.reads()?;
        let short = self.simulation.happens(self.simulation.weather.short_page);
        let limit = if short {
            self.simulation
                .draw(|rng| rng.random_range(1..=limit.clamp(1, 10)))
        } else {
            limit
        };
        self.below.range(range, limit, reverse, isolation).await
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.below.set(key, value);
    }

    fn clear(&mut self, key: &[u8]) {
        self.below.clear(key);
    }

    fn clear_range(&mut self, range: &KeyRange) {
        self.below.clear_range(range);
    }

    fn add(&mut self, key: &[u8], delta: i64) {
        self.below.add(key, delta);
    }

    fn append(&mut self, prefix: &[u8], value: &[u8]) {
        self.below.append(prefix, value);
    }

    async fn commit(&mut self) -> Result<Version, StoreError> {
        self.is_open()?;
        self.over = true;
        self.below.commit().await
    }

    async fn reset(&mut self, after: StoreError) -> Result<(), StoreError> {
        if !after.is_retryable() || self.attempts >= ATTEMPTS {
            return Err(after);
        }
        self.attempts += 1;
        self.simulation.on_its_way().await;
        self.below = optimistic::Transaction::begin(Arc::clone(&self.engine)).await?;
        self.over = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    /// Twenty who count to ten, and what they were answered on the way.
    async fn course(seed: u64) -> (Vec<String>, i64, Arc<SimulatedStore>) {
        let store = SimulatedStore::new(seed, Weather::STORMY);
        let counts = (0..20_u8).map(|writer| {
            let store = Arc::clone(&store);
            async move {
                let mut answers = Vec::new();
                for n in 0..10_u8 {
                    let mut transaction = store.begin().await.unwrap();
                    loop {
                        let attempt = async {
                            if transaction
                                .get(&[writer, n], Isolation::Serializable)
                                .await?
                                .is_none()
                            {
                                transaction.set(&[writer, n], b"");
                                transaction.add(b"total", 1);
                            }
                            transaction.commit().await
                        }
                        .await;
                        answers.push(format!("{writer} {n} {attempt:?}"));
                        match attempt {
                            Ok(_) => break,
                            Err(error) => transaction.reset(error).await.unwrap(),
                        }
                    }
                }
                answers
            }
        });
        let answers = join_all(counts).await.concat();
        // What is late has arrived by then.
        tokio::time::sleep(2 * Weather::STORMY.longest_delay).await;
        let newest = store.engine.snapshot().await.unwrap();
        let total = newest.get(b"total").await.unwrap().unwrap();
        let total = i64::from_le_bytes(total.try_into().unwrap());
        (answers, total, store)
    }

    #[tokio::test(start_paused = true)]
    async fn one_seed_gives_one_course_and_all_of_the_weather() {
        let (first, total, store) = course(7).await;
        assert_eq!(
            total, 200,
            "a key read and written makes every unknown result harmless"
        );
        let injected = store.injected();
        for (what, count) in [
            ("conflicts", injected.conflicts()),
            ("unknown results", injected.unknown()),
            ("too old", injected.too_old()),
            ("overtaken", injected.overtaken()),
            ("of one version", injected.batched()),
        ] {
            assert!(count > 0, "no {what} in {} answers", first.len());
        }
        assert_eq!(course(7).await.0, first);
        assert_ne!(course(8).await.0, first);
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_used_after_its_commit_is_refused() {
        let store = SimulatedStore::new(1, Weather::CALM);
        let mut transaction = store.begin().await.unwrap();
        transaction.set(b"a", b"1");
        transaction.commit().await.unwrap();
        assert!(
            transaction
                .get(b"a", Isolation::Snapshot)
                .await
                .is_err_and(|error| !error.is_retryable())
        );
    }
}
