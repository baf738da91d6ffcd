//! Every store does what the model in memory does, step by step; the embedded one also across a restart.

use std::{collections::HashMap, sync::Arc};

use coditect_core::Version;
use coditect_registry::{
    keys,
    store::{
        Isolation::Snapshot, Store, StoreError, Transaction, embedded::EmbeddedStore,
        memory::MemoryStore, remote,
    },
};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};

use crate::{
    access::{everything, pages},
    bench::{Bench, draws, on_every_store},
    operations::{Operation, Seen, operation},
};

/// How many transactions are open at once.
const OPEN: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Begin(usize),
    Do(usize, Operation),
    Commit(usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..OPEN).prop_map(Step::Begin),
        20 => (0..OPEN, operation()).prop_map(|(which, operation)| Step::Do(which, operation)),
        4 => (0..OPEN).prop_map(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

/// What a step has shown.
#[derive(Debug)]
enum Outcome {
    Seen(Seen),
    Committed(Version),
    Failed(StoreError),
    Nothing,
}

impl PartialEq for Outcome {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Seen(one), Self::Seen(other)) => one == other,
            (Self::Committed(one), Self::Committed(other)) => one == other,
            (Self::Failed(one), Self::Failed(other)) => is_alike(one, other),
            (Self::Nothing, Self::Nothing) => true,
            _ => false,
        }
    }
}

/// By kind: their texts may differ.
fn is_alike(one: &StoreError, other: &StoreError) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// A store and its open transactions.
struct Player {
    store: Arc<dyn Store>,
    open: [Option<Box<dyn Transaction>>; OPEN],
}

impl Player {
    fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            open: Default::default(),
        }
    }

    async fn play(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Begin(which) => match self.store.begin().await {
                Ok(transaction) => self.open[*which] = Some(transaction),
                Err(error) => return Outcome::Failed(error),
            },
            Step::Do(which, operation) => {
                if let Some(transaction) = &mut self.open[*which] {
                    return match operation.run(&mut **transaction).await {
                        Ok(seen) => Outcome::Seen(seen),
                        Err(error) => Outcome::Failed(error),
                    };
                }
            }
            Step::Commit(which) => {
                if let Some(mut transaction) = self.open[*which].take() {
                    return match transaction.commit().await {
                        Ok(version) => Outcome::Committed(version),
                        Err(error) => Outcome::Failed(error),
                    };
                }
            }
            Step::Reopen => self.open = Default::default(),
        }
        Outcome::Nothing
    }
}

async fn agree(steps: Vec<Step>, with_remote: bool) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry");
    let socket = folder.path().join("socket");
    let mut model = Player::new(MemoryStore::new());
    let mut embedded = EmbeddedStore::open(&path).unwrap();
    let mut server = remote::serve(embedded.engine(), &socket).await.unwrap();
    let connected = remote::RemoteStore::connect(&socket).await.unwrap();
    let mut tested = Player::new(if with_remote {
        connected.clone()
    } else {
        embedded.clone()
    });
    for step in &steps {
        let (expected, found) = (model.play(step).await, tested.play(step).await);
        prop_assert_eq!(expected, found, "{:?}", step);
        if matches!(step, Step::Reopen) {
            server.shutdown().await;
            tested.store = MemoryStore::new();
            drop(embedded);
            embedded = EmbeddedStore::open(&path).unwrap();
            server = remote::serve(embedded.engine(), &socket).await.unwrap();
            tested.store = if with_remote {
                connected.clone()
            } else {
                embedded.clone()
            };
        }
    }
    let mut all = Vec::new();
    for player in [&model, &tested] {
        let mut transaction = player.store.begin().await.unwrap();
        all.push(
            pages(&mut *transaction, &everything(), 7, false, Snapshot)
                .await
                .unwrap(),
        );
    }
    prop_assert_eq!(&all[0], &all[1]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn stores_of_our_own_agree_with_the_model_to_the_version(
        steps in vec(step(), 1..120),
        with_remote: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agree(steps, with_remote))?;
    }
}

/// How many courses of steps a store is led through, and how long one is at most. In the simulation's weather
/// a long one hardly ever gets to its end.
const COURSES: usize = 30;
const COURSE: usize = 60;
const SIMULATED_COURSE: usize = 20;

/// Courses drawn from the seed. What a single page shows is a store's choice, so whole ranges are read.
fn courses(bench: &Bench) -> Vec<Vec<Step>> {
    let (many, length) = if bench.is_simulated() {
        (1, SIMULATED_COURSE)
    } else {
        (COURSES, COURSE)
    };
    let step = step().prop_filter("of any store", |step| {
        !matches!(step, Step::Reopen | Step::Do(_, Operation::Range { .. }))
    });
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), draws(bench.seed));
    let courses = vec(vec(step, length), many).new_tree(&mut runner);
    courses.unwrap().current()
}

/// Which version of the model a version of the store is.
#[derive(Default)]
struct Versions(HashMap<Version, Version>);

impl Versions {
    /// What was seen, as the model would have said it: stamps by the model's versions.
    fn translate(&self, mut outcome: Outcome) -> Outcome {
        if let Outcome::Seen(Seen::Entries(entries, _)) = &mut outcome {
            for (key, _) in entries {
                // Other keys are shorter than a stamp. It begins with the version, and the place in its batch.
                if let Some(ours) = keys::stamp_of(key).and_then(|version| self.0.get(&version)) {
                    let at = key.len() - 12;
                    key[at..at + 8].copy_from_slice(&ours.0.to_be_bytes());
                    key[at + 8..at + 10].fill(0);
                }
            }
        }
        outcome
    }
}

async fn follows_the_model(bench: &Bench, steps: &[Step]) -> Result<(), StoreError> {
    bench
        .write(|transaction| transaction.clear_range(&everything()))
        .await?;
    let mut model = Player::new(MemoryStore::new());
    let mut tested = Player::new(Arc::clone(&bench.store));
    let (mut versions, mut newest, mut last) = (Versions::default(), Version(0), Version(0));
    for (at, step) in steps.iter().enumerate() {
        let (expected, found) = (model.play(step).await, tested.play(step).await);
        let found = versions.translate(found);
        match (&expected, &found) {
            // Without writes it is the version read, which is the store's choice.
            (Outcome::Committed(ours), Outcome::Committed(version)) if *ours > newest => {
                assert!(*version >= last, "step {at}: {version} after {last}");
                let before = versions.0.insert(*version, *ours);
                if before.is_some() {
                    // A batch of two: its stamps differ in what is not translated.
                    return Err(StoreError::Conflict);
                }
                (newest, last) = (*ours, *version);
            }
            (Outcome::Committed(_), Outcome::Committed(_)) => {}
            (_, Outcome::Failed(error)) if expected != found && error.is_retryable() => {
                return Err(error.clone());
            }
            // The store was so slow that the model's transaction is too old.
            (Outcome::Failed(StoreError::TooOld), _) if expected != found => {
                return Err(StoreError::TooOld);
            }
            _ => assert_eq!(expected, found, "step {at}, {step:?}"),
        }
    }
    Ok(())
}

on_every_store! {
    async fn a_store_does_what_the_model_does(bench) {
        for steps in courses(bench) {
            follows_the_model(bench, &steps).await?;
        }
    }
}
