//! Earlier contents of a workspace's files, and bringing them back.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{
    Error, FilePath, RequestId, WorkspaceId,
    sidecar::{RestoreFailure, Restored},
};
use coditect_registry::{
    operation::RestoreFile,
    record::{FileRestore, Snapshot},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::derived;
use crate::{
    caller::SignedIn,
    extract::{IdempotencyKey, PathFile, PathId},
    problem::{Answer, NOT_FOUND, Problem},
    state::ApiState,
};

/// The versions of a file that are kept.
#[derive(Serialize, ToSchema)]
#[schema(as = Snapshots)]
pub(super) struct SnapshotsBody {
    /// The newest first.
    items: Vec<SnapshotBody>,
}

/// A file as it was.
#[derive(Serialize, ToSchema)]
#[schema(as = Snapshot)]
struct SnapshotBody {
    id: Uuid,
    /// When it was reported.
    at: Timestamp,
    /// In bytes.
    size: u64,
    /// SHA-256 in lower-case hexadecimal.
    sha256: String,
}

/// What somebody wanted back in a workspace.
#[derive(Serialize, ToSchema)]
#[schema(as = FileRestores)]
pub(super) struct RestoresBody {
    /// Those that wait, and those of the last day; the newest first.
    items: Vec<RestoreBody>,
}

/// A version of a file that somebody wants back.
#[derive(Serialize, ToSchema)]
#[schema(as = FileRestore)]
pub(super) struct RestoreBody {
    id: Uuid,
    #[schema(value_type = String)]
    path: FilePath,
    /// Which version.
    snapshot: Option<Uuid>,
    asked_at: Timestamp,
    state: RestoreState,
    /// Since when that is so, unless it waits.
    ended_at: Option<Timestamp>,
    /// The name of what stood there before, if it was kept beside.
    beside: Option<String>,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FileRestoreState)]
enum RestoreState {
    /// It waits for the workspace, which does it within seconds while it runs, and when it is woken otherwise.
    Waiting,
    /// The file is as it was then.
    Done,
    /// The version is not kept any more.
    Gone,
    /// The workspace's gateway may not write there.
    NotWritable,
    /// The volume is full.
    NoRoom,
    /// Where the file would be is something else: a folder, or a link on the way.
    InTheWay,
}

impl From<FileRestore> for RestoreBody {
    fn from(asked: FileRestore) -> Self {
        let (state, beside) = match asked.ended.as_ref().map(|(_, outcome)| outcome) {
            None => (RestoreState::Waiting, None),
            Some(Restored::Done { beside }) => (RestoreState::Done, beside.clone()),
            Some(Restored::Failed { why }) => (
                match why {
                    RestoreFailure::Gone => RestoreState::Gone,
                    RestoreFailure::NotWritable => RestoreState::NotWritable,
                    RestoreFailure::NoRoom => RestoreState::NoRoom,
                    RestoreFailure::InTheWay => RestoreState::InTheWay,
                },
                None,
            ),
        };
        Self {
            id: asked.id,
            snapshot: asked.snapshot.id(),
            path: asked.path,
            asked_at: asked.asked_at,
            state,
            ended_at: asked.ended.map(|(at, _)| at),
            beside,
        }
    }
}

fn not_kept() -> Problem {
    Problem::new(&NOT_FOUND, "This version of the file is not kept any more.")
}

/// The versions of a file that are kept, the newest first.
///
/// Text files up to 256 KiB; the newest ten of each, within what the volume's size allows. Files whose names say that they
/// hold secrets never leave the workspace.
#[utoipa::path(
    get, path = "/api/v5/workspaces/{id}/files/{path}/snapshots", tag = "workspaces",
    params(
        ("id" = Uuid, Path, description = "The workspace"),
        ("path" = String, Path, description = "The file, from the volume's root; its `/` are encoded as `%2F`"),
    ),
    responses((status = 200, description = "The versions; none if there is no such file", body = SnapshotsBody)),
)]
pub(super) async fn snapshots(
    State(state): State<ApiState>,
    caller: SignedIn,
    file: PathFile,
) -> Answer<Json<SnapshotsBody>> {
    let mut view = state.registry.view().await?;
    let place = view.workspace(caller.account, file.workspace).await?.place;
    let found = view.snapshots(&place, file.workspace, &file.path).await?;
    let items = found.into_iter().rev().filter_map(|(at, snapshot)| {
        let id = snapshot.id()?;
        let Snapshot { size, hash, .. } = snapshot;
        Some(SnapshotBody {
            id,
            at,
            size,
            sha256: hash,
        })
    });
    Ok(Json(SnapshotsBody {
        items: items.collect(),
    }))
}

