//! What was written lately, so that a commit can be checked against what it read.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use coditect_core::Version;

use super::{Key, KeyRange, StoreError, limits};

/// How long writes are remembered: a transaction may be as old as it may be, and a little more, because
/// its age is measured elsewhere.
const MEMORY: Duration = limits::TRANSACTION_AGE.saturating_add(Duration::from_secs(1));
/// How many bytes of memory they take at most, so that however much is written, an import included, the process stays
/// as small. Beyond, the oldest are forgotten early, and whoever read before them has to begin again: at a hundred
/// thousand keys a second, who began three seconds ago.
const MEMORY_BYTES: usize = 64 << 20;
/// What a key takes beside its bytes wherever it is kept: its vector, its place in a list or a tree that is filled by
/// two thirds, and what the allocator adds.
const KEY_OVERHEAD: usize = 48;

/// The keys that one transaction wrote.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// Single keys.
    pub(super) keys: Vec<Key>,
    /// Cleared ranges.
    pub(super) ranges: Vec<KeyRange>,
}

impl Written {
    /// How much memory it takes to remember this: a key stands in its commit and in the tree of all keys.
    fn bytes(&self) -> usize {
        let of = |key: &Key| key.len() + KEY_OVERHEAD;
        let keys: usize = self.keys.iter().map(|key| 2 * of(key)).sum();
        let ranges = self.ranges.iter();
        let ranges: usize = ranges.map(|range| of(&range.begin) + of(&range.end)).sum();
        keys + ranges
    }
}

struct Commit {
    version: Version,
    at: Instant,
    written: Written,
}

/// The writes of the last seconds, by key.
pub(super) struct RecentWrites {
    /// Everything written after this version is remembered.
    floor: Version,
    last_write: BTreeMap<Key, Version>,
    commits: VecDeque<Commit>,
    bytes: usize,
    most_bytes: usize,
}

impl RecentWrites {
    /// Remembers what is written after `floor`.
    pub(super) fn since(floor: Version) -> Self {
        Self {
            floor,
            last_write: BTreeMap::new(),
            commits: VecDeque::new(),
            bytes: 0,
            most_bytes: MEMORY_BYTES,
        }
    }

    /// Whether what was read at `read_version` is unchanged.
    ///
    /// # Errors
    /// `Conflict` if it changed, `TooOld` if that is no longer known.
    pub(super) fn check(
        &self,
        read_version: Version,
        reads: &[KeyRange],
    ) -> Result<(), StoreError> {
        if reads.is_empty() {
            return Ok(());
        }
        if read_version < self.floor {
            return Err(StoreError::TooOld);
        }
        let overlaps = |range: &KeyRange| {
            reads
                .iter()
                .any(|read| read.begin < range.end && range.begin < read.end)
        };
        let key_changed = reads
            .iter()
            .filter(|read| read.begin < read.end)
            .any(|read| {
                self.last_write
                    .range::<Key, _>(&read.begin..&read.end)
                    .any(|(_, version)| *version > read_version)
            });
        let newer = || {
            self.commits
                .iter()
                .rev()
                .take_while(|commit| commit.version > read_version)
        };
        if key_changed || newer().any(|commit| commit.written.ranges.iter().any(overlaps)) {
            return Err(StoreError::Conflict);
        }
        Ok(())
    }

    /// Remembers what a version wrote. Versions come in rising order.
    pub(super) fn record(&mut self, version: Version, at: Instant, written: Written) {
        for key in &written.keys {
            self.last_write.insert(key.clone(), version);
        }
        self.bytes += written.bytes();
        self.commits.push_back(Commit {
            version,
            at,
            written,
        });
    }

