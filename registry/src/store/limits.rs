//! FoundationDB's limits, which hold for every back end
//! (<https://apple.github.io/foundationdb/known-limitations.html>).
//!
//! A cluster is shared, so the registry's keys stand behind a prefix there, and the cluster counts the prefix and its
//! own book-keeping: the limits leave room for both, so that what any back end takes a cluster takes.

use std::time::Duration;

use super::KeyRange;

/// A transaction older than this cannot read or commit.
pub const TRANSACTION_AGE: Duration = Duration::from_secs(5);
/// What a transaction may hold, as [`write_bytes`] and [`read_bytes`] count.
pub const TRANSACTION_BYTES: usize = 10_000_000;
/// Longest prefix that a cluster may put before every key, in bytes.
pub const PREFIX_BYTES: usize = 60;
/// Longest key in bytes: FoundationDB's 10,000 less the prefix and the four bytes that follow the key of an append on
/// its way to the cluster.
pub const KEY_BYTES: usize = 10_000 - PREFIX_BYTES - 4;
/// Longest value in bytes; larger ones are cut into chunks by the record that needs it.
pub const VALUE_BYTES: usize = 100_000;
/// Keys that begin with this byte belong to the store itself.
pub const FIRST_FORBIDDEN_BYTE: u8 = 0xff;
/// What an append adds to its prefix: a type code and the versionstamp.
pub const VERSIONSTAMP_BYTES: usize = 13;
/// Most entries one page of a range read gives.
pub const PAGE_ENTRIES: usize = 1_000;
/// A page ends with the entry that brings it to this size or above. Not FoundationDB's number: it keeps a
/// page of large values to a small multiple of what it costs to send.
pub const PAGE_BYTES: usize = 1_000_000;

/// What the cluster's client adds for each write and each range in its books: `sizeof(MutationRef)` and
/// `sizeof(KeyRangeRef)` in its source, with room for them to grow.
const WRITE_OVERHEAD: usize = 100;
const READ_OVERHEAD: usize = 32;

/// What one write counts towards [`TRANSACTION_BYTES`]: its value, and its key four times, for a removal is sent as a
/// range, and so is what others may conflict with.
#[must_use]
pub const fn write_bytes(key: usize, value: usize) -> usize {
    4 * (key + PREFIX_BYTES) + value + WRITE_OVERHEAD
}

/// What one range that was read counts towards [`TRANSACTION_BYTES`].
#[must_use]
pub fn read_bytes(range: &KeyRange) -> usize {
    range.begin.len() + range.end.len() + 2 * PREFIX_BYTES + READ_OVERHEAD
}
