//! One look at everything that waits, and what follows from it. There is no memory: a pass that is killed, or whose
//! answer was lost, is made up for by the next one.

use coditect_core::{CellName, Error, Kind, RequestId, Result};
use coditect_registry::{
    Registry,
    operation::MoveApproval,
    record::{ApprovalRequest, ApprovalState},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    decide::{Found, Page, Step, next_step},
    file::{Agreed, agreed, branch_of, file_of, message_of, path_of},
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

/// Does the next step of every change that is due, on a repository whose host has no pages: its branches are all there
/// is. What fails for one change holds up no other.
///
/// `requests` are what [`due`] gave just before: a branch that the registry knows of is looked for after it was made.
///
/// # Errors
/// `Unavailable` if the repository does not answer. What was done before stands.
pub async fn pass(
    registry: &Registry,
    requests: &[ApprovalRequest],
    remote: &PolicyRemote,
) -> Result<Passed> {
    let mut passed = Passed {
        open: requests.iter().filter(|request| is_open(request)).count(),
        ..Passed::default()
    };
    let now = Timestamp::now();
    let seen = remote.look().await?;
    for request in requests {
        match one(registry, remote, &seen, request, now).await {
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

/// Does the next step of one change, if there is one.
async fn one(
    registry: &Registry,
    remote: &PolicyRemote,
    seen: &Seen,
    request: &ApprovalRequest,
    now: Timestamp,
) -> Result<bool> {
    let found = Found {
        request,
        branch: seen.ours.get(&branch_of(request.change)).copied(),
        main: seen.main,
        agreed: merged(remote, seen, request).await?,
        page: Page::Unknown,
    };
    match next_step(&found, now) {
        Some(step) => carry_out(registry, remote, request, step, now)
            .await
            .map(|()| true),
        None => Ok(false),
    }
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

async fn carry_out(
    registry: &Registry,
    remote: &PolicyRemote,
    request: &ApprovalRequest,
    step: Step,
    now: Timestamp,
) -> Result<()> {
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
                at: now,
            };
            match registry.apply(RequestId::random(), &moved).await {
                // The users moved on meanwhile, or the change was forgotten: the next pass sees which.
                Err(error) if matches!(error.kind(), Kind::Conflict | Kind::NotFound) => Ok(()),
                done => done.map(drop),
            }
        }
        Step::OpenPage | Step::ClosePage => Err(Error::internal("a page on a host that has none")),
    }
}

/// Somebody else was faster: the next pass sees what they did.
fn unless_moved(pushed: Result<(), PushError>) -> Result<()> {
    match pushed {
        Ok(()) | Err(PushError::Moved) => Ok(()),
        Err(PushError::Failed(error)) => Err(error),
    }
}
