//! Changes that wait for a person's approval: opened and left by the renderer, moved by whoever asks people.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use coditect_core::{ApprovalReason, CellName, ChangeId, Error, TenantId, UserId, UserIntent};
use jiff::Timestamp;

use crate::{
    keys,
    record::{
        Action, ApprovalRequest, ApprovalState, ApprovalUser, AwaitedApproval, Expiring, IntentRow,
        Tombstone,
    },
    registry::Operation,
    tx::{Abort, Tx},
};

/// How many users one change may be about. With a few reasons each it stays below half of the largest value.
pub const USERS_OF_A_CHANGE: usize = 100;

/// Opens a change for those of these users who do not wait for the same already, or were declined the same. Whoever
/// waited for something else leaves that.
pub struct OpenApproval {
    /// The cell of the users.
    pub cell: CellName,
    /// The tenant of the users.
    pub tenant: TenantId,
    /// The id of the change, if one is opened; drawn at random.
    pub change: ChangeId,
    /// What is asked, and what stands meanwhile; at most [`USERS_OF_A_CHANGE`].
    pub asked: Vec<(ApprovalUser, Option<UserIntent>)>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for OpenApproval {
    const NAME: &'static str = "open_approval";
    /// The users for whom the change was opened; none of them: there is no such change.
    type Output = BTreeSet<UserId>;

    async fn run(&self, tx: &mut Tx) -> Result<BTreeSet<UserId>, Abort> {
        if self.asked.len() > USERS_OF_A_CHANGE {
            let message = format!("a change is about at most {USERS_OF_A_CHANGE} users");
            return Err(Error::invalid("asked", message).into());
        }
        let mut users = BTreeMap::new();
        let mut left = BTreeMap::new();
        for (asked, before) in &self.asked {
            if !self.wants(tx, asked).await? {
                continue;
            }
            let key = keys::awaited_approval(&self.cell, asked.user);
            if let Some(awaited) = tx.get::<AwaitedApproval>(&key).await? {
                let same = awaited.asked.generation == asked.generation
                    && awaited.asked.intent_hash == asked.intent_hash;
                let request = keys::approval(&self.cell, awaited.change);
                let state = tx.get::<ApprovalRequest>(&request).await?;
                let open = state.is_some_and(|request| request.state != ApprovalState::Overtaken);
                if same && open {
                    continue;
                }
                left.insert(awaited.change, Leaving::Overtaken);
            }
            let awaited = AwaitedApproval {
                change: self.change,
                asked: asked.clone(),
                before: before.clone(),
                since: self.at,
            };
            tx.put(&key, &awaited)?;
            let action = Action::ApprovalRequested {
                change: self.change,
                user: asked.user,
                generation: asked.generation,
            };
            tx.audit(self.tenant, self.at, None, action)?;
            users.insert(asked.user, asked.clone());
        }
        leave(tx, &self.cell, left, self.at).await?;
        let opened = users.keys().copied().collect();
        if !users.is_empty() {
            let request = ApprovalRequest {
                change: self.change,
                cell: self.cell.clone(),
                tenant: self.tenant,
                users: users.into_values().collect(),
                state: ApprovalState::Waiting,
                opened_at: self.at,
                changed_at: self.at,
                revision: 1,
            };
            tx.put(&keys::approval(&self.cell, self.change), &request)?;
        }
        Ok(opened)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl OpenApproval {
    /// Whether the registry still wants what is asked: this generation, or that the user is gone.
    async fn wants(&self, tx: &mut Tx, asked: &ApprovalUser) -> Result<bool, Abort> {
        let user = asked.user;
        if asked.reasons.contains(&ApprovalReason::Deletion) {
            let key = keys::user_tombstone(&self.cell, user);
            return Ok(tx.get::<Tombstone>(&key).await?.is_some());
        }
        let row = tx.get::<IntentRow>(&keys::intent(&self.cell, user)).await?;
        // Volumes raised as policy asks make another generation of the same.
        Ok(row.is_some_and(|row| {
            row.raised_from.unwrap_or(row.intent.generation) == asked.generation
        }))
    }
}

/// Notes that users no longer wait: what they waited for is published, or is not wanted any more.
pub struct LeaveApproval {
    /// The cell of the users.
    pub cell: CellName,
    /// Who, and which change they waited for; whoever waits for another one by now waits on.
    pub users: Vec<(UserId, ChangeId)>,
    /// The commit of the policy that approves it, in hexadecimal; none if nobody asks any more.
    pub approved: Option<String>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for LeaveApproval {
    const NAME: &'static str = "leave_approval";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let mut left = BTreeMap::new();
        for (user, change) in &self.users {
            let key = keys::awaited_approval(&self.cell, *user);
            let awaited = tx.get::<AwaitedApproval>(&key).await?;
            if awaited.is_none_or(|awaited| awaited.change != *change) {
                continue;
            }
            tx.clear(&key);
            let how = match &self.approved {
                Some(commit) => Leaving::Approved(commit.clone()),
                None => Leaving::Overtaken,
            };
            left.insert(*change, how);
        }
        leave(tx, &self.cell, left, self.at).await
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Writes how far a change is.
pub struct MoveApproval {
    /// The cell of its users.
    pub cell: CellName,
    /// Which one.
    pub change: ChangeId,
    /// The revision that this was decided on.
    pub expected: u64,
    /// How far it is.
    pub to: ApprovalState,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for MoveApproval {
    const NAME: &'static str = "move_approval";
    /// The new revision.
    type Output = u64;

    async fn run(&self, tx: &mut Tx) -> Result<u64, Abort> {
        let mut request: ApprovalRequest = tx
            .require(
                &keys::approval(&self.cell, self.change),
                "there is no change of that id",
            )
            .await?;
        if request.revision != self.expected {
            return Err(Error::conflict("the change was moved meanwhile; read it again").into());
        }
        if request.state.is_final() {
            let message = format!("the change is {} for good", request.state.word());
            return Err(Error::conflict(message).into());
        }
        put(tx, &mut request, self.to.clone(), self.at)?;
        Ok(request.revision)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Why a user no longer waits for a change.
enum Leaving {
    Approved(String),
    Overtaken,
}

/// Brings changes up to date that users left, whose own records are written already. A change is approved when the last
/// of its users has left by an approval, and overtaken when that one has left otherwise.
async fn leave(
    tx: &mut Tx,
    cell: &CellName,
    left: BTreeMap<ChangeId, Leaving>,
    at: Timestamp,
) -> Result<(), Abort> {
    for (change, how) in left {
        let key = keys::approval(cell, change);
        let Some(mut request) = tx.get::<ApprovalRequest>(&key).await? else {
            continue;
        };
        if request.state.is_final() {
            continue;
        }
        match how {
            // Whoever the approval leaves out waits on, and the change is what it is of them: declined.
            Leaving::Approved(_) if is_awaited(tx, &request).await? => {
                tx.audit(request.tenant, at, None, Action::ApprovalGranted { change })?;
            }
            Leaving::Approved(commit) => {
                put(tx, &mut request, ApprovalState::Approved { commit }, at)?;
            }
            Leaving::Overtaken if is_awaited(tx, &request).await? => {}
            Leaving::Overtaken => put(tx, &mut request, ApprovalState::Overtaken, at)?,
        }
    }
    Ok(())
}

async fn is_awaited(tx: &mut Tx, request: &ApprovalRequest) -> Result<bool, Abort> {
    for asked in &request.users {
        let key = keys::awaited_approval(&request.cell, asked.user);
        let awaited = tx.get::<AwaitedApproval>(&key).await?;
        if awaited.is_some_and(|awaited| awaited.change == request.change) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes a state, tells the tenant of a decision, and notes when the change is to be forgotten.
fn put(
    tx: &mut Tx,
    request: &mut ApprovalRequest,
    state: ApprovalState,
    at: Timestamp,
) -> Result<(), Abort> {
    let change = request.change;
    let decided = match &state {
        ApprovalState::Approved { .. } => Some(Action::ApprovalGranted { change }),
        ApprovalState::Rejected { .. } => Some(Action::ApprovalDeclined { change }),
        ApprovalState::Waiting | ApprovalState::Proposed { .. } | ApprovalState::Overtaken => None,
    };
    if let Some(action) = decided {
        tx.audit(request.tenant, at, None, action)?;
    }
    request.state = state;
    request.changed_at = at;
    request.revision += 1;
    if request.state.is_final() {
        let expiring = Expiring::Approval {
            cell: request.cell.clone(),
            change,
        };
        tx.expire(&expiring, request.expires_at())?;
    }
    tx.put(&keys::approval(&request.cell, change), request)?;
    Ok(())
}

/// Takes a user who is deleted out of the change that they wait for; a change without users goes.
pub(super) async fn forget_awaited(
    tx: &mut Tx,
    cell: &CellName,
    user: UserId,
    at: Timestamp,
) -> Result<(), Abort> {
    let key = keys::awaited_approval(cell, user);
    let Some(awaited) = tx.get::<AwaitedApproval>(&key).await? else {
        return Ok(());
    };
    tx.clear(&key);
    let key = keys::approval(cell, awaited.change);
    let Some(mut request) = tx.get::<ApprovalRequest>(&key).await? else {
        return Ok(());
    };
    request.users.retain(|asked| asked.user != user);
    if request.users.is_empty() && !matches!(request.state, ApprovalState::Proposed { .. }) {
        tx.clear(&key);
        if request.state.is_final() {
            let expiring = Expiring::Approval {
                cell: cell.clone(),
                change: awaited.change,
            };
            tx.keep(&expiring, request.expires_at());
        }
        return Ok(());
    }
    if request.state.is_final() || is_awaited(tx, &request).await? {
        request.revision += 1;
        tx.put(&key, &request)?;
        return Ok(());
    }
    // A proposal stands until whoever proposed it has taken it back.
    put(tx, &mut request, ApprovalState::Overtaken, at)
}
