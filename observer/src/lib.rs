//! Sees what stands in a cell's cluster and in its Argo CD, says so in the registry, and sets power.
//!
//! The only thing the observer writes to the cluster is the scale of a workspace's StatefulSet, 0 or 1. [`reap`] runs
//! under an identity of its own and removes what has a tombstone; [`compare`] only reads.

mod anew;
mod cell;
pub mod client;
pub mod compare;
mod connection;
pub mod decide;
mod gateway;
mod managers;
pub mod observe;
mod observer;
mod power;
mod quarantine;
pub mod reap;
mod report;
mod restart;
mod restless;
pub mod seen;
mod tell;
mod watch;
mod wish;
pub mod world;

pub use cell::Settings;
pub use client::client;
pub use kube::Client;
pub use observer::Observer;
