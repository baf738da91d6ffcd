//! The product on a real control plane: Kubernetes and Argo CD as plain processes on loopback, the product's own
//! programs beside them, and scenarios that go from a sign-up over HTTP to the live object.
//!
//! `README.md` says how a scenario is written.

mod cluster;
mod failure;
mod files;
mod machine;
mod ports;
mod process;
mod product;
mod runner;
pub mod say;
mod scenario;
mod seen;
mod until;
mod world;

pub use self::{
    cluster::{ArgoCd, Cluster, documents},
    failure::{During, Failure, Result},
    machine::Machine,
    process::{Process, Program, Usage, output, tail},
    product::{Api, PASSWORD, Person, Product, Seeded, Settings},
    runner::{Context, Length, Options, Scenario, run},
    seen::{Seen, Times, is_ready},
    until::{lasts, until},
    world::{CELL, World, allow, connect, follow, settled},
};
