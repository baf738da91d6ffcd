//! A workspace: what lies below `tenant/{t}/user/{u}/workspace/{w}`.

use coditect_core::{FilePath, TenantId, UserId, WorkspaceId};
use foundationdb_tuple::pack;
use jiff::Timestamp;

use super::key;
use crate::store::{Key, KeyRange};

/// `tenant/{t}/user/{u}/workspace/…`: all records of all the user's workspaces.
#[must_use]
pub fn workspaces(tenant: TenantId, user: UserId) -> KeyRange {
    KeyRange::below(&key(&(
        "tenant",
        tenant.as_uuid(),
        "user",
        user.as_uuid(),
        "workspace",
    )))
}

fn of(tenant: TenantId, user: UserId, workspace: WorkspaceId) -> Key {
    key(&(
        "tenant",
        tenant.as_uuid(),
        "user",
        user.as_uuid(),
        "workspace",
        workspace.as_uuid(),
    ))
}

/// `tenant/{t}/user/{u}/workspace/{w}/{part}`, where part is `profile`, `status`, `power`, `metering`, `gateway` or
/// `restores`.
#[must_use]
pub fn workspace(
    tenant: TenantId,
    user: UserId,
    workspace: WorkspaceId,
    part: WorkspacePart,
) -> Key {
    let part = match part {
        WorkspacePart::Profile => "profile",
        WorkspacePart::Status => "status",
        WorkspacePart::Power => "power",
        WorkspacePart::Metering => "metering",
        WorkspacePart::Gateway => "gateway",
        WorkspacePart::Restores => "restores",
    };
    [of(tenant, user, workspace), pack(&(part,))].concat()
}
/// Everything of one workspace.
#[must_use]
pub fn workspace_all(tenant: TenantId, user: UserId, workspace: WorkspaceId) -> KeyRange {
    KeyRange::below(&of(tenant, user, workspace))
}

/// The records of one workspace: decisions, what was seen of it, and whether its pod should run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkspacePart {
    /// Name and dates.
    Profile,
    /// What the observer saw; never feeds the change feed.
    Status,
    /// Whether its pod should run.
    Power,
    /// Until when its running time is counted.
    Metering,
    /// What its gateway was given, and what it said last.
    Gateway,
    /// Files that are to be brought back, and what became of it.
    Restores,
}

/// `…/workspace/{w}/file_count`: how many files have metadata (atomic).
#[must_use]
pub fn file_count(tenant: TenantId, user: UserId, workspace: WorkspaceId) -> Key {
    [of(tenant, user, workspace), pack(&("file_count",))].concat()
}
/// `…/workspace/{w}/snapshot_bytes`: how many bytes its snapshots hold (atomic).
#[must_use]
pub fn snapshot_bytes(tenant: TenantId, user: UserId, workspace: WorkspaceId) -> Key {
    [of(tenant, user, workspace), pack(&("snapshot_bytes",))].concat()
}
/// `…/workspace/{w}/files/{path}/metadata`. Below the workspace, because two workspaces of one user may both have
/// a `src/main.rs`, and because its files go when it goes.
#[must_use]
pub fn file(tenant: TenantId, user: UserId, workspace: WorkspaceId, path: &FilePath) -> Key {
    [
        of(tenant, user, workspace),
        pack(&("files", path.as_str(), "metadata")),
    ]
    .concat()
}
/// `…/workspace/{w}/files/{path}/snapshots/{ts}`, where `ts` is in microseconds since 1970.
#[must_use]
pub fn snapshot(
    tenant: TenantId,
    user: UserId,
    workspace: WorkspaceId,
    path: &FilePath,
    at: Timestamp,
) -> Key {
    [
        of(tenant, user, workspace),
        pack(&("files", path.as_str(), "snapshots", at.as_microsecond())),
    ]
    .concat()
}
/// Every snapshot of a file, oldest first.
#[must_use]
pub fn snapshots(
    tenant: TenantId,
    user: UserId,
    workspace: WorkspaceId,
    path: &FilePath,
) -> KeyRange {
    KeyRange::below(
        &[
            of(tenant, user, workspace),
            pack(&("files", path.as_str(), "snapshots")),
        ]
        .concat(),
    )
}
/// The time in a key of [`snapshot`].
#[must_use]
pub fn snapshot_time(key: &[u8]) -> Option<Timestamp> {
    match super::parse(key).ok()?.parts.pop()? {
        super::KeyPart::Number(at) => Timestamp::from_microsecond(i64::try_from(at).ok()?).ok(),
        _ => None,
    }
}
/// All of the workspace's files: metadata and snapshots.
#[must_use]
pub fn files(tenant: TenantId, user: UserId, workspace: WorkspaceId) -> KeyRange {
    KeyRange::below(&[of(tenant, user, workspace), pack(&("files",))].concat())
}
/// The workspace's files behind `path`.
#[must_use]
pub fn files_after(
    tenant: TenantId,
    user: UserId,
    workspace: WorkspaceId,
    path: &FilePath,
) -> KeyRange {
    let prefix = [of(tenant, user, workspace), pack(&("files", path.as_str()))].concat();
    KeyRange {
        begin: KeyRange::below(&prefix).end,
        end: files(tenant, user, workspace).end,
    }
}
