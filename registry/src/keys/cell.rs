//! A cell: what its renderer and its observer read and write.

use coditect_core::{CellName, ChangeId, ReleaseName, UserId, WorkspaceId};
use uuid::Uuid;

use super::key;
use crate::store::{Key, KeyRange};

/// `cell/{c}/user/{u}`: the user's intent, where the renderer reads a whole cell in one range.
#[must_use]
pub fn intent(cell: &CellName, user: UserId) -> Key {
    key(&("cell", cell.as_str(), "user", user.as_uuid()))
}
/// Every intent of the cell.
#[must_use]
pub fn intents(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("cell", cell.as_str(), "user")))
}
/// Everything below `cell/{c}`.
#[must_use]
pub fn cell_all(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("cell", cell.as_str())))
}
/// `cell/{c}/committed/{u}`: which commit holds which generation; status, written by the renderer.
#[must_use]
pub fn committed(cell: &CellName, user: UserId) -> Key {
    key(&("cell", cell.as_str(), "committed", user.as_uuid()))
}
/// What Git holds of every user of the cell.
#[must_use]
pub fn all_committed(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("cell", cell.as_str(), "committed")))
}
/// `cell/{c}/load`: how many users the cell has (atomic).
#[must_use]
pub fn cell_load(cell: &CellName) -> Key {
    key(&("cell", cell.as_str(), "load"))
}

/// `lease/{cell}`.
#[must_use]
pub fn lease(cell: &CellName) -> Key {
    key(&("lease", cell.as_str()))
}
/// `tombstone/{cell}/{u}`; permanent.
#[must_use]
pub fn user_tombstone(cell: &CellName, user: UserId) -> Key {
    key(&("tombstone", cell.as_str(), user.as_uuid()))
}
/// `tombstone/{cell}/{w}`; permanent.
#[must_use]
pub fn workspace_tombstone(cell: &CellName, workspace: WorkspaceId) -> Key {
    key(&("tombstone", cell.as_str(), workspace.as_uuid()))
}
/// Every tombstone of the cell.
#[must_use]
pub fn tombstones(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("tombstone", cell.as_str())))
}
/// `reap/{cell}/{id}`: a user or workspace that has a tombstone and whose objects are still in the cluster.
#[must_use]
pub fn reap(cell: &CellName, id: Uuid) -> Key {
    key(&("reap", cell.as_str(), id))
}
/// Everything of the cell that is still to be removed from its cluster.
#[must_use]
pub fn reap_list(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("reap", cell.as_str())))
}

/// `activity/{cell}/{w}`: when the workspace was last used.
#[must_use]
pub fn activity(cell: &CellName, workspace: WorkspaceId) -> Key {
    key(&("activity", cell.as_str(), workspace.as_uuid()))
}
/// Activity of every workspace of the cell.
#[must_use]
pub fn activities(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("activity", cell.as_str())))
}
/// `quarantine/{cell}/{u}`: that the cluster refuses what Git asks for the user.
#[must_use]
pub fn quarantine(cell: &CellName, user: UserId) -> Key {
    key(&("quarantine", cell.as_str(), user.as_uuid()))
}
/// Everyone of the cell who is quarantined.
#[must_use]
pub fn quarantines(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("quarantine", cell.as_str())))
}
/// `approval/{cell}/{change}`: a change that waits for approval, or lately did.
#[must_use]
pub fn approval(cell: &CellName, change: ChangeId) -> Key {
    key(&("approval", cell.as_str(), change.as_uuid()))
}
/// Every change of the cell that waits for approval, or lately did.
#[must_use]
pub fn approvals(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("approval", cell.as_str())))
}
/// `awaited_approval/{cell}/{u}`: what the user waits for.
#[must_use]
pub fn awaited_approval(cell: &CellName, user: UserId) -> Key {
    key(&("awaited_approval", cell.as_str(), user.as_uuid()))
}
/// What everyone of the cell who waits for approval waits for.
#[must_use]
pub fn awaited_approvals(cell: &CellName) -> KeyRange {
    KeyRange::below(&key(&("awaited_approval", cell.as_str())))
}
/// `restart/{cell}`: the newest restart of the cell's pods within a window.
#[must_use]
pub fn restart(cell: &CellName) -> Key {
    key(&("restart", cell.as_str()))
}
/// `cell_state/{cell}`: how the cell fares, as its observer says.
#[must_use]
pub fn cell_state(cell: &CellName) -> Key {
    key(&("cell_state", cell.as_str()))
}
/// `rollout/{release}`: how far a template release is in the fleet.
#[must_use]
pub fn rollout(release: &ReleaseName) -> Key {
    key(&("rollout", release.as_str()))
}
/// Every roll-out.
#[must_use]
pub fn rollouts() -> KeyRange {
    KeyRange::below(&key(&("rollout",)))
}
