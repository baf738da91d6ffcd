//! Sees what stands in a cell's cluster and in its Argo CD, says so in the registry, and sets power.
//!
//! The only thing the observer writes to the cluster is the scale of a workspace's StatefulSet, 0 or 1. [`reap`] runs
//! under an identity of its own and removes what has a tombstone; [`compare`] only reads.

pub mod client;
pub mod compare;
pub mod observe;
pub mod reap;
pub mod seen;

pub use client::client;
pub use kube::Client;
