//! One object as copies from another (Git's delta form, `gitformat-pack(5)`, "Deltified representation").
//!
//! Two users' files are the same lines with other ids in them, and a folder before and after a commit is the same
//! entries with other ids in them. So pieces (lines, entries) are compared in step with the base, and one that differs
//! is written as what it shares at both ends plus the middle; only where the two part (a second workspace, a new user)
//! is a piece looked up by its hash. That is much less work than a general delta, which indexes every block of bytes.

use std::{collections::HashMap, iter};

/// Shared ends of a piece shorter than this are cheaper inserted than copied (a copy takes 3 to 7 bytes).
const SHORTEST_COPY: usize = 8;
/// Longest insertion one instruction holds.
const LONGEST_INSERT: usize = 0x7f;
/// Longest copy one instruction holds in a version 2 pack.
const LONGEST_COPY: usize = 0x1_0000;
/// How many equal pieces of the base are looked at for the one nearest to where we are.
const LONGEST_CHAIN: usize = 8;

/// What an object is a sequence of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pieces {
    /// Lines with their line feeds.
    Lines,
    /// A tree's entries: `<mode> <name>\0` and the 20 bytes of an id.
    Entries,
}

impl Pieces {
    /// The pieces of `bytes`, whatever they are: all of them together are `bytes`.
    pub(super) fn of(self, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        let (end, beyond) = match self {
            Self::Lines => (b'\n', 1),
            Self::Entries => (0, 1 + ID),
        };
        let mut rest = bytes;
        iter::from_fn(move || {
            let found = rest.iter().position(|&byte| byte == end);
            let length = found.map_or(rest.len(), |at| rest.len().min(at + beyond));
            (length > 0).then(|| rest.split_off(..length)).flatten()
        })
    }
}

/// Bytes of an object's id.
const ID: usize = 20;

