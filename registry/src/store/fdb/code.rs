//! What FoundationDB's error codes mean to whoever runs a transaction.
//!
//! The numbers are part of its interface (<https://apple.github.io/foundationdb/api-error-codes.html>). What may be tried
//! again, and when a commit may have happened all the same, is as `fdb_error_predicate` and `fdb_transaction_on_error`
//! have it, with one more: a commit that ran into the transaction's own time-out may have happened, and may happen yet
//! (<https://apple.github.io/foundationdb/developer-guide.html#transactions-with-unknown-results>).

use super::super::StoreError;

pub(super) const TRANSACTION_TOO_OLD: i32 = 1007;
pub(super) const NOT_COMMITTED: i32 = 1020;
pub(super) const COMMIT_UNKNOWN_RESULT: i32 = 1021;
const FUTURE_VERSION: i32 = 1009;
const COMMIT_UNKNOWN_RESULT_FATAL: i32 = 1022;
const TRANSACTION_CANCELLED: i32 = 1025;
const WATCH_CANCELLED: i32 = 1029;
const REQUEST_MAYBE_DELIVERED: i32 = 1030;
const TRANSACTION_TIMED_OUT: i32 = 1031;
const TOO_MANY_WATCHES: i32 = 1032;
const PROCESS_BEHIND: i32 = 1037;
const DATABASE_LOCKED: i32 = 1038;
const CLUSTER_VERSION_CHANGED: i32 = 1039;
const COMMIT_PROXY_MEMORY_LIMIT_EXCEEDED: i32 = 1042;
const BATCH_TRANSACTION_THROTTLED: i32 = 1051;
const GRV_PROXY_MEMORY_LIMIT_EXCEEDED: i32 = 1078;
const TAG_THROTTLED: i32 = 1213;
const PROXY_TAG_THROTTLED: i32 = 1223;
const TRANSACTION_THROTTLED_HOT_SHARD: i32 = 1235;
const TRANSACTION_REJECTED_RANGE_LOCKED: i32 = 1242;
const NO_CLUSTER_FILE_FOUND: i32 = 1515;
const TRANSACTION_TOO_LARGE: i32 = 2101;
const KEY_TOO_LARGE: i32 = 2102;
const VALUE_TOO_LARGE: i32 = 2103;

/// During which part of a transaction an error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum During {
    /// Before anything was sent to be written.
    Read,
    /// The commit.
    Commit,
}

/// What the error means; `message` is the client library's own word for it.
pub(super) fn store_error(code: i32, message: &str, during: During) -> StoreError {
    match (code, during) {
        (TRANSACTION_TOO_OLD, _) => StoreError::TooOld,
        (NOT_COMMITTED, _) => StoreError::Conflict,
        (
            COMMIT_UNKNOWN_RESULT
            | COMMIT_UNKNOWN_RESULT_FATAL
            | TRANSACTION_CANCELLED
            | REQUEST_MAYBE_DELIVERED
            | TRANSACTION_TIMED_OUT
            | CLUSTER_VERSION_CHANGED,
            During::Commit,
        ) => StoreError::UnknownResult,
        (TRANSACTION_TOO_LARGE | KEY_TOO_LARGE | VALUE_TOO_LARGE, _) => {
            StoreError::TooLarge(said(code, message))
        }
        (TRANSACTION_TIMED_OUT, During::Read) => StoreError::Unavailable(format!(
            "the cluster did not answer in time ({})",
            said(code, message)
        )),
        (NO_CLUSTER_FILE_FOUND, _) => StoreError::Unavailable(format!(
            "there is no cluster file; name it with --fdb-cluster-file ({})",
            said(code, message)
        )),
        // Nothing was written, and the cluster asks to come again.
        (code, During::Commit) if is_retryable(code) => StoreError::Conflict,
        // The version that was read at is of no more use.
        (code, During::Read) if is_retryable(code) => StoreError::TooOld,
        // What no documentation promises not to have happened may have.
        (code, During::Commit) if is_internal(code) => StoreError::UnknownResult,
        _ => StoreError::Unavailable(said(code, message)),
    }
}

/// The code for which `fdb_transaction_on_error` waits as the error given deserves: where the store's user brings an
/// error that did not come from the client.
pub(super) fn of(error: &StoreError) -> i32 {
    match error {
        StoreError::UnknownResult => COMMIT_UNKNOWN_RESULT,
        StoreError::TooOld => TRANSACTION_TOO_OLD,
        _ => NOT_COMMITTED,
    }
}

