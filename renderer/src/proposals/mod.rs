//! What people are asked about the changes that wait for them: on which branch of the policy repository, with which file,
//! and what the branch's fate means. Deciding is pure; [`pass`] reads and carries out, and keeps no memory.

mod decide;
mod file;
pub mod github;
mod host;
mod pages;
mod pass;
mod question;
mod service;

#[cfg(test)]
mod tests;

pub use self::{
    decide::{Fate, Found, Page, Step, next_step},
    file::{Agreed, agreed, branch_of, file_of, message_of, path_of},
    host::{HostFate, HostPage, NewPage, PolicyHost},
    pages::Pages,
    pass::{Passed, due, pass},
    question::Question,
    service::ProposalService,
};
