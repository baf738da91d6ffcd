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
/// Most entries one page of a range read gives.
pub const PAGE_ENTRIES: usize = 1_000;
