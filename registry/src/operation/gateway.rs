//! What a workspace's gateway does in the registry: lets people in, says how the workspace fares, hands over what
//! happened to files. The pod behind it is its user's: nothing that it says is worth more than what is known here.

use async_trait::async_trait;
use coditect_core::{
    AccountId, Activity, CellName, Error, Kind, LoginId, Power, UserId, WorkspaceId,
    sidecar::{LONGEST_ENTRY, Use, VolumeUse},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{activity::note, login::IDLE_HOURS, observer::place_in, who};
use crate::{
    keys::{self, WorkspacePart},
    record::{Gateway, Login, PowerState, SignIn, TakenBatch, WorkspacePlace},
    registry::Operation,
    store::Key,
    tx::{Abort, Tx, no_such_workspace},
};

/// Lets a person into a workspace, once a code. The request id is drawn from the code: whoever sends the same code
/// again is given the answer to the first, whose `attempt` is not theirs.
pub struct Enter {
    /// Through which sign-in; must be of the workspace's owner, and live.
    pub login: LoginId,
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// Names this attempt; drawn by the caller.
    pub attempt: Uuid,
    /// Now.
    pub at: Timestamp,
}

/// Somebody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// Which attempt it was.
    pub attempt: Uuid,
    /// Who.
    pub account: AccountId,
    /// Until when, unless the sign-in is ended before.
    pub until: Timestamp,
}

#[async_trait]
impl Operation for Enter {
    const NAME: &'static str = "enter";
    type Output = Admitted;

    async fn run(&self, tx: &mut Tx) -> Result<Admitted, Abort> {
        let place: WorkspacePlace = tx
            .get(&keys::workspace_place(self.workspace))
            .await?
            .ok_or_else(no_such_workspace)?;
        let user = who::in_tenant(tx, place.tenant, place.user).await?;
        who::refuse_marked(&user)?;
        let login: Option<Login> = tx.get(&keys::login(user.account, self.login)).await?;
        let ends = login
            .map(|login| end_of(&login))
            .filter(|ends| *ends > self.at)
            .ok_or_else(|| {
                Error::new(
                    Kind::NotFound,
                    "the sign-in that this was for has ended; sign in again",
                )
            })?;
        if !is_on(tx, &place, self.workspace).await? {
            return Err(Error::conflict("the workspace is stopped; start it first").into());
        }
        let longest = self.at.saturating_add(LONGEST_ENTRY).unwrap_or(ends);
        let until = longest.min(ends);
        let (key, mut gateway) = gateway(tx, &place, self.workspace).await?;
        gateway.entered_until = gateway.entered_until.max(Some(until));
        tx.put(&key, &gateway)?;
        Ok(Admitted {
            attempt: self.attempt,
            account: user.account,
            until,
        })
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// When a sign-in ends if nobody does anything.
fn end_of(login: &Login) -> Timestamp {
    let idle = login
        .rotated_at
        .saturating_add(SignedDuration::from_hours(IDLE_HOURS))
        .unwrap_or(Timestamp::MAX);
    idle.min(SignIn::end_of(login.created_at))
}

async fn is_on(tx: &mut Tx, place: &WorkspacePlace, workspace: WorkspaceId) -> Result<bool, Abort> {
    let key = keys::workspace(place.tenant, place.user, workspace, WorkspacePart::Power);
    let power: PowerState = tx.get(&key).await?.ok_or_else(no_such_workspace)?;
    Ok(power.power == Power::On)
}

async fn gateway(
    tx: &mut Tx,
    place: &WorkspacePlace,
    workspace: WorkspaceId,
) -> Result<(Key, Gateway), Abort> {
    let key = keys::workspace(place.tenant, place.user, workspace, WorkspacePart::Gateway);
    let known = tx.get::<Gateway>(&key).await?.unwrap_or_default();
    Ok((key, known))
}

/// Where the workspace is, if it is this user's in this cell.
pub(super) async fn place_of(
    tx: &mut Tx,
    cell: &CellName,
    user: UserId,
    workspace: WorkspaceId,
) -> Result<WorkspacePlace, Abort> {
    let place = place_in(tx, cell, workspace).await?;
    Ok(place
        .filter(|place| place.user == user)
        .ok_or_else(no_such_workspace)?)
}

/// Notes how a workspace is, as its gateway says. Times that lie ahead count as now, and nobody typed after the last
/// token with which one could be in has ended: a pod that invents a person gains nothing by it.
pub struct Beat {
    /// Which cell; a workspace of another is unknown.
    pub cell: CellName,
    /// Whose workspace.
    pub user: UserId,
    /// Which.
    pub workspace: WorkspaceId,
    /// Whether it is used. [`Use::Unknown`] does not count as having been seen.
    pub used: Use,
    /// When a person last typed or clicked.
    pub input_at: Option<Timestamp>,
    /// When a terminal last printed something, or a task last ran.
    pub output_at: Option<Timestamp>,
    /// What the volume holds, if it has been measured.
    pub volume: Option<VolumeUse>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for Beat {
    const NAME: &'static str = "beat";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = place_of(tx, &self.cell, self.user, self.workspace).await?;
        let (key, mut gateway) = gateway(tx, &place, self.workspace).await?;
        let entered_until = gateway.entered_until;
        let input_at = self
            .input_at
            .zip(entered_until)
            .map(|(input, until)| input.min(until).min(self.at));
        let output_at = self.output_at.map(|output| output.min(self.at));
        // What is not known was not seen: it must not look as if it had been.
        let reported_at = match self.used {
            Use::Unknown => Timestamp::UNIX_EPOCH,
            Use::Idle | Use::Active => self.at,
        };
        let reported = Activity {
            input_at,
            output_at,
            reported_at,
        };
        note(tx, &self.cell, self.workspace, reported).await?;
        if self.volume.is_some() && gateway.volume != self.volume {
            gateway.volume = self.volume;
            tx.put(&key, &gateway)?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Notes that a batch of file events was taken, so that it is not taken again. An older one of the same queue changes
/// nothing.
pub struct TakeBatch {
    /// Which cell; a workspace of another is unknown.
    pub cell: CellName,
    /// Whose workspace.
    pub user: UserId,
    /// Which.
    pub workspace: WorkspaceId,
    /// The batch.
    pub batch: TakenBatch,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for TakeBatch {
    const NAME: &'static str = "take_batch";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = place_of(tx, &self.cell, self.user, self.workspace).await?;
        let (key, mut gateway) = gateway(tx, &place, self.workspace).await?;
        let is_known = gateway.taken.is_some_and(|taken| {
            taken.queue == self.batch.queue && taken.number >= self.batch.number
        });
        if !is_known {
            gateway.taken = Some(self.batch);
            tx.put(&key, &gateway)?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
