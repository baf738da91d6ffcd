//! Every store does what the model in memory does, step by step, also across a restart.

use std::sync::Arc;

use coditect_core::Version;
use coditect_registry::store::{
    Store, StoreError, Transaction, embedded::EmbeddedStore, memory::MemoryStore, remote,
};
use proptest::{collection::vec, prelude::*};

use crate::{
    access::{everything, pages},
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

/// What a step has shown; errors by name, because their texts may differ.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Seen(Seen),
    Committed(Version),
    Failed(&'static str),
    Nothing,
}

fn name(error: &StoreError) -> &'static str {
    match error {
        StoreError::Conflict => "conflict",
        StoreError::TooOld => "too old",
        StoreError::TooLarge(_) => "too large",
        other => panic!("{other}"),
    }
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
            Step::Begin(which) => self.open[*which] = Some(self.store.begin().await.unwrap()),
            Step::Do(which, operation) => {
                if let Some(transaction) = &mut self.open[*which] {
                    return match operation.run(&mut **transaction).await {
                        Ok(seen) => Outcome::Seen(seen),
                        Err(error) => Outcome::Failed(name(&error)),
                    };
                }
            }
            Step::Commit(which) => {
                if let Some(mut transaction) = self.open[*which].take() {
                    return match transaction.commit().await {
                        Ok(version) => Outcome::Committed(version),
                        Err(error) => Outcome::Failed(name(&error)),
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
        all.push(
            pages(
                &mut *player.store.begin().await.unwrap(),
                &everything(),
                7,
                false,
                coditect_registry::store::Isolation::Snapshot,
            )
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
    fn stores_agree_with_the_model(steps in vec(step(), 1..120), with_remote: bool) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(agree(steps, with_remote))?;
    }
}
