//! What a proposed policy does to a fleet: small fleets in real repositories.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fleet;
mod forms;
mod intents;
mod properties;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
