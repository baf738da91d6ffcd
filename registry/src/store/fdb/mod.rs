//! The store on a FoundationDB cluster.
//!
//! Transactions are those of [`super::optimistic`], as with the stores of our own: they keep their writes and what they
//! read. The cluster is their engine: it gives each transaction its version, answers reads at that version, and takes
//! reads (as conflict ranges) and writes at commit. So what a transaction sees of its own writes, what counts as read,
//! and what is too large is the same code everywhere, and an append does not make its feed unreadable, as the client's
//! own cache of writes would (`accessed_unreadable`). What only the cluster can do is left to it: the order of
//! commits, whether they conflict, versionstamps, atomic additions, watches, how long to wait before another attempt.
//!
//! - [`Options`]: what a person configures.
//! - `code`: what error codes mean.
//! - `subspace`: the prefix of every key, and the form of versionstamped keys.
//! - `network`: the client library's one thread.
//! - `attempt`: one attempt of a transaction.
//! - `watch`: waiting for a key to change.
//!
//! Without the cargo feature `fdb` only the options are here: the client library is in no package registry.

mod options;

#[cfg(feature = "fdb")]
mod attempt;
#[cfg(any(feature = "fdb", test))]
mod code;
#[cfg(feature = "fdb")]
mod network;
#[cfg(any(feature = "fdb", test))]
mod status;
#[cfg(feature = "fdb")]
mod store;
#[cfg(any(feature = "fdb", test))]
mod subspace;
#[cfg(feature = "fdb")]
mod transaction;
#[cfg(feature = "fdb")]
mod watch;

pub use options::{NEWEST_API_VERSION, NetworkOptions, OLDEST_API_VERSION, Options, Place, Tls};

#[cfg(feature = "fdb")]
pub use store::FdbStore;

/// Stops the client library's thread, if it runs. Call it when no transaction is under way any more, at the end of the
/// process; it is called by itself if that is forgotten.
#[cfg(feature = "fdb")]
pub fn stop() {
    coditect_fdb_network::stop();
}
