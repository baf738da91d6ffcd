//! Sees what stands in a cell's cluster and in its Argo CD, says so in the registry, and sets power.
//!
//! The only thing written to the cluster is the scale of a workspace's StatefulSet, 0 or 1.

pub mod client;
pub mod observe;
pub mod seen;

pub use client::client;
pub use kube::Client;
