//! What every store promises (`coditect_registry::store`), checked on each of them.
//!
//! A new back end joins by one more way to make a [`bench::Bench`].

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod basics;
mod bench;
mod child;
#[cfg(feature = "fdb")]
mod cluster;
mod conflicts;
mod damage;
#[cfg(feature = "fdb")]
mod fdb;
mod feed;
mod histories;
mod kill;
mod limits;
mod linearizable;
mod model;
mod operations;
mod processes;
mod serial;
#[path = "../operations/support.rs"]
#[allow(
    dead_code,
    reason = "what the operations' tests are written with, of which histories need a part"
)]
mod support;
mod watch;