/// True if the storage server that was asked has not reached the transaction's version yet: the same read may be
/// answered soon.
pub(super) fn is_lag(code: i32) -> bool {
    matches!(code, FUTURE_VERSION | PROCESS_BEHIND)
}

/// True if there are as many watches as there may be, here or on the storage server.
pub(super) fn is_watch_limit(code: i32) -> bool {
    matches!(code, TOO_MANY_WATCHES | WATCH_CANCELLED)
}

/// What `fdb_error_predicate` calls retryable.
pub(super) fn is_retryable(code: i32) -> bool {
    matches!(
        code,
        TRANSACTION_TOO_OLD
            | FUTURE_VERSION
            | NOT_COMMITTED
            | COMMIT_UNKNOWN_RESULT
            | PROCESS_BEHIND
            | DATABASE_LOCKED
            | CLUSTER_VERSION_CHANGED
            | COMMIT_PROXY_MEMORY_LIMIT_EXCEEDED
            | BATCH_TRANSACTION_THROTTLED
            | GRV_PROXY_MEMORY_LIMIT_EXCEEDED
            | TAG_THROTTLED
            | PROXY_TAG_THROTTLED
            | TRANSACTION_THROTTLED_HOT_SHARD
            | TRANSACTION_REJECTED_RANGE_LOCKED
    )
}

/// Codes of 2000 to 2999 and of 6000 to 6999 refuse what was asked; those of 1500 to 1599 are about this machine's
/// files. Everything else happened somewhere on the way.
fn is_internal(code: i32) -> bool {
    !matches!(code, 1500..=1599 | 2000..=2999 | 6000..=6999)
}

fn said(code: i32, message: &str) -> String {
    format!("FoundationDB: {message}, error {code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: i32) -> StoreError {
        store_error(code, "word", During::Read)
    }

    fn commit(code: i32) -> StoreError {
        store_error(code, "word", During::Commit)
    }

    #[test]
    fn a_commit_that_may_have_happened_is_never_called_otherwise() {
        // Maybe committed by the client's own predicate, by its documentation, or for all anybody knows.
        for code in [1021, 1039, 1031, 1022, 1025, 1030, 1100, 1101, 4000, 4100] {
            assert!(matches!(commit(code), StoreError::UnknownResult), "{code}");
        }
    }

    #[test]
    fn what_was_not_committed_is_run_again_only_where_that_helps() {
        assert!(matches!(commit(1020), StoreError::Conflict));
        assert!(matches!(commit(1007), StoreError::TooOld));
        for code in [1009, 1037, 1038, 1042, 1051, 1078, 1213, 1223, 1235, 1242] {
            assert!(matches!(commit(code), StoreError::Conflict), "{code}");
            assert!(commit(code).is_retryable() && is_retryable(code));
        }
        for code in [2101, 2102, 2103] {
            assert!(matches!(commit(code), StoreError::TooLarge(_)), "{code}");
        }
        for code in [2000, 2004, 2017, 2100, 2107, 6000, 1515] {
            assert!(matches!(commit(code), StoreError::Unavailable(_)), "{code}");
        }
    }

    #[test]
    fn a_read_changes_nothing_whatever_it_meets() {
        for code in 1000..7000 {
            assert!(!matches!(read(code), StoreError::UnknownResult), "{code}");
            assert_eq!(read(code).is_retryable(), is_retryable(code), "{code}");
        }
        assert!(matches!(read(1007), StoreError::TooOld));
        assert!(matches!(read(1039), StoreError::TooOld));
        let late = read(1031).to_string();
        assert!(late.contains("in time") && late.contains("1031"), "{late}");
        let no_file = read(1515).to_string();
        assert!(no_file.contains("--fdb-cluster-file"), "{no_file}");
        let other = read(2107).to_string();
        assert!(other.contains("word") && other.contains("2107"), "{other}");
    }

    #[test]
    fn errors_from_elsewhere_wait_as_their_like() {
        assert_eq!(of(&StoreError::Conflict), 1020);
        assert_eq!(of(&StoreError::UnknownResult), 1021);
        assert_eq!(of(&StoreError::TooOld), 1007);
        assert!(is_lag(1009) && is_lag(1037) && !is_lag(1007));
        assert!(is_watch_limit(1032) && is_watch_limit(1029) && !is_watch_limit(1039));
    }
}
