//! From the registry's intents to commits that Argo CD applies.
//!
//! The pipeline is load → resolve → render → check → commit. Resolve, render and check are pure:
//! the same intent, policy and template release give the same bytes.

pub mod again;
pub mod approval;
pub mod budget;
pub mod check;
mod commit;
pub mod git;
mod https;
pub mod inputs;
pub mod load;
pub mod names;
pub mod place;
pub mod plan;
pub mod policy;
pub mod proposals;
pub mod quarantine;
mod reconcile;
pub mod release;
pub mod render;
pub mod resolve;
pub mod restore;
mod restored;
pub mod rollout;
pub mod service;
pub mod told;
pub mod verify;
pub mod watch;
pub mod webhook;

/// The version of the engine that turns intents into manifests. It grows when the same policy and
/// templates would give other bytes than before; rings name it beside their template release.
pub const ENGINE: u32 = 1;
