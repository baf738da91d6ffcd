//! What the log holds beyond the database.

use std::collections::BTreeMap;

use coditect_core::Version;

use super::record::{self, BLOCK, Record};

/// The records that continue the database.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Tail {
    /// One continuing the other.
    pub(in super::super) records: Vec<Record>,
    /// The version that they end with.
    pub(in super::super) version: Version,
    /// That the disk held more than that once, and up to which version: there is a record that continues one which
    /// is not there. A record is written when the one before it is on disk, so no crash can leave this behind.
    pub(in super::super) held: Option<Version>,
}

impl Tail {
    /// Nothing beyond `version`.
    pub(in super::super) fn none(version: Version) -> Self {
        Self {
            records: Vec::new(),
            version,
            held: None,
        }
    }
}

/// Reads the log of a round, of which the database holds everything up to `version`.
///
/// Every block is looked at, because a record that is not whole does not say where the next begins. Versions only
/// rise within a round, so what an earlier turn has left behind the end of a file continues nothing.
pub(super) fn read(files: &[Vec<u8>], round: u64, version: Version) -> Tail {
    let mut found = BTreeMap::new();
    for bytes in files {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += match record::decode(rest, round) {
                Some((record, length)) => {
                    found.insert(record.before, record);
                    length
                }
                None => BLOCK,
            };
        }
    }
    let mut tail = Tail::none(version);
    while let Some(record) = found.remove(&tail.version)
        && record.after() > tail.version
    {
        tail.version = record.after();
        tail.records.push(record);
    }
    tail.held = found
        .into_keys()
        .next_back()
        .filter(|held| *held > tail.version);
    tail
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{super::super::optimistic::Mutation, record::tests::transactions},
        *,
    };

    const ROUND: u64 = 0xfeed;

    fn encoded(round: u64, before: u64, transactions: &[Vec<Mutation>]) -> Vec<u8> {
        let transactions = transactions.iter().map(Vec::as_slice);
        record::encode(round, Version(before), transactions)
    }

    fn one(version: u64) -> Vec<Vec<Mutation>> {
        vec![vec![Mutation::Clear(version.to_be_bytes().to_vec())]]
    }

    fn file(versions: impl IntoIterator<Item = u64>) -> Vec<u8> {
        versions
            .into_iter()
            .flat_map(|version| encoded(ROUND, version, &one(version)))
            .collect()
    }

    fn befores(tail: &Tail) -> Vec<u64> {
        tail.records.iter().map(|record| record.before.0).collect()
    }

    #[test]
    fn records_are_found_in_both_files_and_in_either_order() {
        for files in [[file(3..6), file(6..9)], [file(6..9), file(3..6)]] {
            let tail = read(&files, ROUND, Version(4));
            assert_eq!(befores(&tail), [4, 5, 6, 7, 8]);
            assert_eq!((tail.version, tail.held), (Version(9), None));
        }
    }

    #[test]
    fn what_an_earlier_turn_left_is_not_the_tail() {
        // The first file was begun anew with 6, over what it held from 0 on.
        let mut begun = file(0..4);
        begun.splice(..BLOCK, file([6]));
        let tail = read(&[begun, file(4..6)], ROUND, Version(4));
        assert_eq!(befores(&tail), [4, 5, 6]);
        assert_eq!(tail.held, None);
    }

    #[test]
    fn another_round_is_nothing() {
        let tail = read(&[file(4..9), Vec::new()], ROUND + 1, Version(4));
        assert_eq!((befores(&tail), tail.held), (vec![], None));
    }

    #[test]
    fn a_torn_last_record_is_nothing_and_a_hole_before_others_is_told() {
        let mut files = [file(0..5), file(5..7)];
        files[1][BLOCK + 30] ^= 1;
        let tail = read(&files, ROUND, Version(0));
        assert_eq!((tail.version, tail.held), (Version(6), None));
        files[0][2 * BLOCK + 30] ^= 1;
        let tail = read(&files, ROUND, Version(0));
        assert_eq!((tail.version, tail.held), (Version(2), Some(Version(5))));
        let tail = read(&files, ROUND, Version(3));
        assert_eq!((tail.version, tail.held), (Version(6), None));
    }

    proptest! {
        #[test]
        fn groups_come_back_as_written(groups in prop::collection::vec(transactions(), 1..8), cut: prop::sample::Index) {
            let (mut version, mut files, mut whole) = (0, [Vec::new(), Vec::new()], Vec::new());
            let turn = cut.index(groups.len());
            for (place, group) in groups.iter().enumerate() {
                files[usize::from(place >= turn)].extend(encoded(ROUND, version, group));
                whole.push(Record { before: Version(version), transactions: group.clone() });
                version += group.len() as u64;
            }
            let tail = read(&files, ROUND, Version(0));
            prop_assert_eq!(tail, Tail { records: whole, version: Version(version), held: None });
        }
    }
}
