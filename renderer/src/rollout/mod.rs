//! Roll-outs: a template release goes ring by ring, each step a commit of the policy repository. The policy's
//! commits are the truth; the registry's record says what was asked for and since when it holds.

mod decide;
mod observe;
mod restart;
mod service;
mod step;

pub use self::{
    decide::{Decision, Look, Observed, decide},
    observe::{Rendered, Restarts, Seen, observe},
    service::{Picture, RepositoryOf, RolloutService},
    step::{PolicyWriter, WriteError},
};
