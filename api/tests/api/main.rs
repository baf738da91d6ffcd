//! The API as its callers see it: real HTTP on the loopback, a registry in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod answer;
mod authorization;
mod cluster;
mod documents;
mod events;
mod events_of_all;
mod gateway;
mod harness;
mod history;
mod input;
mod login;
mod me;
mod me_more;
mod operations;
mod providers;
mod serving;
mod sidecar;
mod sidecar_files;
mod sign_up;
mod snapshots;
mod status;
mod wake;
mod web_app;
mod workspaces;
