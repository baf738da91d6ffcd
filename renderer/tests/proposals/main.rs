//! What waits for people, on a real policy repository: with its branches alone, and with the pages of a host.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod branches;
#[path = "../cell_support/mod.rs"]
mod cell_support;
#[path = "../git_support/mod.rs"]
mod git_support;
mod github;
mod people;
mod refusals;
mod review;
mod stand_in;
