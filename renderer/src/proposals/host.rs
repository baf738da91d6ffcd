//! The host of the policy repository, where people discuss and decide on pages: pull requests on GitHub, merge requests
//! elsewhere.
//!
//! Every call may be made again after an answer that was lost, and by another process at the same time: it finds what is
//! there already. What a host cannot do now is an error, and the next pass tries again.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use coditect_core::Result;

/// A host with pages.
#[async_trait]
pub trait PolicyHost: Send + Sync {
    /// The pages of Coditect's own branches, by branch: every page that is open, and for the `undecided` branches also
    /// the newest that is not. A branch of the same name in somebody's copy of the repository is none of ours. `into` is
    /// the branch that changes are merged into.
    ///
    /// In few requests: it is called every few seconds.
    ///
    /// # Errors
    /// `Unavailable` if the host does not answer, refuses, or asked to be left alone for a while.
    async fn look(
        &self,
        into: &str,
        undecided: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, HostPage>>;

    /// Opens the page of a branch, or finds the one that is open already.
    ///
    /// # Errors
    /// As [`PolicyHost::look`].
    async fn open(&self, page: &NewPage<'_>) -> Result<HostPage>;

    /// Closes a page; one that is closed stays as it is.
    ///
    /// # Errors
    /// As [`PolicyHost::look`].
    async fn close(&self, number: u64) -> Result<()>;

    /// Makes `text` the one comment of ours that begins with `mark`, a line of its own that readers do not see.
    ///
    /// # Errors
    /// As [`PolicyHost::look`].
    async fn comment(&self, number: u64, mark: &str, text: &str) -> Result<()>;
}

/// A page as its host has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPage {
    /// Its number.
    pub number: u64,
    /// Its address, for people.
    pub url: String,
    /// What became of it.
    pub fate: HostFate,
}

/// What became of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFate {
    /// Nobody decided.
    Open,
    /// Merged into the branch that was asked for.
    Merged {
        /// The newest commit that this made there, in hexadecimal; none if the host does not say.
        commit: Option<String>,
    },
    /// Closed, or merged elsewhere.
    Closed,
}

/// A page in the making.
#[derive(Clone, Copy, Debug)]
pub struct NewPage<'a> {
    /// The branch that it proposes.
    pub branch: &'a str,
    /// The branch that it would be merged into.
    pub into: &'a str,
    /// One line.
    pub title: &'a str,
    /// Markdown.
    pub text: &'a str,
}
