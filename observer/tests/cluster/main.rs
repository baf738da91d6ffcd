//! Reaper and comparison over HTTP: a server that answers as the API server does where these ask it, and refuses
//! what the admission policies in `deploy/` refuse.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_server;
mod compare;
mod fields;
mod reaper;
