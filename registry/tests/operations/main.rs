//! The registry's operations over the in-memory store: what each touches, and that it happens once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acting;
mod activity;
mod administrators;
mod adopt;
mod api_keys;
mod approvals;
mod billing;
mod cast;
mod cells;
mod conversations;
mod corpus;
mod counted;
mod custody;
mod deletion;
mod departures;
mod document;
mod email;
mod erasure;
mod expiry;
mod feeds;
mod files;
mod gateway;
mod identity;
mod layout;
mod members;
mod metering;
mod observer;
mod owners;
mod personal;
mod purges;
mod quarantine;
mod races;
mod reaping;
mod removal;
mod restarts;
mod second_factor;
mod sessions;
mod sign_ins;
mod sign_up;
mod support;
mod suspension;
mod tenant_name;
mod workspaces;