    /// Forgets what no transaction can still have missed.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.commits.front()
            && (self.bytes > self.most_bytes || now.saturating_duration_since(oldest.at) > MEMORY)
            && let Some(oldest) = self.commits.pop_front()
        {
            self.floor = oldest.version;
            self.bytes -= oldest.written.bytes();
            for key in oldest.written.keys {
                if self.last_write.get(&key) == Some(&oldest.version) {
                    self.last_write.remove(&key);
                }
            }
        }
    }

    /// The keys that versions after `version` wrote, for those who wait for a change.
    pub(super) fn after(&self, version: Version) -> impl Iterator<Item = &Written> {
        self.commits
            .iter()
            .rev()
            .take_while(move |commit| commit.version > version)
            .map(|commit| &commit.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(begin: &[u8], end: &[u8]) -> KeyRange {
        KeyRange {
            begin: begin.to_vec(),
            end: end.to_vec(),
        }
    }

    #[test]
    fn only_newer_writes_to_what_was_read_conflict() {
        let now = Instant::now();
        let mut recent = RecentWrites::since(Version(10));
        recent.record(
            Version(11),
            now,
            Written {
                keys: vec![b"b".to_vec()],
                ranges: vec![],
            },
        );
        recent.record(
            Version(12),
            now,
            Written {
                keys: vec![],
                ranges: vec![range(b"x", b"z")],
            },
        );

        let check = |version, begin: &[u8], end: &[u8]| {
            recent.check(Version(version), &[range(begin, end)])
        };
        assert!(matches!(check(10, b"b", b"b\0"), Err(StoreError::Conflict)));
        assert!(matches!(check(11, b"y", b"y\0"), Err(StoreError::Conflict)));
        assert!(matches!(check(9, b"a", b"b"), Err(StoreError::TooOld)));
        check(11, b"b", b"b\0").unwrap();
        check(10, b"a", b"b").unwrap();
        check(10, b"c", b"x").unwrap();
        check(10, b"z", b"zz").unwrap();
        check(12, b"a", b"zz").unwrap();
        recent.check(Version(0), &[]).unwrap();
    }

    #[test]
    fn memory_is_bounded_however_much_is_written_at_once() {
        let now = Instant::now();
        let mut recent = RecentWrites::since(Version(0));
        recent.most_bytes = 1 << 20;
        // Twice as many keys as fit, of a size as the registry has them, in commits as an import makes them.
        let most = recent.most_bytes / (2 * (60 + KEY_OVERHEAD));
        let each = 100;
        for commit in 0..2 * most / each {
            let keys = (0..each).map(|key| format!("{:060}", commit * each + key).into_bytes());
            let written = Written {
                keys: keys.collect(),
                ranges: vec![],
            };
            recent.record(Version(commit as u64 + 1), now, written);
            recent.forget(now);
            assert!(recent.last_write.len() <= most);
        }
        assert!(recent.last_write.len() > most - each);
        let read = [range(b"0", b"1")];
        assert!(matches!(
            recent.check(Version(1), &read),
            Err(StoreError::TooOld)
        ));
    }

    #[test]
    fn what_is_forgotten_is_too_old_and_not_unchanged() {
        let now = Instant::now();
        let mut recent = RecentWrites::since(Version(0));
        for (version, at) in [(1, now), (2, now + MEMORY), (3, now + MEMORY)] {
            recent.record(
                Version(version),
                at,
                Written {
                    keys: vec![b"k".to_vec()],
                    ranges: vec![],
                },
            );
        }
        recent.forget(now + MEMORY + Duration::from_millis(1));
        let read = [range(b"k", b"l")];
        assert!(matches!(
            recent.check(Version(0), &read),
            Err(StoreError::TooOld)
        ));
        assert!(matches!(
            recent.check(Version(1), &read),
            Err(StoreError::Conflict)
        ));
        recent.check(Version(3), &read).unwrap();
        recent.forget(now + MEMORY + MEMORY + Duration::from_millis(1));
        assert!(recent.last_write.is_empty());
        assert_eq!(recent.bytes, 0);
        recent.check(Version(3), &read).unwrap();
    }
}
