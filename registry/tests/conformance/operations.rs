//! Random operations, done on a store and on a plain map.

use std::collections::BTreeMap;

use coditect_registry::store::{
    Isolation::{self, Serializable, Snapshot},
    Key, KeyRange, StoreError, Transaction, Value,
};
use proptest::{collection::vec, prelude::*};

use crate::access::pages;

/// One operation of a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Get(Key, Isolation),
    Range {
        range: KeyRange,
        limit: usize,
        reverse: bool,
        isolation: Isolation,
    },
    /// The whole range, page by page: what a model can foretell.
    Pages {
        range: KeyRange,
        limit: usize,
        reverse: bool,
    },
    Set(Key, Value),
    Clear(Key),
    ClearRange(KeyRange),
    Add(Key, i64),
    Append(Key, Value),
}

/// What an operation has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Value(Option<Value>),
    Entries(Vec<(Key, Value)>, bool),
    Nothing,
}

impl Operation {
    /// True if it changes something.
    pub(crate) fn writes(&self) -> bool {
        !matches!(
            self,
            Self::Get(..) | Self::Range { .. } | Self::Pages { .. }
        )
    }

    /// Does it in a transaction.
    pub(crate) async fn run(&self, transaction: &mut dyn Transaction) -> Result<Seen, StoreError> {
        match self {
            Self::Get(key, isolation) => {
                return Ok(Seen::Value(transaction.get(key, *isolation).await?));
            }
            Self::Range {
                range,
                limit,
                reverse,
                isolation,
            } => {
                let page = transaction
                    .range(range, *limit, *reverse, *isolation)
                    .await?;
                return Ok(Seen::Entries(page.entries, page.more));
            }
            Self::Pages {
                range,
                limit,
                reverse,
            } => {
                return Ok(Seen::Entries(
                    pages(transaction, range, *limit, *reverse, Serializable).await?,
                    false,
                ));
            }
            Self::Set(key, value) => transaction.set(key, value),
            Self::Clear(key) => transaction.clear(key),
            Self::ClearRange(range) => transaction.clear_range(range),
            Self::Add(key, delta) => transaction.add(key, *delta),
            Self::Append(prefix, value) => transaction.append(prefix, value),
        }
        Ok(Seen::Nothing)
    }

    /// Does it on a map, where appends appear nowhere. What a single page shows is the store's choice.
    pub(crate) fn run_on(&self, model: &mut BTreeMap<Key, Value>) -> Seen {
        match self {
            Self::Get(key, _) => return Seen::Value(model.get(key).cloned()),
            Self::Pages { range, reverse, .. } => {
                let found = model
                    .iter()
                    .filter(|(key, _)| range.contains(key))
                    .map(|(key, value)| (key.clone(), value.clone()));
                let mut found: Vec<_> = found.collect();
                if *reverse {
                    found.reverse();
                }
                return Seen::Entries(found, false);
            }
            Self::Set(key, value) => drop(model.insert(key.clone(), value.clone())),
            Self::Clear(key) => drop(model.remove(key)),
            Self::ClearRange(range) => model.retain(|key, _| !range.contains(key)),
            Self::Add(key, delta) => {
                let mut number = [0; 8];
                let stored = model.get(key).map_or(&[][..], Vec::as_slice);
                let length = stored.len().min(8);
                number[..length].copy_from_slice(&stored[..length]);
                let sum = i64::from_le_bytes(number).wrapping_add(*delta);
                model.insert(key.clone(), sum.to_le_bytes().to_vec());
            }
            Self::Range { .. } | Self::Append(..) => {}
        }
        Seen::Nothing
    }
}

/// Few keys, close together, so that operations meet.
pub(crate) fn key() -> impl Strategy<Value = Key> {
    vec(
        prop_oneof![Just(0_u8), Just(b'a'), Just(b'b'), Just(b'c'), Just(0xfe)],
        1..3,
    )
}

fn value() -> impl Strategy<Value = Value> {
    vec(any::<u8>(), 0..4)
}

fn range() -> impl Strategy<Value = KeyRange> {
    (key(), key()).prop_map(|(begin, end)| KeyRange { begin, end })
}

fn isolation() -> impl Strategy<Value = Isolation> {
    prop_oneof![4 => Just(Serializable), 1 => Just(Snapshot)]
}

/// Any operation.
pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => (key(), isolation()).prop_map(|(key, isolation)| Operation::Get(key, isolation)),
        2 => (range(), 1_usize..6, any::<bool>(), isolation())
            .prop_map(|(range, limit, reverse, isolation)| Operation::Range { range, limit, reverse, isolation }),
        2 => (range(), 1_usize..6, any::<bool>()).prop_map(|(range, limit, reverse)| Operation::Pages { range, limit, reverse }),
        3 => (key(), value()).prop_map(|(key, value)| Operation::Set(key, value)),
        1 => key().prop_map(Operation::Clear),
        1 => range().prop_map(Operation::ClearRange),
        2 => (key(), -3_i64..4).prop_map(|(key, delta)| Operation::Add(key, delta)),
        1 => (key(), value()).prop_map(|(prefix, value)| Operation::Append(prefix, value)),
    ]
}
