//! What is deleted for good: records go, tombstones come.

use coditect_core::{AccountId, CellName, InvitationId, TenantId, UserId, WorkspaceId};
use jiff::Timestamp;

use super::{
    api_key::revoke_all,
    approval::forget_awaited,
    custody::pass_on,
    file::discard_all,
    invitation::close,
    power::end_run,
    purge::{clear_tenant, clear_user, clear_workspace},
    session::end_sessions,
    staying::{listed, succeed},
};
use crate::{
    keys::{self, WorkspacePart},
    record::{
        Action, Billing, ErasedUser, IntentRow, Invitation, ReapEntry, Role, Tombstone, User,
        UserPlace, Workspace, WorkspacePlace, object_prefix,
    },
    tx::{Abort, Tx, no_such_workspace, trailing_uuid},
};

/// Removes a workspace from the registry and writes its tombstone.
pub(super) async fn bury_workspace(
    tx: &mut Tx,
    place: &WorkspacePlace,
    workspace: WorkspaceId,
    requested: bool,
    at: Timestamp,
) -> Result<(), Abort> {
    let mut row: IntentRow = tx
        .get(&keys::intent(&place.cell, place.user))
        .await?
        .ok_or_else(no_such_workspace)?;
    // The user goes on, and so does their month.
    end_run(tx, place, workspace, at).await?;
    leave_workspace(tx, place, workspace, at).await?;
    clear_workspace(tx, place.tenant, place.user, workspace).await?;
    write_workspace_tombstone(tx, &place.cell, place.user, workspace, requested, at)?;
    row.intent.workspaces.retain(|have| have.id != workspace);
    tx.put_intent(&mut row, &[], at)?;
    tx.announce_power(&place.cell, workspace)?;
    Ok(())
}

/// Removes what leads to a workspace, its sessions and the contents of its files; its slug stays taken.
async fn leave_workspace(
    tx: &mut Tx,
    place: &WorkspacePlace,
    workspace: WorkspaceId,
    at: Timestamp,
) -> Result<(), Abort> {
    let profile: Option<Workspace> = tx
        .get(&keys::workspace(
            place.tenant,
            place.user,
            workspace,
            WorkspacePart::Profile,
        ))
        .await?;
    if let Some(mark) = profile.and_then(|profile| profile.mark) {
        tx.clear(&keys::grace(mark.until, workspace.as_uuid()));
    }
    end_sessions(tx, place.tenant, place.user, Some(workspace)).await?;
    discard_all(tx, &object_prefix(place.user, workspace), at)?;
    tx.clear(&keys::workspace_place(workspace));
    tx.clear(&keys::activity(&place.cell, workspace));
    Ok(())
}

/// Writes a workspace's tombstone and puts its volume on the reaper's list.
pub(super) fn write_workspace_tombstone(
    tx: &mut Tx,
    cell: &CellName,
    user: UserId,
    workspace: WorkspaceId,
    requested: bool,
    at: Timestamp,
) -> Result<(), Abort> {
    tx.put(
        &keys::workspace_tombstone(cell, workspace),
        &Tombstone { at, requested },
    )?;
    put_reap(
        tx,
        cell,
        &ReapEntry {
            user,
            workspace: Some(workspace),
            at,
        },
    )
}

fn put_reap(tx: &mut Tx, cell: &CellName, entry: &ReapEntry) -> Result<(), Abort> {
    tx.put(&keys::reap(cell, entry.id()), entry)?;
    Ok(())
}

/// Removes a user from the registry and writes the tombstones of the user and of every workspace. Whom the account
/// had in its custody there goes to another owner, or goes too if nobody is left; a tenant that loses its last owner
/// gets another; one that loses its last user ends.
pub(super) async fn bury_user(
    tx: &mut Tx,
    place: &UserPlace,
    id: UserId,
    requested: bool,
    actor: Option<AccountId>,
    at: Timestamp,
) -> Result<Vec<ErasedUser>, Abort> {
    let tenant = place.tenant;
    let user: User = tx
        .require(&keys::user(tenant, id), "there is no user of that id")
        .await?;
    let mut buried = vec![bury_one(tx, place, id, &user, requested, actor, at).await?];
    if user.custody.is_none() {
        if user.role == Role::Owner {
            succeed(tx, tenant, at).await?;
        }
        for (left, record) in pass_on(tx, tenant, user.account, at).await? {
            let place = UserPlace {
                tenant,
                cell: record.cell.clone(),
            };
            buried.push(bury_one(tx, &place, left, &record, requested, actor, at).await?);
        }
    }
    let (left, _) = tx.scan::<AccountId>(&keys::members(tenant), 1).await?;
    if left.is_empty() {
        end_tenant(tx, tenant).await?;
    }
    Ok(buried)
}

