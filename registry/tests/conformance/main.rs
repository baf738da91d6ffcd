//! What every store promises (`coditect_registry::store`), checked on each of them.
//!
//! A new back end joins by one more way to make a [`bench::Bench`].

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod basics;
mod bench;
mod child;
mod conflicts;
mod feed;
mod kill;
mod limits;
mod model;
mod operations;
mod processes;
mod serial;
mod watch;
