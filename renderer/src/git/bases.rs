//! Which earlier file of a pack a new one is written as the difference to.

use std::collections::VecDeque;

use super::delta::Base;

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
            self.kept.push_front((offset, Base::new(body)));
        }
    }

    /// Writes `body` as a difference to the base that fits, and returns that base's offset; `None` if it
    /// is better stored in full.
    pub(super) fn encode(&mut self, body: &[u8], delta: &mut Vec<u8>) -> Option<u64> {
        if self.kept.is_empty() || !SIZES.contains(&body.len()) {
            return None;
        }
        // Files of one shape have the same number of lines.
        let lines = body.split_inclusive(|&byte| byte == b'\n').count();
        let alike = |(_, base): &(u64, Base)| base.line_count() == lines;
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
