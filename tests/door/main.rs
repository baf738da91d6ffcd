//! The door of a workspace's pod as people find it: the API of the program itself, and the gateway before an IDE.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the API's own tests ask for more")]
#[path = "../../api/tests/api/cluster.rs"]
mod cluster;
mod entering;
mod pod;
mod restarts;
mod restoring;
#[path = "../support/mod.rs"]
mod support;
