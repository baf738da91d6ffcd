//! The API as its callers see it: real HTTP on the loopback, a registry in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod answer;
mod authorization;
mod documents;
mod events;
mod harness;
mod input;
mod login;
mod me;
mod operations;
mod serving;
mod sign_up;
mod status;
mod wake;
mod workspaces;
