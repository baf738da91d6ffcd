//! The network thread of FoundationDB's client: started once in a process, and surely stopped before it ends.
//!
//! This is a crate of its own because the client asks for `unsafe` here, and nowhere else: a process that exits while
//! the thread runs is undefined behaviour (<https://apple.github.io/foundationdb/api-c.html#c.fdb_stop_network>). So
//! the thread is stopped by a handler of `atexit`, whichever way the process ends in order. A process that is killed
//! or aborts runs none, and needs none.
//!
//! Everything is behind the feature `fdb`.

#[cfg(feature = "fdb")]
mod network;

#[cfg(feature = "fdb")]
pub use network::{NotStarted, start, stop};
