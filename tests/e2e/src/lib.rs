//! The product on a real control plane: Kubernetes and Argo CD as plain processes on loopback, the product's own
//! programs beside them, and scenarios that go from a sign-up over HTTP to the live object.
//!
//! `README.md` says how a scenario is written.

mod cluster;
mod failure;
mod machine;
mod ports;
mod process;
pub mod say;
mod until;

pub use self::{
    cluster::{ArgoCd, Cluster, documents},
    failure::{During, Failure, Result},
    machine::Machine,
    process::{Process, Program, Usage, output, tail},
    until::until,
};
