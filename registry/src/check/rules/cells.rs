//! What belongs to a cell.

use coditect_core::{CellName, UserId, WorkspaceId};

use super::{super::Problem, At};
use crate::{
    keys,
    record::{AwaitedApproval, IntentRow, Tombstone, UserPlace, WorkspacePlace},
    store::StoreError,
};

pub(super) async fn intent(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let (cell, id) = (at.text::<CellName>(1)?, UserId::from_bytes(id));
    let row = at.record::<IntentRow>()?;
    let other = keys::user_place(id);
    let place = at.get::<UserPlace>(&other).await?;
    if place.is_none_or(|place| place.cell != cell) {
        // Absence is never deletion: an intent goes by a tombstone alone.
        at.by_hand(
            Problem::Dangling,
            other,
            "no such user is found in this cell",
            "check with --repair writes what is missing of the user, if the profile is there; else delete the user",
        );
    }
    for workspace in &row.intent.workspaces {
        let key = keys::slug(&workspace.slug);
        match at.get::<WorkspaceId>(&key).await? {
            Some(found) if found == workspace.id => {}
            Some(_) => at.by_hand(
                Problem::Differs,
                key,
                "its host name leads to another workspace",
                "delete one of the two workspaces: a host name is nobody else's, ever",
            ),
            None => at.missing(
                key,
                &workspace.id,
                "its host name leads nowhere and might be given out again",
            )?,
        }
    }
    Ok(())
}

/// What Git or the cluster said of a user who is no more.
pub(super) async fn of_user(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    // `cell/{cell}/committed/{u}` and `quarantine/{cell}/{u}` both have the cell second.
    let other = keys::intent(&at.text::<CellName>(1)?, UserId::from_bytes(id));
    if at.get::<IntentRow>(&other).await?.is_none() {
        at.dangling(other, "the cell has no such user");
    }
    Ok(())
}

/// Somebody waits for a change that is there, and is there, or has a deletion that waits.
pub(super) async fn awaited_approval(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let (cell, id) = (at.text::<CellName>(1)?, UserId::from_bytes(id));
    let other = keys::approval(&cell, at.record::<AwaitedApproval>()?.change);
    if !at.is_there(&other).await? {
        at.dangling(other, "there is no such change; the renderer opens another");
        return Ok(());
    }
    let other = keys::intent(&cell, id);
    if !at.is_there(&other).await? && !at.is_there(&keys::user_tombstone(&cell, id)).await? {
        at.dangling(other, "the cell has no such user");
    }
    Ok(())
}

pub(super) async fn activity(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let other = keys::workspace_place(WorkspaceId::from_bytes(id));
    if at.get::<WorkspacePlace>(&other).await?.is_none() {
        at.dangling(other, "there is no such workspace");
    }
    Ok(())
}

/// Without a tombstone nothing is reaped, whatever the list says.
pub(super) async fn reap(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    let cell = at.text::<CellName>(1)?;
    let other = keys::user_tombstone(&cell, UserId::from_bytes(id));
    if at.get::<Tombstone>(&other).await?.is_some() {
        return Ok(());
    }
    // A user's erasure lists the user alone; its workspaces' tombstones stand under ids of their own.
    at.dangling(
        other,
        "there is no tombstone: nothing may be removed from the cluster for it",
    );
    Ok(())
}

pub(super) async fn tombstone(at: &mut At<'_, '_>) -> Result<(), StoreError> {
    let [id] = at.ids()?;
    const WHO: &str = "both a tombstone and alive";
    const REMEDY: &str =
        "decide whether it was deleted: then delete it again, else take the registry from a backup";
    let user = keys::user_place(UserId::from_bytes(id));
    if at.get::<UserPlace>(&user).await?.is_some() {
        at.by_hand(Problem::Differs, user, WHO, REMEDY);
    }
    let workspace = keys::workspace_place(WorkspaceId::from_bytes(id));
    if at.get::<WorkspacePlace>(&workspace).await?.is_some() {
        at.by_hand(Problem::Differs, workspace, WHO, REMEDY);
    }
    Ok(())
}
