//! What hostile bytes are fed to. Each of these must come back, whatever the bytes: the fuzzer calls them with
//! what it finds, and `tests/fuzz.rs` of each crate with the corpus and what is made of it, on every test run.

pub mod policy;
pub mod registry;
pub use coditect_api::hostile as api;
pub use coditect_sidecar::hostile as sidecar;
