//! A group of commits does what its members would do one after another.

use std::sync::{Arc, atomic::Ordering};

use proptest::{collection::vec, prelude::*};

use super::{
    super::{
        COMMIT_OVERHEAD, EmbeddedStore, QUEUE_BYTES, Store, StoreError,
        tests::{folder, put},
    },
    log_of,
    tests::all_of,
};
use crate::store::{Isolation::Serializable, KeyRange, Transaction, memory::MemoryStore};

/// What a member does. Keys are few, so that members meet.
#[derive(Clone, Debug)]
enum Step {
    Get(u8),
    Range(u8, u8),
    Set(u8, u8),
    Clear(u8),
    ClearRange(u8, u8),
    Add(u8, i8),
    Append(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0_u8..6;
    prop_oneof![
        3 => key().prop_map(Step::Get),
        1 => (key(), key()).prop_map(|(begin, end)| Step::Range(begin, end)),
        3 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Set(key, value)),
        1 => key().prop_map(Step::Clear),
        1 => (key(), key()).prop_map(|(begin, end)| Step::ClearRange(begin, end)),
        2 => (key(), any::<i8>()).prop_map(|(key, delta)| Step::Add(key, delta)),
        1 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Append(key, value)),
    ]
}

impl Step {
    async fn run(&self, transaction: &mut dyn Transaction) {
        let range = |begin: u8, end: u8| KeyRange {
            begin: vec![begin],
            end: vec![end],
        };
        match *self {
            Self::Get(key) => drop(transaction.get(&[key], Serializable).await.unwrap()),
            Self::Range(begin, end) => {
                let range = range(begin, end);
                drop(
                    transaction
                        .range(&range, 3, false, Serializable)
                        .await
                        .unwrap(),
                );
            }
            Self::Set(key, value) => transaction.set(&[key], &[value]),
            Self::Clear(key) => transaction.clear(&[key]),
            Self::ClearRange(begin, end) => transaction.clear_range(&range(begin, end)),
            Self::Add(key, delta) => transaction.add(&[key], delta.into()),
            Self::Append(key, value) => transaction.append(&[key], &[value]),
        }
    }
}

/// Transactions that have done their steps and wait for their commit.
async fn prepared(store: &dyn Store, members: &[Vec<Step>]) -> Vec<Box<dyn Transaction>> {
    let mut transactions = Vec::new();
    for steps in members {
        let mut transaction = store.begin().await.unwrap();
        for step in steps {
            step.run(&mut *transaction).await;
        }
        // So that each of them writes, and none is answered without the committer.
        transaction.add(b"members", 1);
        transactions.push(transaction);
    }
    transactions
}

async fn agree(members: Vec<Vec<Step>>) -> Result<(), TestCaseError> {
    let folder = folder();
    let path = folder.path().join("registry");
    let store = EmbeddedStore::open(&path).unwrap();
    let model = MemoryStore::new();
    let together = prepared(&*store, &members).await;
    let alone = prepared(&*model, &members).await;
    let disk = log_of(&path);

    // The first commit waits for the disk, so all others are one group.
    let (first, group) = {
        let before = disk.syncs.load(Ordering::SeqCst);
        let _stuck = disk.sticks();
        let first = tokio::spawn({
            let store = Arc::clone(&store);
            async move { put(&store, b"first", b"").await }
        });
        while disk.syncs.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        let mut group = Vec::new();
        for mut transaction in together {
            let waits = store.engine.room.available_permits();
            group.push(tokio::spawn(async move { transaction.commit().await }));
            while store.engine.room.available_permits() == waits {
                tokio::task::yield_now().await;
            }
        }
        prop_assert!(
            store.engine.room.available_permits()
                <= QUEUE_BYTES as usize - members.len() * COMMIT_OVERHEAD
        );
        (first, group)
    };
    first.await.unwrap().unwrap();
    let mut verdicts = Vec::new();
    for member in group {
        verdicts.push(member.await.unwrap());
    }

    let mut expected = Vec::new();
    let mut transaction = model.begin().await.unwrap();
    transaction.set(b"first", b"");
    transaction.commit().await.unwrap();
    for mut transaction in alone {
        expected.push(transaction.commit().await);
    }
    for (found, expected) in verdicts.iter().zip(&expected) {
        match (found, expected) {
            (Ok(found), Ok(expected)) => prop_assert_eq!(found, expected),
            (Err(StoreError::Conflict), Err(StoreError::Conflict)) => {}
            (found, expected) => prop_assert!(false, "{:?} and not {:?}", found, expected),
        }
    }
    let found = all_of(&mut *store.begin().await.unwrap()).await;
    prop_assert_eq!(found, all_of(&mut *model.begin().await.unwrap()).await);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_group_does_what_its_members_do_one_after_another(
        members in vec(vec(step(), 1..6), 2..20)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(agree(members))?;
    }
}
