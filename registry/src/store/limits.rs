//! FoundationDB's limits, which hold for every back end
//! (<https://apple.github.io/foundationdb/known-limitations.html>).

use std::time::Duration;

/// A transaction older than this cannot read or commit.
pub const TRANSACTION_AGE: Duration = Duration::from_secs(5);
/// Keys, values and conflict ranges of one transaction, in bytes.
pub const TRANSACTION_BYTES: usize = 10_000_000;
/// Longest key in bytes.
pub const KEY_BYTES: usize = 10_000;
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
