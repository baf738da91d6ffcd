//! Where the registry's keys stand in a cluster that others use as well.

use foundationdb_tuple::pack;

use super::super::{Key, KeyRange, Page, Value};

/// A prefix before every key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subspace(Vec<u8>);

impl Subspace {
    /// The subspace of a name, as the tuple layer of FoundationDB's other clients has it.
    pub(super) fn named(name: &str) -> Self {
        Self(pack(&(name,)))
    }

    /// The subspace with this very prefix, which the directory layer has given out.
    pub(super) fn at(prefix: Vec<u8>) -> Self {
        Self(prefix)
    }

    #[cfg(test)]
    fn prefix(&self) -> &[u8] {
        &self.0
    }

    /// A key of the registry as the cluster has it.
    pub(super) fn key(&self, key: &[u8]) -> Vec<u8> {
        [self.0.as_slice(), key].concat()
    }

    /// A range of the registry as the cluster has it; `None` if it holds no key. FoundationDB takes no range whose
    /// begin lies behind its end.
    pub(super) fn range(&self, range: &KeyRange) -> Option<(Vec<u8>, Vec<u8>)> {
        (range.begin < range.end).then(|| (self.key(&range.begin), self.key(&range.end)))
    }

    /// A key of the cluster as the registry has it; `None` if it is none of the registry's.
    pub(super) fn strip(&self, key: &[u8]) -> Option<Key> {
        key.strip_prefix(self.0.as_slice()).map(<[u8]>::to_vec)
    }

    /// The operand of `SET_VERSIONSTAMPED_KEY` for the append number `place` of a transaction: the key with ten bytes
    /// left open for the versionstamp, and where these begin, as four little-endian bytes
    /// (<https://apple.github.io/foundationdb/api-c.html#c.fdb_transaction_atomic_op>).
    pub(super) fn stamped(&self, prefix: &[u8], place: u16) -> Vec<u8> {
        let mut operand = self.key(prefix);
        operand.push(VERSIONSTAMP_CODE);
        // At most 10,000 bytes: that is the limit of a key.
        let at = u32::try_from(operand.len()).unwrap_or(u32::MAX);
        operand.extend_from_slice(&[0xff; 10]);
        operand.extend_from_slice(&place.to_be_bytes());
        operand.extend_from_slice(&at.to_le_bytes());
        operand
    }
}

/// The tuple layer's type code of a versionstamp of twelve bytes.
const VERSIONSTAMP_CODE: u8 = 0x33;

/// A page of at most `limit` entries from what was found when one more was asked for; `more` is what the cluster says.
/// It says so whenever it stops at a limit, also at the last entry: the one more tells.
pub(super) fn page(mut found: Vec<(Key, Value)>, limit: usize, more: bool) -> Page {
    let cut = found.len() > limit;
    found.truncate(limit);
    Page {
        entries: found,
        more: cut || more,
    }
}

#[cfg(test)]
mod tests {
    use foundationdb_tuple::{Element, Versionstamp, unpack};
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::store::{limits, optimistic};

    #[test]
    fn a_named_subspace_is_that_of_the_tuple_layer() {
        assert_eq!(Subspace::named("coditect").prefix(), b"\x02coditect\x00");
        let longest = "x".repeat(limits::PREFIX_BYTES - 2);
        assert_eq!(
            Subspace::named(&longest).prefix().len(),
            limits::PREFIX_BYTES
        );
    }

    #[test]
    fn empty_and_inverted_ranges_are_none() {
        let space = Subspace::named("c");
        for (begin, end) in [("a", "a"), ("b", "a")] {
            let range = KeyRange {
                begin: begin.into(),
                end: end.into(),
            };
            assert_eq!(space.range(&range), None);
        }
    }

    #[test]
    fn foreign_keys_are_not_ours() {
        assert_eq!(Subspace::named("ours").strip(b"\x02other\x00key"), None);
        assert_eq!(Subspace::at(b"\x15\x01".to_vec()).strip(b"\x15"), None);
    }

    /// Does what the commit proxy does with the operand: takes the position off and writes the stamp there.
    fn committed(mut operand: Vec<u8>, stamp: [u8; 10]) -> Vec<u8> {
        let at = operand.split_off(operand.len() - 4);
        let at = u32::from_le_bytes(at.try_into().unwrap()) as usize;
        operand[at..at + 10].copy_from_slice(&stamp);
        operand
    }

    #[test]
    fn a_stamped_key_is_a_tuple() {
        let feed = pack(&("change", "cell"));
        let space = Subspace::named("coditect");
        let stamp = [0, 0, 0, 0, 0, 0, 1, 2, 0, 7];
        let key = space
            .strip(&committed(space.stamped(&feed, 258), stamp))
            .unwrap();
        let tuple: Vec<Element<'_>> = unpack(&key).unwrap();
        assert_eq!(
            tuple[2],
            Element::Versionstamp(Versionstamp::complete(stamp, 258))
        );
    }

    proptest! {
        #[test]
        fn keys_come_back_and_keep_their_order(prefix in vec(0_u8..0xff, 0..20), one: Vec<u8>, other: Vec<u8>) {
            let space = Subspace::at(prefix);
            prop_assert_eq!(space.strip(&space.key(&one)), Some(one.clone()));
            prop_assert_eq!(space.key(&one).cmp(&space.key(&other)), one.cmp(&other));
        }

        /// The key that the cluster makes of the operand is the one that the stores of our own make.
        #[test]
        fn appends_stand_where_the_other_stores_put_them(prefix in vec(any::<u8>(), 0..20), version: u64, place: u16) {
            let space = Subspace::named("coditect");
            let mut stamp = [0; 10];
            stamp[..8].copy_from_slice(&version.to_be_bytes());
            let key = space.strip(&committed(space.stamped(&prefix, place), stamp)).unwrap();
            prop_assert_eq!(key, optimistic::stamped(&prefix, coditect_core::Version(version), place));
        }

        #[test]
        fn a_page_says_more_only_with_an_entry_to_go_on_from(count in 0_usize..20, limit in 1_usize..20, stopped: bool) {
            // The cluster stops at the one more that was asked for, or at its limit of bytes, with an entry at least.
            let found: Vec<_> = (0..count.min(limit + 1)).map(|n| (vec![n as u8], vec![])).collect();
            let more = found.len() > limit || (stopped && !found.is_empty());
            let page = page(found, limit, more);
            prop_assert!(page.entries.len() <= limit);
            prop_assert_eq!(page.more, count > limit || (stopped && count > 0));
            prop_assert!(!page.more || !page.entries.is_empty());
        }
    }
}
