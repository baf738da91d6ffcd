//! A person's workspaces: made, renamed, started and stopped.

use async_trait::async_trait;
use coditect_core::{
    AccountId, CellSummary, Entitlement, Error, Kind, Power, Standing, TenantId, UserId,
    WorkspaceId, WorkspaceName,
};
use jiff::Timestamp;

use super::{
    power::end_run,
    provision::{NewWorkspace, add_workspace},
    who,
};
use crate::{
    keys::{self, WorkspacePart},
    record::{
        Action, IntentRow, PowerCause, PowerState, User, UserPlace, Workspace, WorkspacePlace,
    },
    registry::Operation,
    tx::{Abort, Tx, no_such_workspace},
};

/// Makes a workspace.
pub struct CreateWorkspace {
    /// Who asks; must be the user's account.
    pub account: AccountId,
    /// Whose it becomes.
    pub user: UserId,
    /// What it is called.
    pub name: WorkspaceName,
    /// What the user's tenant may use.
    pub entitlement: Entitlement,
    /// The user's cell.
    pub cell: CellSummary,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for CreateWorkspace {
    const NAME: &'static str = "create_workspace";
    type Output = WorkspaceId;

    async fn run(&self, tx: &mut Tx) -> Result<WorkspaceId, Abort> {
        let place: UserPlace = tx
            .require(&keys::user_place(self.user), "there is no user of that id")
            .await?;
        let user: User = tx
            .require(
                &keys::user(place.tenant, self.user),
                "there is no user of that id",
            )
            .await?;
        if user.account != self.account {
            return Err(Error::not_found("there is no user of that id").into());
        }
        let mut row: IntentRow = tx
            .require(
                &keys::intent(&place.cell, self.user),
                "there is no user of that id",
            )
            .await?;
        if row.intent.standing != Standing::Active {
            return Err(Error::conflict(
                "this account is suspended or marked for deletion; restore it first",
            )
            .into());
        }
        // Marked workspaces count: their volumes exist until the grace period ends.
        let limit = self.entitlement.limits.workspaces;
        if row.intent.workspaces.len() >= limit as usize {
            let message = format!(
                "the {} plan allows {limit} workspace(s); delete one or choose a larger plan",
                self.entitlement.plan
            );
            return Err(Error::new(
                Kind::LimitReached {
                    limit: "workspaces",
                },
                message,
            )
            .into());
        }
        let new = NewWorkspace {
            name: self.name.clone(),
            storage_gib: self.entitlement.limits.storage_gib,
            storage_class: self
                .entitlement
                .storage_class
                .clone()
                .unwrap_or_else(|| self.cell.storage_class.clone()),
            cause: PowerCause::Person,
            at: self.at,
        };
        let workspace = add_workspace(tx, &mut row, new).await?;
        tx.put_intent(&mut row, &[workspace], self.at)?;
        tx.audit(
            place.tenant,
            self.at,
            Some(self.account),
            Action::WorkspaceCreated { workspace },
        )?;
        Ok(workspace)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Changes what a workspace is called. Nothing the cluster knows of.
pub struct RenameWorkspace {
    /// Who asks.
    pub account: AccountId,
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// The new name.
    pub name: WorkspaceName,
    /// The revision the caller saw, if it insists.
    pub expected: Option<u64>,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RenameWorkspace {
    const NAME: &'static str = "rename_workspace";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = owned_to_change(tx, self.account, self.workspace).await?;
        let key = keys::workspace(
            place.tenant,
            place.user,
            self.workspace,
            WorkspacePart::Profile,
        );
        let mut record: Workspace = tx.get(&key).await?.ok_or_else(no_such_workspace)?;
        if self
            .expected
            .is_some_and(|expected| expected != record.revision)
        {
            return Err(
                Error::conflict("the workspace was changed meanwhile; read it again").into(),
            );
        }
        record.name = self.name.clone();
        record.revision += 1;
        tx.put(&key, &record)?;
        let action = Action::WorkspaceRenamed {
            workspace: self.workspace,
        };
        tx.audit(place.tenant, self.at, Some(self.account), action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Starts or stops a workspace's pod. Makes no commit: power lives in the registry alone.
pub struct SetPower {
    /// Who asks.
    pub account: AccountId,
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// What is wanted.
    pub power: Power,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for SetPower {
    const NAME: &'static str = "set_power";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = owned(tx, self.account, self.workspace).await?;
        let row: IntentRow = tx
            .get(&keys::intent(&place.cell, place.user))
            .await?
            .ok_or_else(no_such_workspace)?;
        let wanted = row
            .intent
            .workspace(self.workspace)
            .ok_or_else(no_such_workspace)?;
        if self.power == Power::On
            && (row.intent.standing != Standing::Active || wanted.standing != Standing::Active)
        {
            return Err(Error::conflict(
                "the workspace is suspended or marked for deletion; restore it first",
            )
            .into());
        }
        let wanted = PowerState {
            power: self.power,
            since: self.at,
            cause: PowerCause::Person,
        };
        if set_power(tx, &place, self.workspace, wanted).await? {
            let action = match self.power {
                Power::On => Action::WorkspaceStarted {
                    workspace: self.workspace,
                },
                Power::Off => Action::WorkspaceStopped {
                    workspace: self.workspace,
                },
            };
            tx.audit(place.tenant, self.at, Some(self.account), action)?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Where the workspace is, if it is the account's.
pub(super) async fn owned(
    tx: &mut Tx,
    account: AccountId,
    workspace: WorkspaceId,
) -> Result<WorkspacePlace, Abort> {
    let place: WorkspacePlace = tx
        .get(&keys::workspace_place(workspace))
        .await?
        .ok_or_else(no_such_workspace)?;
    let user: User = tx
        .get(&keys::user(place.tenant, place.user))
        .await?
        .ok_or_else(no_such_workspace)?;
    // Somebody else's workspace is answered like one that does not exist.
    if user.account == account {
        Ok(place)
    } else {
        Err(no_such_workspace().into())
    }
}

/// As [`owned`], to change it: not of a user on the way out.
pub(super) async fn owned_to_change(
    tx: &mut Tx,
    account: AccountId,
    workspace: WorkspaceId,
) -> Result<WorkspacePlace, Abort> {
    let place = owned(tx, account, workspace).await?;
    let user = who::in_tenant(tx, place.tenant, place.user).await?;
    who::refuse_marked(&user)?;
    Ok(place)
}

/// Turns all workspaces of a user off.
pub(super) async fn stop_all(
    tx: &mut Tx,
    (tenant, id): (TenantId, UserId),
    row: &IntentRow,
    off: &PowerState,
) -> Result<(), Abort> {
    let place = WorkspacePlace {
        tenant,
        user: id,
        cell: row.intent.cell.clone(),
    };
    for workspace in &row.intent.workspaces {
        set_power(tx, &place, workspace.id, off.clone()).await?;
    }
    Ok(())
}

/// Writes the power wanted, ends the metering of a run that ends, and tells the observer; false if the power
/// was so already.
pub(super) async fn set_power(
    tx: &mut Tx,
    place: &WorkspacePlace,
    workspace: WorkspaceId,
    wanted: PowerState,
) -> Result<bool, Abort> {
    let key = keys::workspace(place.tenant, place.user, workspace, WorkspacePart::Power);
    if tx
        .get::<PowerState>(&key)
        .await?
        .is_some_and(|have| have.power == wanted.power)
    {
        return Ok(false);
    }
    if wanted.power == Power::Off {
        end_run(tx, place, workspace, wanted.since).await?;
    }
    tx.put(&key, &wanted)?;
    tx.announce_power(&place.cell, workspace)?;
    Ok(true)
}