/// The text of a version. Never shown as a page, whatever it holds.
#[utoipa::path(
    get, path = "/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}", tag = "workspaces",
    params(
        ("id" = Uuid, Path, description = "The workspace"),
        ("path" = String, Path, description = "The file, from the volume's root; its `/` are encoded as `%2F`"),
        ("snapshot" = Uuid, Path, description = "The version"),
    ),
    responses(
        (status = 200, description = "The text", content_type = "text/plain", body = String),
        (status = 404, description = "There is no such version, or it is not kept any more"),
    ),
)]
pub(super) async fn snapshot_content(
    State(state): State<ApiState>,
    caller: SignedIn,
    file: PathFile,
) -> Answer<Response> {
    let wanted = file.snapshot()?;
    let mut view = state.registry.view().await?;
    let place = view.workspace(caller.account, file.workspace).await?.place;
    let found = view.snapshots(&place, file.workspace, &file.path).await?;
    let (_, snapshot) = found
        .into_iter()
        .find(|(_, snapshot)| snapshot.id() == Some(wanted))
        .ok_or_else(not_kept)?;
    let objects = state.objects().ok_or_else(not_kept)?;
    let text = objects.get(&snapshot.object).await?.ok_or_else(not_kept)?;
    let fixed = |value| HeaderValue::from_static(value);
    let headers = [
        (header::CONTENT_TYPE, fixed("text/plain; charset=utf-8")),
        (header::CONTENT_DISPOSITION, fixed("attachment")),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        // Although it never changes: the browser's next person must not find it.
        (header::CACHE_CONTROL, fixed("no-store")),
    ];
    Ok((headers, text).into_response())
}

/// Asks for a version back.
///
/// A workspace that runs does it within seconds, one that sleeps when it is woken; asking wakes nothing. What stands there
/// then is kept beside if no version holds it. Asked again for the same file, the last word counts.
///
/// With an `Idempotency-Key`, the same key always names the same wish.
#[utoipa::path(
    post, path = "/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}/restore", tag = "workspaces",
    params(
        ("id" = Uuid, Path, description = "The workspace"),
        ("path" = String, Path, description = "The file, from the volume's root; its `/` are encoded as `%2F`"),
        ("snapshot" = Uuid, Path, description = "The version"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this attempt; 1 to 255 visible ASCII characters"),
    ),
    responses(
        (status = 202, description = "It waits for the workspace; of an attempt that is sent again, what became of it", body = RestoreBody),
        (status = 403, description = "Eight files of this workspace wait already (`limit-reached`)"),
        (status = 404, description = "There is no such version, or it is not kept any more"),
        (status = 409, description = "Another version of the file was asked for since, or the attempt was for another workspace"),
    ),
)]
pub(super) async fn restore_snapshot(
    State(state): State<ApiState>,
    caller: SignedIn,
    attempt: IdempotencyKey,
    file: PathFile,
) -> Answer<(StatusCode, Json<RestoreBody>)> {
    let drawn = |purpose| derived(attempt.draw(&state.tokens.keys, purpose, caller.account));
    let operation = RestoreFile {
        account: caller.account,
        workspace: file.workspace,
        snapshot: file.snapshot()?,
        path: file.path,
        id: Uuid::from_bytes(drawn("file restore")),
        at: state.now(),
    };
    let request = RequestId::from_bytes(drawn("restore file"));
    state.registry.apply(request, &operation).await?;
    // Nobody may be listening.
    let _ = state.restores.send(operation.workspace);
    let mut view = state.registry.view().await?;
    let place = view
        .workspace(caller.account, operation.workspace)
        .await?
        .place;
    let asked = view.restores(&place, operation.workspace).await?;
    let asked = asked.into_iter().find(|one| one.id == operation.id);
    let superseded = "this wish is not known any more: another version was asked for since";
    let asked = asked.ok_or_else(|| Error::conflict(superseded))?;
    Ok((StatusCode::ACCEPTED, Json(asked.into())))
}

/// What somebody wanted back in the workspace: what waits, and what became of the others within the last day.
#[utoipa::path(
    get, path = "/api/v5/workspaces/{id}/restores", tag = "workspaces",
    params(("id" = Uuid, Path, description = "The workspace")),
    responses((status = 200, description = "The newest first", body = RestoresBody)),
)]
pub(super) async fn restores(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<WorkspaceId>,
) -> Answer<Json<RestoresBody>> {
    let mut view = state.registry.view().await?;
    let place = view.workspace(caller.account, id).await?.place;
    let asked = view.restores(&place, id).await?;
    Ok(Json(RestoresBody {
        items: asked.into_iter().rev().map(RestoreBody::from).collect(),
    }))
}
