//! A record of the log: what one group of commits wrote.
//!
//! It begins at a block's border and is filled up to the next, so that writing one never touches a block that
//! holds another: what has been acknowledged is not written again.

use coditect_core::Version;

use super::super::super::{
    encoding::{Reader, Writer, decode_mutation, encode_mutations},
    optimistic::Mutation,
};

/// What a record is filled up to: the memory page of the operating system, which reaches the disk whole.
pub(super) const BLOCK: usize = 4096;
const MAGIC: &[u8; 8] = b"coditlog";
/// Magic, checksum, length of what follows the head, round, version before, version after.
const HEAD: usize = 8 + 4 + 4 + 8 + 8 + 8;
/// What a mutation takes beside its keys and values: its kind and two lengths.
const MUTATION: usize = 9;

/// One group of commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Record {
    /// The version that it continues.
    pub(in super::super) before: Version,
    /// What each transaction of the group writes, in the order of their versions, of which each has the next.
    pub(in super::super) transactions: Vec<Vec<Mutation>>,
}

impl Record {
    /// The version of its last transaction.
    pub(in super::super) fn after(&self) -> Version {
        Version(self.before.0 + self.transactions.len() as u64)
    }
}

/// No record of transactions that have so many mutations and take so many bytes by themselves is longer.
pub(in super::super) fn longest(transactions: usize, mutations: usize, bytes: u64) -> u64 {
    let beside = HEAD + BLOCK + transactions * 4 + mutations * MUTATION;
    bytes + beside as u64
}

/// The bytes of a record, filled up.
pub(in super::super) fn encode<'a>(
    round: u64,
    before: Version,
    transactions: impl ExactSizeIterator<Item = &'a [Mutation]>,
) -> Vec<u8> {
    let after = before.0 + transactions.len() as u64;
    let mut record = Writer::behind(HEAD);
    transactions.for_each(|mutations| encode_mutations(&mut record, mutations));
    let mut bytes = record.into_bytes();
    // A group is bounded far below.
    let length = u32::try_from(bytes.len() - HEAD).unwrap_or(u32::MAX);
    bytes[..8].copy_from_slice(MAGIC);
    bytes[12..16].copy_from_slice(&length.to_be_bytes());
    bytes[16..24].copy_from_slice(&round.to_be_bytes());
    bytes[24..32].copy_from_slice(&before.0.to_be_bytes());
    bytes[32..40].copy_from_slice(&after.to_be_bytes());
    let checksum = crc32fast::hash(&bytes[12..]);
    bytes[8..12].copy_from_slice(&checksum.to_be_bytes());
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

/// The record that begins where `bytes` begin, and how many of them it takes; `None` if there is none of the round,
/// or not all of it.
pub(super) fn decode(bytes: &[u8], round: u64) -> Option<(Record, usize)> {
    let head = bytes.get(..HEAD)?;
    let number = |at: usize| Some(u64::from_be_bytes(head.get(at..at + 8)?.try_into().ok()?));
    let short = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    if &head[..8] != MAGIC || number(16)? != round {
        return None;
    }
    let end = HEAD + short(12)? as usize;
    if crc32fast::hash(bytes.get(12..end)?) != short(8)? {
        return None;
    }
    let (before, after) = (Version(number(24)?), number(32)?);
    let mut content = Reader::new(&bytes[HEAD..end]);
    let transactions = (before.0..after)
        .map(|_| content.list(decode_mutation))
        .collect::<Result<_, _>>()
        .ok()?;
    let record = Record {
        before,
        transactions,
    };
    let record = content.finish(record).ok()?;
    Some((record, end.next_multiple_of(BLOCK)))
}

#[cfg(test)]
pub(in super::super) mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::store::KeyRange;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        vec(any::<u8>(), 0..300)
    }

    fn mutation() -> impl Strategy<Value = Mutation> {
        prop_oneof![
            (bytes(), bytes()).prop_map(|(key, value)| Mutation::Set(key, value)),
            bytes().prop_map(Mutation::Clear),
            (bytes(), bytes())
                .prop_map(|(begin, end)| Mutation::ClearRange(KeyRange { begin, end })),
            (bytes(), any::<i64>()).prop_map(|(key, delta)| Mutation::Add(key, delta)),
            (bytes(), bytes()).prop_map(|(prefix, value)| Mutation::Append(prefix, value)),
        ]
    }

    /// One transaction or more.
    pub(in super::super::super) fn transactions() -> impl Strategy<Value = Vec<Vec<Mutation>>> {
        vec(vec(mutation(), 0..8), 1..6)
    }

    fn written(round: u64, before: u64, transactions: &[Vec<Mutation>]) -> Vec<u8> {
        let transactions = transactions.iter().map(Vec::as_slice);
        encode(round, Version(before), transactions)
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_written_and_is_no_longer_than_promised(
            round: u64,
            before in 0..u64::MAX / 2,
            transactions in transactions(),
        ) {
            let bytes = written(round, before, &transactions);
            let mutations: usize = transactions.iter().map(Vec::len).sum();
            let content: usize = transactions.iter().flatten().map(Mutation::bytes).sum();
            prop_assert!(bytes.len() as u64 <= longest(transactions.len(), mutations, content as u64));
            let (record, length) = decode(&bytes, round).unwrap();
            prop_assert_eq!(length, bytes.len());
            prop_assert_eq!(record.after(), Version(before + transactions.len() as u64));
            prop_assert_eq!(record, Record { before: Version(before), transactions });
            prop_assert_eq!(decode(&bytes, round.wrapping_add(1)), None, "of another round");
        }

        #[test]
        fn a_record_that_is_not_whole_is_none(
            transactions in transactions(),
            at: prop::sample::Index,
            bit in 0..8,
        ) {
            let bytes = written(7, 3, &transactions);
            let length = HEAD + u32::from_be_bytes(bytes[12..16].try_into().unwrap()) as usize;
            let at = at.index(length);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1_u8 << bit;
            prop_assert_eq!(decode(&flipped, 7), None);
            prop_assert_eq!(decode(&bytes[..at], 7), None);
        }

        #[test]
        fn noise_is_no_record(noise in vec(any::<u8>(), 0..200), round: u64) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend(noise);
            prop_assert_eq!(decode(&bytes, round), None);
        }
    }
}