async fn bury_one(
    tx: &mut Tx,
    place: &UserPlace,
    id: UserId,
    user: &User,
    requested: bool,
    actor: Option<AccountId>,
    at: Timestamp,
) -> Result<ErasedUser, Abort> {
    let UserPlace { tenant, cell } = place;
    let row: Option<IntentRow> = tx.get(&keys::intent(cell, id)).await?;
    let workspaces: Vec<WorkspaceId> = row
        .iter()
        .flat_map(|row| &row.intent.workspaces)
        .map(|workspace| workspace.id)
        .collect();
    for workspace in &workspaces {
        let place = WorkspacePlace {
            tenant: *tenant,
            user: id,
            cell: cell.clone(),
        };
        leave_workspace(tx, &place, *workspace, at).await?;
        tx.put(
            &keys::workspace_tombstone(cell, *workspace),
            &Tombstone { at, requested },
        )?;
        tx.announce_power(cell, *workspace)?;
    }
    if let Some(mark) = &user.mark {
        tx.clear(&keys::grace(mark.until, id.as_uuid()));
    }
    end_sessions(tx, *tenant, id, None).await?;
    revoke_all(tx, *tenant, id).await?;
    clear_user(tx, *tenant, id, &workspaces).await?;
    tx.clear(&keys::user_place(id));
    tx.clear(&keys::member(*tenant, id));
    if let Some(listed) = listed(*tenant, id, user) {
        tx.clear(&listed);
    }
    if user.custody.is_some() {
        tx.clear(&keys::custody(user.account, id));
    } else {
        tx.clear(&keys::membership(user.account, *tenant));
    }
    tx.clear(&keys::intent(cell, id));
    tx.clear(&keys::committed(cell, id));
    tx.clear(&keys::quarantine(cell, id));
    forget_awaited(tx, cell, id, at).await?;
    tx.add(&keys::cell_load(cell), -1);
    write_user_tombstone(tx, cell, id, requested, at)?;
    tx.audit(*tenant, at, actor, Action::UserDeleted { user: id })?;
    Ok(ErasedUser {
        tenant: *tenant,
        user: id,
        cell: cell.clone(),
        workspaces,
    })
}

/// Removes a tenant without users. Its audit and its invoices stay.
async fn end_tenant(tx: &mut Tx, tenant: TenantId) -> Result<(), Abort> {
    if let Some(billing) = tx.get::<Billing>(&keys::billing(tenant)).await? {
        tx.clear(&keys::stripe_customer(&billing.customer));
        tx.put(&keys::invoice_customer(&billing.customer), &tenant)?;
    }
    for (key, invitation) in tx
        .scan_all::<Invitation>(&keys::invitations(tenant))
        .await?
    {
        let id = InvitationId::from_bytes(*trailing_uuid(&key)?.as_bytes());
        close(tx, tenant, id, &invitation);
    }
    tx.clear(&keys::plan_change(tenant));
    clear_tenant(tx, tenant).await
}

/// Writes a user's tombstone, puts their namespace on the reaper's list and tells the renderer.
pub(super) fn write_user_tombstone(
    tx: &mut Tx,
    cell: &CellName,
    id: UserId,
    requested: bool,
    at: Timestamp,
) -> Result<(), Abort> {
    tx.put(
        &keys::user_tombstone(cell, id),
        &Tombstone { at, requested },
    )?;
    put_reap(
        tx,
        cell,
        &ReapEntry {
            user: id,
            workspace: None,
            at,
        },
    )?;
    tx.announce_change(cell, id)?;
    Ok(())
}
