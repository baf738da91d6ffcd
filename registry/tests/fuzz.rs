//! Hostile bytes: the fuzz targets of `fuzz/`, fed with their seeds and with what is made of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/src/registry.rs"]
#[allow(unreachable_pub, reason = "a crate of its own elsewhere")]
mod bodies;
#[path = "../../fuzz/src/mutation.rs"]
mod mutation;

use self::mutation::feed;

#[test]
fn keys() {
    feed("keys", 30_000, bodies::keys);
}

#[test]
fn values() {
    feed("values", 30_000, bodies::values);
}

#[test]
fn messages() {
    feed("messages", 30_000, bodies::messages);
}

#[test]
fn files() {
    feed("file", 300, bodies::file);
}
