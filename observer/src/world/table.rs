//! Objects of one kind, kept equal to what a watch says.

use std::collections::{BTreeMap, BTreeSet};

/// What a watch says.
#[derive(Debug)]
pub(crate) enum Step<K, V> {
    /// A list begins: what it does not name is gone.
    Begin,
    /// An object as it is now.
    Put(K, V),
    /// An object is gone.
    Gone(K),
    /// The list is complete.
    Done,
}

/// What is no longer there.
type Gone<K, V> = Vec<(K, V)>;

/// Objects of one kind.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    listed: Option<BTreeSet<K>>,
    known: bool,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            listed: None,
            known: false,
        }
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    /// Takes in what a watch says, and gives back what is gone.
    pub(crate) fn take(&mut self, step: Step<K, V>) -> Gone<K, V> {
        match step {
            Step::Begin => self.listed = Some(BTreeSet::new()),
            Step::Put(key, value) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(key.clone());
                }
                self.rows.insert(key, value);
            }
            Step::Gone(key) => {
                let gone = self.rows.remove(&key);
                return gone.map(|value| (key, value)).into_iter().collect();
            }
            Step::Done => {
                self.known = true;
                if let Some(listed) = self.listed.take() {
                    return self
                        .rows
                        .extract_if(.., |key, _| !listed.contains(key))
                        .collect();
                }
            }
        }
        Vec::new()
    }

    /// True once a list was complete.
    pub(crate) const fn is_known(&self) -> bool {
        self.known
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.rows.remove(key);
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    /// Everything at or behind `key`, in order.
    pub(crate) fn from(&self, key: K) -> impl Iterator<Item = (&K, &V)> {
        self.rows.range(key..)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever was there before and came in between: after a list, exactly what it named is there.
        #[test]
        fn a_list_leaves_what_it_names(before in prop::collection::btree_map(0_u8..20, 0_u8..4, 0..12), listed in prop::collection::btree_map(0_u8..20, 0_u8..4, 0..12)) {
            let mut table = Table::default();
            for (key, value) in &before {
                table.take(Step::Put(*key, *value));
            }
            table.take(Step::Begin);
            for (key, value) in &listed {
                prop_assert!(table.take(Step::Put(*key, *value)).is_empty());
            }
            let gone: BTreeMap<u8, u8> = table.take(Step::Done).into_iter().collect();
            prop_assert!(table.is_known());
            prop_assert_eq!(table.rows, listed.clone());
            prop_assert_eq!(gone, before.into_iter().filter(|(key, _)| !listed.contains_key(key)).collect());
        }
    }
}