/// An object that others are written as differences to, with an index of its pieces.
#[derive(Debug)]
pub(super) struct Base {
    pieces: Pieces,
    bytes: Vec<u8>,
    /// Where each piece starts; one more at the end.
    starts: Vec<u32>,
    /// The first piece with this hash.
    first: HashMap<u64, u32>,
    /// The next piece with the same hash as this one.
    next: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Base {
    pub(super) fn new(pieces: Pieces, bytes: &[u8]) -> Self {
        let mut starts = vec![0];
        let mut hashes = Vec::new();
        for piece in pieces.of(bytes) {
            hashes.push(hash(piece));
            starts.push(
                starts.last().copied().unwrap_or(0) + u32::try_from(piece.len()).unwrap_or(NONE),
            );
        }
        let mut first = HashMap::with_capacity(hashes.len());
        let mut next = vec![NONE; hashes.len()];
        // From the last to the first, so that a chain runs forward.
        for (number, piece_hash) in hashes.iter().enumerate().rev() {
            if let Some(later) = first.insert(*piece_hash, u32::try_from(number).unwrap_or(NONE)) {
                next[number] = later;
            }
        }
        Self {
            pieces,
            bytes: bytes.to_vec(),
            starts,
            first,
            next,
        }
    }

    /// How many pieces the base has.
    pub(super) fn piece_count(&self) -> usize {
        self.next.len()
    }

    fn piece(&self, number: usize) -> Option<&[u8]> {
        let (start, end) = (self.starts.get(number)?, self.starts.get(number + 1)?);
        self.bytes.get(*start as usize..*end as usize)
    }

    /// The first piece equal to `piece` at or after `from`, or else the first of all.
    fn find(&self, piece: &[u8], from: usize) -> Option<usize> {
        let mut candidate = *self.first.get(&hash(piece))?;
        let mut found = None;
        for _ in 0..LONGEST_CHAIN {
            let number = candidate as usize;
            if self.piece(number) == Some(piece) {
                found = found.or(Some(number));
                if number >= from {
                    return Some(number);
                }
            }
            candidate = *self.next.get(number)?;
            if candidate == NONE {
                break;
            }
        }
        found
    }

    /// Writes `target` as a difference to this base into `delta`. False (and `delta` of no use) if that
    /// takes more than `limit` bytes.
    pub(super) fn encode(&self, target: &[u8], limit: usize, delta: &mut Vec<u8>) -> bool {
        delta.clear();
        push_size(delta, self.bytes.len());
        push_size(delta, target.len());
        let mut writer = Writer {
            delta,
            pending: None,
            inserted: 0,
            target,
        };
        let mut at = 0;
        let mut place = 0;
        for piece in self.pieces.of(target) {
            let base = self.piece(at).unwrap_or_default();
            if base == piece {
                writer.copy(self.starts[at] as usize, piece.len());
                at += 1;
            } else if let Some(number) = self.find(piece, at) {
                writer.copy(self.starts[number] as usize, piece.len());
                at = number + 1;
            } else {
                let (head, tail) = shared_ends(base, piece);
                let start = self.starts.get(at).copied().unwrap_or(0) as usize;
                writer.copy(start, head);
                writer.insert(place + head, piece.len() - head - tail);
                writer.copy(start + base.len() - tail, tail);
                at += 1;
            }
            place += piece.len();
            if writer.delta.len() > limit {
                return false;
            }
        }
        writer.flush();
        delta.len() <= limit
    }
}

/// A quick hash of a piece (FxHash's step on eight bytes at a time); equal hashes are compared by bytes.
fn hash(piece: &[u8]) -> u64 {
    const STEP: u64 = 0x517c_c1b7_2722_0a95;
    let mut state = piece.len() as u64;
    let (chunks, rest) = piece.as_chunks::<8>();
    for chunk in chunks {
        state = (state.rotate_left(5) ^ u64::from_le_bytes(*chunk)).wrapping_mul(STEP);
    }
    for byte in rest {
        state = (state.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(STEP);
    }
    state
}

/// How many bytes two pieces share at the beginning and at the end; zero where too few to be worth a copy.
fn shared_ends(base: &[u8], piece: &[u8]) -> (usize, usize) {
    let head = base.iter().zip(piece).take_while(|(a, b)| a == b).count();
    let tail = base[head..]
        .iter()
        .rev()
        .zip(piece[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    (
        if head < SHORTEST_COPY { 0 } else { head },
        if tail < SHORTEST_COPY { 0 } else { tail },
    )
}

/// Collects neighbouring copies and insertions into as few instructions as possible.
struct Writer<'a> {
    delta: &'a mut Vec<u8>,
    pending: Option<Pending>,
    /// Length of the insertion instruction that is still open at the end of `delta`.
    inserted: usize,
    target: &'a [u8],
}

/// A copy that may yet grow.
struct Pending {
    start: usize,
    length: usize,
}

impl Writer<'_> {
    fn copy(&mut self, start: usize, length: usize) {
        if length == 0 {
            return;
        }
        self.inserted = 0;
        match &mut self.pending {
            Some(pending) if pending.start + pending.length == start => pending.length += length,
            _ => {
                self.flush();
                self.pending = Some(Pending { start, length });
            }
        }
    }

    fn insert(&mut self, start: usize, length: usize) {
        if length == 0 {
            return;
        }
        self.flush();
        let mut bytes = self.target.get(start..start + length).unwrap_or_default();
        while !bytes.is_empty() {
            if self.inserted == 0 || self.inserted == LONGEST_INSERT {
                self.delta.push(0);
                self.inserted = 0;
            }
            let (now, later) = bytes.split_at(bytes.len().min(LONGEST_INSERT - self.inserted));
            let length_byte = self.delta.len() - self.inserted - 1;
            self.delta.extend_from_slice(now);
            self.inserted += now.len();
            self.delta[length_byte] = u8::try_from(self.inserted).unwrap_or(0x7f);
            bytes = later;
        }
    }

    fn flush(&mut self) {
        let Some(Pending {
            mut start,
            mut length,
        }) = self.pending.take()
        else {
            return;
        };
        while length > 0 {
            let now = length.min(LONGEST_COPY);
            self.push_copy(start, now);
            start += now;
            length -= now;
        }
    }

    /// `1xxxxxxx`, then those bytes of offset (4) and size (3) that are not zero; size 0 means 65,536.
    fn push_copy(&mut self, start: usize, length: usize) {
        let instruction = self.delta.len();
        self.delta.push(0x80);
        let size = if length == LONGEST_COPY { 0 } else { length };
        let offsets = start.to_le_bytes().into_iter().take(4);
        let sizes = size.to_le_bytes().into_iter().take(3);
        for (bit, byte) in offsets.chain(sizes).enumerate() {
            if byte != 0 {
                self.delta[instruction] |= 1 << bit;
                self.delta.push(byte);
            }
        }
    }
}

/// A size in groups of seven bits, lowest first.
fn push_size(out: &mut Vec<u8>, mut size: usize) {
    loop {
        let low = u8::try_from(size & 0x7f).unwrap_or(0);
        size >>= 7;
        out.push(if size == 0 { low } else { low | 0x80 });
        if size == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn read_size(delta: &mut &[u8]) -> usize {
        let mut size = 0;
        for shift in (0..).step_by(7) {
            let byte = delta.split_off_first().unwrap();
            size |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        size
    }

    /// Git's reading of a delta, written from the format's description alone.
    fn apply(base: &[u8], mut delta: &[u8]) -> Vec<u8> {
        assert_eq!(read_size(&mut delta), base.len());
        let length = read_size(&mut delta);
        let mut target = Vec::new();
        while let Some(&instruction) = delta.split_off_first() {
            if instruction & 0x80 == 0 {
                assert_ne!(instruction, 0, "reserved");
                target.extend_from_slice(delta.split_off(..usize::from(instruction)).unwrap());
                continue;
            }
            let mut numbers = [0_usize; 7];
            for (bit, number) in numbers.iter_mut().enumerate() {
                if instruction & (1 << bit) != 0 {
                    *number = usize::from(*delta.split_off_first().unwrap());
                }
            }
            let start = numbers[0] | numbers[1] << 8 | numbers[2] << 16 | numbers[3] << 24;
            let size = numbers[4] | numbers[5] << 8 | numbers[6] << 16;
            target.extend_from_slice(&base[start..start + if size == 0 { 0x1_0000 } else { size }]);
        }
        assert_eq!(target.len(), length);
        target
    }

    fn round(pieces: Pieces, base: &[u8], target: &[u8]) -> usize {
        let mut delta = Vec::new();
        assert!(Base::new(pieces, base).encode(target, usize::MAX, &mut delta));
        assert_eq!(apply(base, &delta), target);
        delta.len()
    }

    /// A folder with an entry for each number, whose id is the other number's.
    fn folder(entries: &[(u8, u8)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, id) in entries {
            body.extend_from_slice(format!("100644 user-{name:03}.yaml\0").as_bytes());
            body.extend_from_slice(&[*id; ID]);
        }
        body
    }

    #[test]
    fn another_id_costs_little_more_than_the_id() {
        let file = |id: &str| {
            (0..50)
                .map(|n| format!("apiVersion: v{n}\nmetadata:\n  namespace: user-{id}\n  labels: {{team: a, owner: {id}, app: workspace}}\n"))
                .collect::<String>()
        };
        let (base, target) = (file("0b5d"), file("9f31"));
        assert!(round(Pieces::Lines, base.as_bytes(), target.as_bytes()) < target.len() / 5);
    }

    #[test]
    fn a_folder_costs_what_changed_in_it() {
        let mut entries: Vec<(u8, u8)> = (0..128).map(|name| (name, name)).collect();
        let before = folder(&entries);
        entries[40].1 = 200;
        entries[90].1 = 201;
        entries.insert(60, (255, 202));
        entries.remove(10);
        let delta = round(Pieces::Entries, &before, &folder(&entries));
        assert!(delta < 5 * 40, "{delta} bytes of {}", before.len());
    }

    #[test]
    fn a_limit_is_kept() {
        let mut delta = Vec::new();
        assert!(!Base::new(Pieces::Lines, b"a\n").encode(&[b'x'; 1_000], 900, &mut delta));
    }

    #[test]
    fn long_copies_and_insertions_are_split() {
        let base = vec![b'a'; 200_000];
        round(Pieces::Lines, &base, &base);
        round(Pieces::Lines, b"", &base);
        round(Pieces::Lines, &base, b"");
    }

    proptest! {
        #[test]
        fn applying_an_encoded_delta_gives_the_target(base in vec(0_u8..12, 0..400), target in vec(0_u8..12, 0..400)) {
            // Few distinct bytes, 10 among them: many short and equal lines.
            round(Pieces::Lines, &base, &target);
            round(Pieces::Entries, &base, &target);
        }

        #[test]
        fn edits_of_folders_come_back(before in vec((0_u8..40, any::<u8>()), 0..60), after in vec((0_u8..40, any::<u8>()), 0..60)) {
            round(Pieces::Entries, &folder(&before), &folder(&after));
        }

        #[test]
        fn edits_of_lines_come_back(lines in vec("[a-c ]{0,40}\n", 0..60), edits in vec((0_usize..60, "[a-e\n ]{0,60}"), 0..6)) {
            let mut edited = lines.clone();
            for (place, text) in edits {
                if place < edited.len() { edited[place] = text } else { edited.push(text) }
            }
            round(Pieces::Lines, lines.concat().as_bytes(), edited.concat().as_bytes());
        }
    }
}
