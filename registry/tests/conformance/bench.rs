//! The stores under test, and how a check is run on each of them.
//!
//! A check gets an empty store and gives back what the store would not do. What may be tried again (a
//! conflict that nobody planned, a transaction that took too long, a result that is unknown) proves nothing
//! about either side: the check is begun anew on an empty store.

use std::{any::Any, sync::Arc};

use coditect_core::Version;
use coditect_registry::store::{
    Isolation::Serializable,
    Key, Store, StoreError, Transaction, Value,
    embedded::EmbeddedStore,
    memory::MemoryStore,
    remote::{self, RemoteStore},
    simulated::{SimulatedStore, Weather},
};
use futures::future::BoxFuture;
use proptest::test_runner::{RngAlgorithm, TestRng};

#[cfg(feature = "fdb")]
use crate::cluster::{self, Cleared};
use crate::{
    access::{everything, pages, transact, value},
    child,
};

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The model in memory.
    Memory,
    /// The model in memory, under whatever weather the contract allows.
    Simulated,
    /// The file of one machine.
    Embedded,
    /// The same behind the socket of the process that has it.
    Remote,
    /// A cluster.
    #[cfg(feature = "fdb")]
    Fdb,
}

/// A store, and what it lives on.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn Store>,
    /// What a check draws from.
    pub(crate) seed: u64,
    kind: Kind,
    _home: Vec<Box<dyn Any + Send + Sync>>,
}

impl Bench {
    /// An empty store.
    pub(crate) async fn new(kind: Kind, seed: u64) -> Self {
        let mut home: Vec<Box<dyn Any + Send + Sync>> = Vec::new();
        let store: Arc<dyn Store> = match kind {
            Kind::Memory => MemoryStore::new(),
            Kind::Simulated => SimulatedStore::new(seed, Weather::STORMY),
            Kind::Embedded | Kind::Remote => {
                let folder = tempfile::tempdir().unwrap();
                let embedded = EmbeddedStore::open(folder.path().join("registry")).unwrap();
                let socket = folder.path().join("socket");
                home.push(Box::new(folder));
                if kind == Kind::Embedded {
                    embedded
                } else {
                    let server = remote::serve(embedded.engine(), &socket).await.unwrap();
                    home.insert(0, Box::new(embedded));
                    home.insert(0, Box::new(server));
                    RemoteStore::connect(&socket).await.unwrap()
                }
            }
            #[cfg(feature = "fdb")]
            Kind::Fdb => {
                let place = Cleared::open(&cluster::options()).await;
                let store = Arc::clone(&place.0);
                home.push(Box::new(place));
                store
            }
        };
        Self {
            store,
            seed,
            kind,
            _home: home,
        }
    }

    /// True if most transactions fail for no reason of theirs.
    pub(crate) fn is_simulated(&self) -> bool {
        self.kind == Kind::Simulated
    }

    pub(crate) async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        self.store.begin().await
    }

    /// Writes in a transaction of its own, once, however often it takes.
    pub(crate) async fn write(
        &self,
        write: impl Fn(&mut dyn Transaction),
    ) -> Result<Version, StoreError> {
        let ((), version) = transact(&*self.store, |transaction| {
            write(transaction);
            Box::pin(std::future::ready(Ok(())))
        })
        .await?;
        Ok(version)
    }

    /// Sets keys to values in a transaction of its own.
    pub(crate) async fn put(&self, entries: &[(&str, &str)]) -> Result<Version, StoreError> {
        self.write(|transaction| {
            entries
                .iter()
                .for_each(|(key, value)| transaction.set(key.as_bytes(), value.as_bytes()))
        })
        .await
    }

    /// A value, read in a transaction of its own.
    pub(crate) async fn value(&self, key: &str) -> Result<Option<String>, StoreError> {
        value(&mut *self.begin().await?, key).await
    }

    /// Everything, read in a transaction of its own.
    pub(crate) async fn all(&self) -> Result<Vec<(Key, Value)>, StoreError> {
        pages(
            &mut *self.begin().await?,
            &everything(),
            1_000,
            false,
            Serializable,
        )
        .await
    }
}

/// Proptest's randomness, drawn from the seed.
pub(crate) fn draws(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// What a check is: it says what the store refused to do, and fails by panicking.
pub(crate) type Check = for<'a> fn(&'a Bench) -> BoxFuture<'a, Result<(), StoreError>>;

/// How often a check is begun anew. Under the weather of the simulation about every fifth attempt of the
/// longest ones gets through.
const ATTEMPTS: u32 = 100;
/// How many courses of the weather a check meets.
const SEEDS: u64 = 12;
/// Begins the simulation with another seed, to see a failure again.
const SEED: &str = "CODITECT_CONFORMANCE_SEED";

/// Runs a check on an empty store of the kind; under the simulation's weather, in several courses of it. Says
/// which seed it was if it fails.
pub(crate) fn run(kind: Kind, check: Check) {
    let given =
        std::env::var_os(SEED).map(|seed| seed.into_string().unwrap().parse::<u64>().unwrap());
    let seeds = match (given, kind) {
        (Some(seed), _) => seed..=seed,
        (None, Kind::Simulated) => 1..=SEEDS,
        (None, _) => {
            let seed = rand::random();
            seed..=seed
        }
    };
    for seed in seeds {
        let _told = TellsSeed(seed);
        runtime(kind).block_on(until_it_ran(kind, seed, check));
    }
}

async fn until_it_ran(kind: Kind, seed: u64, check: Check) {
    for attempt in 0..ATTEMPTS {
        // Another attempt under the same weather would go the same way.
        let seed = seed.wrapping_add(u64::from(attempt) << 32);
        match check(&Bench::new(kind, seed).await).await {
            Ok(()) => return,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
    panic!("the store never let the check run to its end");
}

struct TellsSeed(u64);

impl Drop for TellsSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Beside what the panic itself has said.
            child::say(&format!("to see it again: {SEED}={}", self.0));
        }
    }
}

/// The simulation has one thread and a clock of its own: one seed, one course.
fn runtime(kind: Kind) -> tokio::runtime::Runtime {
    if kind == Kind::Simulated {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
    }
    .unwrap()
}

/// Makes of each check a test for every back end; its argument is the store's [`Bench`].
macro_rules! on_every_store {
    ($($(#[$meta:meta])* async fn $check:ident($bench:ident) $body:block)*) => {$(
        $(#[$meta])*
        async fn $check(
            $bench: &$crate::bench::Bench,
        ) -> Result<(), coditect_registry::store::StoreError> {
            $body
            Ok(())
        }

        mod $check {
            use $crate::bench::{Kind, run};

            #[test]
            fn memory() {
                run(Kind::Memory, |bench| Box::pin(super::$check(bench)));
            }

            #[test]
            fn simulated() {
                run(Kind::Simulated, |bench| Box::pin(super::$check(bench)));
            }

            #[test]
            fn embedded() {
                run(Kind::Embedded, |bench| Box::pin(super::$check(bench)));
            }

            #[test]
            fn remote() {
                run(Kind::Remote, |bench| Box::pin(super::$check(bench)));
            }

            #[cfg(feature = "fdb")]
            #[test]
            fn fdb() {
                run(Kind::Fdb, |bench| Box::pin(super::$check(bench)));
            }
        }
    )*};
}
pub(crate) use on_every_store;
