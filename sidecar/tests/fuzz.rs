//! Hostile bytes: the fuzz targets of `fuzz/`, fed with their seeds and with what is made of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/src/mutation.rs"]
mod mutation;

use coditect_sidecar::hostile;

use self::mutation::feed;

#[test]
fn frames() {
    feed("frames", 30_000, hostile::frames);
}

#[test]
fn heads() {
    feed("heads", 30_000, hostile::heads);
}

#[test]
fn tokens() {
    feed("tokens", 30_000, hostile::tokens);
}
