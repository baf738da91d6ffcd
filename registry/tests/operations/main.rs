//! The registry's operations over the in-memory store: what each touches, and that it happens once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod deletion;
mod feeds;
mod metering;
mod observer;
mod reaping;
mod sign_up;
mod support;
mod workspaces;
