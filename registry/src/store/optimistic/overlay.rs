//! A transaction's own writes, laid over a snapshot.

use std::{collections::BTreeMap, ops::Bound};

use super::{
    super::{Key, KeyRange, Value},
    Mutation, add,
};

/// The last word of this transaction on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Set(Value),
    Cleared,
    /// Depends on what the snapshot holds.
    Added(i64),
}

/// What a transaction itself has written.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    entries: BTreeMap<Key, Entry>,
    /// Cleared ranges, disjoint and not touching: begin → end. Entries stand above them.
    cleared: BTreeMap<Key, Key>,
    appends: Vec<(Key, Value)>,
}

/// What the overlay says of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Own<'a> {
    /// It has this value, whatever the snapshot holds.
    Is(Option<&'a [u8]>),
    /// Add this to what the snapshot holds.
    Plus(i64),
    /// Nothing: the snapshot decides.
    Unwritten,
}

impl Overlay {
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) {
        self.entries
            .insert(key.to_vec(), Entry::Set(value.to_vec()));
    }

    pub(super) fn clear(&mut self, key: &[u8]) {
        self.entries.insert(key.to_vec(), Entry::Cleared);
    }

    pub(super) fn add(&mut self, key: &[u8], delta: i64) {
        let entry = match self.of(key) {
            Own::Is(value) => Entry::Set(add(value, delta)),
            Own::Plus(before) => Entry::Added(before.wrapping_add(delta)),
            Own::Unwritten => Entry::Added(delta),
        };
        self.entries.insert(key.to_vec(), entry);
    }

    pub(super) fn clear_range(&mut self, range: &KeyRange) {
        if range.begin >= range.end {
            return;
        }
        let doomed: Vec<Key> = self
            .entries
            .range(range.begin.clone()..range.end.clone())
            .map(|(key, _)| key.clone())
            .collect();
        for key in doomed {
            self.entries.remove(&key);
        }
        let (mut begin, mut end) = (range.begin.clone(), range.end.clone());
        // Every cleared range that begins at or before our end and ends at or behind our begin melts in.
        while let Some((other_begin, other_end)) = self.cleared.range(..=end.clone()).next_back() {
            if *other_end < begin {
                break;
            }
            let other_begin = other_begin.clone();
            end = end.max(other_end.clone());
            begin = begin.min(other_begin.clone());
            self.cleared.remove(&other_begin);
        }
        self.cleared.insert(begin, end);
    }

    pub(super) fn append(&mut self, prefix: &[u8], value: &[u8]) {
        self.appends.push((prefix.to_vec(), value.to_vec()));
    }

    /// How many appends there are so far.
    pub(super) fn appends(&self) -> usize {
        self.appends.len()
    }

    /// What this transaction has made of `key`.
    pub(super) fn of(&self, key: &[u8]) -> Own<'_> {
        match self.entries.get(key) {
            Some(Entry::Set(value)) => Own::Is(Some(value)),
            Some(Entry::Cleared) => Own::Is(None),
            Some(Entry::Added(delta)) => Own::Plus(*delta),
            None if self.cleared_around(key).is_some() => Own::Is(None),
            None => Own::Unwritten,
        }
    }

    /// The cleared range that holds `key`.
    fn cleared_around(&self, key: &[u8]) -> Option<(&Key, &Key)> {
        self.cleared
            .range::<[u8], _>((Bound::Unbounded, Bound::Included(key)))
            .next_back()
            .filter(|(_, end)| key < end.as_slice())
    }

    /// Narrows `range` from the side where reading begins, as long as nothing there can come from the
    /// snapshot or from an entry. Saves reading what this transaction has cleared.
    pub(super) fn skip_cleared(&self, range: &KeyRange, reverse: bool) -> KeyRange {
        let mut range = range.clone();
        if reverse {
            if let Some((begin, end)) = self
                .cleared
                .range::<[u8], _>((Bound::Unbounded, Bound::Excluded(range.end.as_slice())))
                .next_back()
                && *end >= range.end
                && self
                    .entries
                    .range::<Key, _>(begin..&range.end)
                    .next()
                    .is_none()
            {
                range.end = begin.clone();
            }
        } else if let Some((_, end)) = self.cleared_around(&range.begin)
            && self
                .entries
                .range::<Key, _>(&range.begin..end)
                .next()
                .is_none()
        {
            range.begin = end.clone();
        }
        range
    }

    /// Lays the writes over `entries`, which are all that the snapshot holds in `covered`, in key order
    /// (the reverse, if `reverse`), and returns the same order.
    pub(super) fn lay_over(
        &self,
        covered: &KeyRange,
        entries: Vec<(Key, Value)>,
        reverse: bool,
    ) -> Vec<(Key, Value)> {
        if covered.begin >= covered.end {
            return Vec::new();
        }
        let mut written = self
            .entries
            .range(covered.begin.clone()..covered.end.clone())
            .peekable();
        if written.peek().is_none() && self.cleared.is_empty() {
            return entries;
        }
        let mut merged: BTreeMap<Key, Value> = entries
            .into_iter()
            .filter(|(key, _)| self.cleared_around(key).is_none())
            .collect();
        for (key, entry) in written {
            match entry {
                Entry::Set(value) => {
                    merged.insert(key.clone(), value.clone());
                }
                Entry::Cleared => {
                    merged.remove(key);
                }
                Entry::Added(delta) => {
                    let sum = add(merged.get(key).map(Vec::as_slice), *delta);
                    merged.insert(key.clone(), sum);
                }
            }
        }
        if reverse {
            merged.into_iter().rev().collect()
        } else {
            merged.into_iter().collect()
        }
    }

    /// The parts of `range` whose content depends on the snapshot: only they can conflict.
    pub(super) fn unwritten(&self, range: &KeyRange) -> Vec<KeyRange> {
        let points = self
            .entries
            .range(range.begin.clone()..range.end.clone().max(range.begin.clone()))
            .filter(|(_, entry)| !matches!(entry, Entry::Added(_)))
            .map(|(key, _)| (key.clone(), successor(key)));
        let first = self
            .cleared_around(&range.begin)
            .map_or_else(|| range.begin.clone(), |(begin, _)| begin.clone());
        let ranges = self
            .cleared
            .range(first..)
            .take_while(|(begin, _)| **begin < range.end);
        let mut owned: Vec<(Key, Key)> = points
            .chain(ranges.map(|(begin, end)| (begin.clone(), end.clone())))
            .collect();
        owned.sort();

        let mut parts = Vec::new();
        let mut cursor = range.begin.clone();
        for (begin, end) in owned {
            if begin > cursor {
                parts.push(KeyRange {
                    begin: cursor.clone(),
                    end: begin,
                });
            }
            cursor = cursor.max(end);
        }
        if cursor < range.end {
            parts.push(KeyRange {
                begin: cursor,
                end: range.end.clone(),
            });
        }
        parts
    }

    /// The writes as the engine applies them: one for each key, whatever happened to it before.
    pub(super) fn into_mutations(self) -> Vec<Mutation> {
        let cleared = self
            .cleared
            .into_iter()
            .map(|(begin, end)| Mutation::ClearRange(KeyRange { begin, end }));
        let entries = self.entries.into_iter().map(|(key, entry)| match entry {
            Entry::Set(value) => Mutation::Set(key, value),
            Entry::Cleared => Mutation::Clear(key),
            Entry::Added(delta) => Mutation::Add(key, delta),
        });
        let appends = self
            .appends
            .into_iter()
            .map(|(prefix, value)| Mutation::Append(prefix, value));
        cleared.chain(entries).chain(appends).collect()
    }
}

/// The first key behind `key`.
pub(super) fn successor(key: &[u8]) -> Key {
    let mut next = key.to_vec();
    next.push(0);
    next
}
