//! Hostile bytes: the fuzz targets of `fuzz/`, fed with their seeds and with what is made of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/src/mutation.rs"]
mod mutation;

use coditect_api::hostile;

use self::mutation::feed;

#[test]
fn secrets() {
    feed("secrets", 30_000, hostile::secrets);
}

#[test]
fn cursors() {
    feed("cursors", 30_000, hostile::cursors);
}

#[test]
fn headers() {
    feed("callers", 30_000, hostile::headers);
}
