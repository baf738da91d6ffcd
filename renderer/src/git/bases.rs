//! Which earlier object of a pack a new one is written as the difference to.

use std::collections::{HashMap, VecDeque};

use super::delta::{Base, Pieces};

/// How many files are kept as bases: as many shapes (plan, number of workspaces, release) as a flush
/// is likely to mix.
const KEPT: usize = 16;
/// How many are tried when the likeliest does not fit well.
const TRIED: usize = 4;
/// Smaller files gain nothing; larger ones would sit in memory.
const SIZES: std::ops::RangeInclusive<usize> = 128..=1024 * 1024;

/// The latest files that were stored in full, the last used first.
#[derive(Debug, Default)]
pub(super) struct Bases {
    kept: VecDeque<(u64, Base)>,
    spare: Vec<u8>,
}

impl Bases {
    /// Keeps a file stored in full at `offset` as a base for later ones.
    pub(super) fn add(&mut self, offset: u64, body: &[u8]) {
        if SIZES.contains(&body.len()) {
            self.kept.truncate(KEPT - 1);
            self.kept
                .push_front((offset, Base::new(Pieces::Lines, body)));
        }
    }

    /// Writes `body` as a difference to the base that fits, and returns that base's offset; `None` if it
    /// is better stored in full.
    pub(super) fn encode(&mut self, body: &[u8], delta: &mut Vec<u8>) -> Option<u64> {
        if self.kept.is_empty() || !SIZES.contains(&body.len()) {
            return None;
        }
        // Files of one shape have the same number of lines.
        let lines = Pieces::Lines.of(body).count();
        let alike = |(_, base): &(u64, Base)| base.piece_count() == lines;
        let same = (0..self.kept.len()).filter(|&at| alike(&self.kept[at]));
        let other = (0..self.kept.len()).filter(|&at| !alike(&self.kept[at]));
        let mut best = None;
        let mut limit = body.len() / 2;
        for at in same.chain(other).take(TRIED) {
            let (_, base) = &self.kept[at];
            if base.encode(body, limit, &mut self.spare) {
                std::mem::swap(delta, &mut self.spare);
                best = Some(at);
                // Good enough: a third is mostly the ids themselves.
                if delta.len() <= body.len() / 3 {
                    break;
                }
                limit = delta.len() - 1;
            }
        }
        let (offset, base) = self.kept.remove(best?)?;
        self.kept.push_front((offset, base));
        Some(offset)
    }
}

/// How many differences follow one another until a folder is stored in full again: each is read to read the last.
/// What `git pack-objects` takes by default (`pack.depth`).
const DEEPEST: u32 = 50;
/// How many folders are remembered; with more, all are forgotten. A cell has 131.
const FOLDERS: usize = 1_024;

/// The folders of successive commits, each the base of the next one that was stored.
#[derive(Debug, Default)]
pub(super) struct Folders {
    latest: HashMap<Vec<u8>, Latest>,
}

#[derive(Debug)]
struct Latest {
    offset: u64,
    depth: u32,
    base: Base,
}

impl Folders {
    /// Writes the tree `body` as a difference to the one of the same folder before it, and returns that one's offset;
    /// `None` if it is to be stored in full. In either case the next one's base is this one, at `offset`.
    pub(super) fn encode(&mut self, offset: u64, body: &[u8], delta: &mut Vec<u8>) -> Option<u64> {
        let key = Self::key(body);
        let before = self.latest.remove(&key);
        let fits = |latest: &Latest| {
            latest.depth < DEEPEST && latest.base.encode(body, body.len() / 2, delta)
        };
        let before = before
            .filter(fits)
            .map(|latest| (latest.offset, latest.depth));
        if self.latest.len() >= FOLDERS {
            self.latest.clear();
        }
        let latest = Latest {
            offset,
            depth: before.map_or(0, |(_, depth)| depth + 1),
            base: Base::new(Pieces::Entries, body),
        };
        self.latest.insert(key, latest);
        before.map(|(offset, _)| offset)
    }

    /// What tells folders apart that are alike: the names of their first two entries, as each shard begins with the same
    /// file. Another folder taken for this one costs bytes, nothing else.
    fn key(body: &[u8]) -> Vec<u8> {
        let name = |entry: &'_ [u8]| entry.split(|&byte| byte == 0).next().map(<[u8]>::to_vec);
        let names = Pieces::Entries.of(body).take(2).filter_map(name);
        names.collect::<Vec<_>>().concat()
    }
}
