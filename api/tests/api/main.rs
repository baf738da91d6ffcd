//! The API as its callers see it: real HTTP on the loopback, a registry in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod admin;
mod answer;
mod api_keys;
mod approvals;
mod authorization;
mod cluster;
mod documents;
mod events;
mod events_of_all;
mod export;
mod gateway;
mod harness;
mod history;
mod input;
mod letters;
mod limits_shared;
mod login;
mod me;
mod me_more;
mod operations;
mod providers;
mod second_factor;
mod serving;
mod sessions;
mod sidecar;
mod sidecar_files;
mod sign_up;
mod snapshots;
mod status;
mod tenants;
mod tenants_limits;
mod tenants_people;
mod wake;
mod web_app;
mod workspaces;
