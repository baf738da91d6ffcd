//! One look at everything that waits, and what follows from it. There is no memory: a pass that is killed, or whose
//! answer was lost, is made up for by the next one.

use std::collections::BTreeMap;

use coditect_core::{CellName, Error, Kind, RequestId, Result};
use coditect_registry::{
    Registry,
    operation::MoveApproval,
    record::{ApprovalRequest, ApprovalState},
};
use git2::Oid;
use jiff::{SignedDuration, Timestamp};

use super::{
    decide::{Fate, Found, Page, Step, next_step},
    file::{Agreed, agreed, branch_of, file_of, message_of, path_of},
    host::{HostFate, HostPage},
    pages::Pages,
};
use crate::{
    git::{PolicyRemote, PushError, Seen},
    policy::Approval,
};

/// For how long what was decided is looked at again: a branch that was to be removed may have been out of reach, and
/// people change their minds. Beyond, a repository is left alone where nobody waits.
const AFTERWARDS: SignedDuration = SignedDuration::from_hours(24);

/// What a pass found and did.
#[derive(Debug, Default)]
pub struct Passed {
    /// How many steps were done; at zero it is for people to act.
    pub steps: usize,
    /// How many changes people are to decide about.
    pub open: usize,
    /// What could not be done, the first of it.
    pub failed: Option<Error>,
}

/// The changes of the cell that a look at the repository may bring further: those that people are to decide about, and
/// those of the last day. Where there are none, the repository need not be looked at.
///
/// # Errors
/// `Unavailable` if the registry does not answer.
pub async fn due(registry: &Registry, cell: &CellName) -> Result<Vec<ApprovalRequest>> {
    let mut requests = registry.view().await?.approvals(cell).await?;
    let now = Timestamp::now();
    requests
        .retain(|request| is_open(request) || now.duration_since(request.changed_at) < AFTERWARDS);
    Ok(requests)
}

/// Does the next step of every change that is due. Without `pages` the repository's branches are all there is. What
/// fails for one change holds up no other.
///
/// `requests` are what [`due`] gave just before: a branch that the registry knows of is looked for after it was made.
///
/// # Errors
/// `Unavailable` if the repository or its host does not answer. What was done before stands.
pub async fn pass(
    registry: &Registry,
    requests: &[ApprovalRequest],
    remote: &PolicyRemote,
    pages: Option<&Pages>,
) -> Result<Passed> {
    let mut passed = Passed {
        open: requests.iter().filter(|request| is_open(request)).count(),
        ..Passed::default()
    };
    // The pages first: what one says is merged, the repository then shows.
    let mut found = match pages {
        Some(pages) => pages.look(remote.branch(), requests).await?,
        None => BTreeMap::new(),
    };
    let desk = Desk {
        registry,
        remote,
        pages,
        seen: remote.look().await?,
        now: Timestamp::now(),
    };
    for request in requests {
        let page = found.remove(&branch_of(request.change));
        match desk.one(request, page.as_ref()).await {
            Ok(true) => passed.steps += 1,
            Ok(false) => {}
            Err(error) => {
                passed.failed.get_or_insert(error);
            }
        }
    }
    Ok(passed)
}

fn is_open(request: &ApprovalRequest) -> bool {
    let state = &request.state;
    matches!(
        state,
        ApprovalState::Waiting | ApprovalState::Proposed { .. }
    )
}

/// Where a pass works.
struct Desk<'a> {
    registry: &'a Registry,
    remote: &'a PolicyRemote,
    pages: Option<&'a Pages>,
    seen: Seen,
    now: Timestamp,
}

impl Desk<'_> {
    /// Does the next step of one change, if there is one; otherwise what its page says is brought up to date.
    async fn one(&self, request: &ApprovalRequest, page: Option<&HostPage>) -> Result<bool> {
        let found = Found {
            request,
            branch: self.seen.ours.get(&branch_of(request.change)).copied(),
            main: self.seen.main,
            agreed: merged(self.remote, &self.seen, request).await?,
            page: self.page(page).await?,
        };
        match (next_step(&found, self.now), self.pages, page) {
            (Some(step), ..) => self.carry_out(request, step, page).await.map(|()| true),
            (None, Some(pages), Some(page)) => pages.explain(self.registry, page, request).await,
            (None, ..) => Ok(false),
        }
    }

    /// A page as it counts beside what the repository shows.
    async fn page(&self, page: Option<&HostPage>) -> Result<Page> {
        Ok(match (self.pages, page) {
            (None, _) => Page::Unknown,
            (Some(_), None) => Page::Missing,
            (Some(_), Some(HostPage { url, fate, .. })) => Page::There {
                url: url.clone(),
                fate: match fate {
                    HostFate::Open => Fate::Open,
                    HostFate::Closed => Fate::Closed,
                    HostFate::Merged { commit } => Fate::Merged {
                        seen: self.is_seen(commit.as_deref()).await?,
                    },
                },
            },
        })
    }

    /// Whether a merge is in what was seen; one that the host does not name is taken for it.
    async fn is_seen(&self, commit: Option<&str>) -> Result<bool> {
        match commit.and_then(|commit| Oid::from_str(commit).ok()) {
            Some(commit) => self.remote.is_merged(commit, self.seen.main).await,
            None => Ok(true),
        }
    }

    async fn carry_out(
        &self,
        request: &ApprovalRequest,
        step: Step,
        page: Option<&HostPage>,
    ) -> Result<()> {
        let remote = self.remote;
        let branch = branch_of(request.change);
        match step {
            Step::PutBranch(on) => {
                let file = (path_of(request.change), Some(file_of(request).into_bytes()));
                let commit = remote
                    .commit(on, [file].into(), message_of(request))
                    .await?;
                unless_moved(remote.put_branch(&branch, None, commit).await)
            }
            Step::RemoveBranch(at) => unless_moved(remote.remove_branch(&branch, at).await),
            Step::Note(to) => {
                let moved = MoveApproval {
                    cell: request.cell.clone(),
                    change: request.change,
                    expected: request.revision,
                    to,
                    at: self.now,
                };
                match self.registry.apply(RequestId::random(), &moved).await {
                    // The users moved on meanwhile, or the change was forgotten: the next pass sees which.
                    Err(error) if matches!(error.kind(), Kind::Conflict | Kind::NotFound) => Ok(()),
                    done => done.map(drop),
                }
            }
            Step::OpenPage => match self.pages {
                Some(pages) => pages.open(remote.branch(), request).await,
                None => Err(no_pages()),
            },
            Step::ClosePage => match (self.pages, page) {
                (Some(pages), Some(page)) => pages.close(page, request).await,
                _ => Err(no_pages()),
            },
        }
    }
}

fn no_pages() -> Error {
    Error::internal("a page on a host that has none")
}

/// What the merged file of a change lets pass. One that is no approval lets nothing pass; the policy's own check says why.
async fn merged(
    remote: &PolicyRemote,
    seen: &Seen,
    request: &ApprovalRequest,
) -> Result<Option<Agreed>> {
    let file = remote.file(seen.main, path_of(request.change)).await?;
    Ok(file.map(|bytes| {
        let approval: Option<Approval> = serde_saphyr::from_slice(&bytes).ok();
        approval.map_or(Agreed::NotAll, |approval| agreed(&approval, request))
    }))
}

/// Somebody else was faster: the next pass sees what they did.
fn unless_moved(pushed: Result<(), PushError>) -> Result<()> {
    match pushed {
        Ok(()) | Err(PushError::Moved) => Ok(()),
        Err(PushError::Failed(error)) => Err(error),
    }
}
