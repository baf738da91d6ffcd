//! A person's workspaces.

use coditect_core::{AccountId, Error, Phase, Result, UserId, WorkspaceId};

use crate::{
    keys::{self, WorkspacePart},
    record::{
        ApprovalState, AwaitedApproval, Committed, IntentRow, Landed, PowerState, Requested,
        Status, User, UserPlace, Workspace, WorkspacePlace,
    },
    registry::View,
    tx::no_such_workspace,
};

/// A workspace with everything known of it.
#[derive(Clone, Debug)]
pub struct WorkspaceView {
    /// Its id.
    pub id: WorkspaceId,
    /// Where it is.
    pub place: WorkspacePlace,
    /// Name, dates, mark.
    pub profile: Workspace,
    /// What is wanted in the cluster.
    pub intent: coditect_core::WorkspaceIntent,
    /// The user's intent as a whole.
    pub row: IntentRow,
    /// Whether its pod should run.
    pub power: PowerState,
    /// What the observer saw, if anything.
    pub status: Option<Status>,
    /// When its newest change was asked for, and the generation that holds it.
    pub requested: Requested,
    /// The commit that brought its newest change to Git, once there is one.
    pub landed: Option<Landed>,
    /// The change that holds the user's newest intent until people agree, if it waits for that.
    pub approval: Option<(AwaitedApproval, ApprovalState)>,
}

impl WorkspaceView {
    /// Where the workspace stands. A change of one that is in the cluster already shows in its timeline, not
    /// here: a workspace that runs does not become `requested` because its plan changed.
    #[must_use]
    pub fn phase(&self) -> Phase {
        if self.intent.standing == coditect_core::Standing::Marked
            || self.row.intent.standing == coditect_core::Standing::Marked
        {
            return Phase::Deleting;
        }
        match (&self.status, &self.landed) {
            (Some(status), _) => status.phase,
            (None, Some(_)) => Phase::Committed,
            (None, None) => Phase::Requested,
        }
    }
}

impl View {
    /// A user's workspaces in order of id.
    ///
    /// # Errors
    /// As the store; `NotFound` if there is no such user.
    pub async fn workspaces(&mut self, user: UserId) -> Result<Vec<WorkspaceView>> {
        let missing = || Error::not_found("there is no user of that id");
        let place: UserPlace = self
            .tx
            .get(&keys::user_place(user))
            .await?
            .ok_or_else(missing)?;
        let row: IntentRow = self
            .tx
            .get(&keys::intent(&place.cell, user))
            .await?
            .ok_or_else(missing)?;
        let committed = self.committed(&place.cell, user).await?;
        let mut views = Vec::with_capacity(row.intent.workspaces.len());
        for workspace in &row.intent.workspaces {
            let place = WorkspacePlace {
                tenant: place.tenant,
                user,
                cell: place.cell.clone(),
            };
            views.push(
                self.assemble(place, &row, workspace.id, committed.as_ref())
                    .await?,
            );
        }
        Ok(views)
    }

    /// One workspace, if it is the account's.
    ///
    /// # Errors
    /// As the store; `NotFound` if there is none or it is somebody else's.
    pub async fn workspace(
        &mut self,
        account: AccountId,
        id: WorkspaceId,
    ) -> Result<WorkspaceView> {
        let place: WorkspacePlace = self
            .tx
            .get(&keys::workspace_place(id))
            .await?
            .ok_or_else(no_such_workspace)?;
        let user: User = self
            .tx
            .get(&keys::user(place.tenant, place.user))
            .await?
            .ok_or_else(no_such_workspace)?;
        if user.account != account {
            return Err(no_such_workspace());
        }
        let row: IntentRow = self
            .tx
            .get(&keys::intent(&place.cell, place.user))
            .await?
            .ok_or_else(no_such_workspace)?;
        let committed = self.committed(&place.cell, place.user).await?;
        self.assemble(place, &row, id, committed.as_ref()).await
    }

    pub(crate) async fn assemble(
        &mut self,
        place: WorkspacePlace,
        row: &IntentRow,
        id: WorkspaceId,
        committed: Option<&Committed>,
    ) -> Result<WorkspaceView> {
        let key = |part| keys::workspace(place.tenant, place.user, id, part);
        let profile: Workspace = self
            .tx
            .get(&key(WorkspacePart::Profile))
            .await?
            .ok_or_else(no_such_workspace)?;
        let power: PowerState = self
            .tx
            .get(&key(WorkspacePart::Power))
            .await?
            .ok_or_else(no_such_workspace)?;
        let status = self.tx.get(&key(WorkspacePart::Status)).await?;
        let intent = row
            .intent
            .workspace(id)
            .cloned()
            .ok_or_else(no_such_workspace)?;
        let requested = row.requested.get(&id).copied().unwrap_or(Requested {
            generation: row.intent.generation,
            at: row.changed_at,
        });
        let landed = committed
            .and_then(|committed| committed.workspaces.get(&id))
            .cloned();
        let awaited = keys::awaited_approval(&place.cell, place.user);
        let approval = match self.tx.get::<AwaitedApproval>(&awaited).await? {
            None => None,
            Some(awaited) => {
                let request = self.approval(&place.cell, awaited.change).await?;
                request.map(|request| (awaited, request.state))
            }
        };
        Ok(WorkspaceView {
            id,
            place,
            profile,
            intent,
            row: row.clone(),
            power,
            status,
            requested,
            landed,
            approval,
        })
    }
}
