//! The next step for one change. Every step leaves a state from which the same function goes on, so whoever is killed
//! between two steps, or after one whose answer was lost, begins again by looking.

use coditect_registry::record::{ApprovalRequest, ApprovalState};
use git2::Oid;
use jiff::Timestamp;

use super::file::{Agreed, branch_of};

/// A change as the registry has it, and what was found of it on the repository's host. The page is read before the
/// repository: what the one says is merged, the other then shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'r> {
    /// The registry's record.
    pub request: &'r ApprovalRequest,
    /// Where the change's own branch is, if it is there.
    pub branch: Option<Oid>,
    /// The newest commit that is merged.
    pub main: Oid,
    /// What its file of this change lets pass; none: it has no such file.
    pub agreed: Option<Agreed>,
    /// The page where people discuss and decide.
    pub page: Page,
}

/// The page of a branch, such as a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The host has no such pages: the branch is all there is.
    Unknown,
    /// None was opened yet for this branch.
    Missing,
    /// There is one.
    There {
        /// Its address.
        url: String,
        /// What became of it.
        fate: Fate,
    },
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nobody decided.
    Open,
    /// Its branch was merged. `seen`: the merge is in the history of [`Found::main`].
    Merged {
        /// False while the repository shows less than the page says.
        seen: bool,
    },
    /// Closed without being merged.
    Closed,
}

/// One thing to do for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the branch, with the file, on this commit; it must not be there.
    PutBranch(Oid),
    /// Open the page of the branch, or find the one that an earlier life opened.
    OpenPage,
    /// Close the page; nobody needs to decide any more.
    ClosePage,
    /// Remove the branch, if it is still there.
    RemoveBranch(Oid),
    /// Tell the registry how far the change is.
    Note(ApprovalState),
}

/// What is to be done next; none: it is for people to act, or everything is done.
///
/// Only the merged file approves: a page that says so while the file is missing was taken back, or is ahead of the
/// repository. Whatever else ends the branch or the page declines, until people open it again or merge the file after all.
/// One answer is lost: who deletes a branch without a page before the registry knows of the branch is asked again.
#[must_use]
pub fn next_step(found: &Found<'_>, now: Timestamp) -> Option<Step> {
    let state = &found.request.state;
    if state.is_final() {
        return tidy(found);
    }
    if found.agreed == Some(Agreed::All) {
        let commit = found.main.to_string();
        return Some(Step::Note(ApprovalState::Approved { commit }));
    }
    let declined = || match state {
        ApprovalState::Rejected { .. } => tidy(found),
        _ => Some(Step::Note(ApprovalState::Rejected { at: now })),
    };
    // People merged it, but not for all that was asked: the others are declined, and wait on.
    if found.agreed == Some(Agreed::NotAll) {
        return declined();
    }
    match (&found.page, found.branch) {
        (Page::Unknown, Some(_)) => proposed(found, None),
        (Page::Missing, Some(_)) => Some(Step::OpenPage),
        (Page::Unknown | Page::Missing, None) => match state {
            ApprovalState::Waiting => Some(Step::PutBranch(found.main)),
            _ => declined(),
        },
        (Page::There { url, fate }, branch) => match fate {
            Fate::Open if branch.is_some() => proposed(found, Some(url)),
            Fate::Open => declined(),
            Fate::Merged { seen: false } => None,
            Fate::Merged { seen: true } | Fate::Closed => declined(),
        },
    }
}

/// People can look at it: the registry says so, and where.
fn proposed(found: &Found<'_>, url: Option<&String>) -> Option<Step> {
    let proposed = ApprovalState::Proposed {
        branch: branch_of(found.request.change),
        url: url.cloned(),
    };
    (found.request.state != proposed).then_some(Step::Note(proposed))
}

/// Nothing of ours stays behind a change that is decided.
fn tidy(found: &Found<'_>) -> Option<Step> {
    match (&found.page, found.branch) {
        (
            Page::There {
                fate: Fate::Open, ..
            },
            _,
        ) => Some(Step::ClosePage),
        (_, Some(branch)) => Some(Step::RemoveBranch(branch)),
        _ => None,
    }
}
