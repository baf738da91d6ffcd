//! What is known of a workspace's files.

use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use coditect_core::{Error, FilePath, RequestId, Result, WorkspaceId};
use coditect_registry::operation::ForgetFile;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::paging::page_size;
use crate::{
    caller::SignedIn,
    extract::{PathFile, PathId, Query},
    problem::Answer,
    state::ApiState,
};

/// Files on a page if nobody says how many.
const USUAL_PAGE: usize = 100;

/// A page of files.
#[derive(Serialize, ToSchema)]
#[schema(as = FilePage)]
pub(super) struct FilesBody {
    /// By path. May be fewer than asked for although there are more.
    items: Vec<FileBody>,
    /// The `cursor` of the next page, if there is one.
    next_cursor: Option<String>,
}

/// A file as its workspace last reported it.
#[derive(Serialize, ToSchema)]
#[schema(as = File)]
struct FileBody {
    /// From the volume's root, with `/` between the parts.
    #[schema(value_type = String, example = "src/main.rs")]
    path: FilePath,
    /// In bytes.
    size: u64,
    changed_at: Timestamp,
    /// How many contents of it are kept.
    snapshots: usize,
    /// Whether it is there no more: its contents are kept, and can be brought back.
    deleted: bool,
}

/// The files of a workspace, as its gateway reported them.
///
/// Those that are there, and those that are not any more and of which contents are kept.
#[utoipa::path(
    get, path = "/api/v5/workspaces/{id}/files", tag = "workspaces",
    params(
        ("id" = Uuid, Path, description = "The workspace"),
        ("limit" = Option<u32>, Query, description = "How many on a page, 1 to 100", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page", body = FilesBody)),
)]
pub(super) async fn files(
    State(state): State<ApiState>,
    caller: SignedIn,
    PathId(id): PathId<WorkspaceId>,
    query: Query,
) -> Answer<Json<FilesBody>> {
    let [limit, cursor] = query.take(["limit", "cursor"])?;
    let limit = limit.map_or(Ok(USUAL_PAGE), |text| page_size(&text))?;
    let after = cursor.map(|text| parse_cursor(&text)).transpose()?;
    let mut view = state.registry.view().await?;
    let place = view.workspace(caller.account, id).await?.place;
    let (found, more) = view.files_after(&place, id, after.as_ref(), limit).await?;
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|(path, _)| BASE64_URL_SAFE_NO_PAD.encode(path.as_str()));
    let mut items = Vec::with_capacity(found.len());
    for (path, file) in found {
        let snapshots = view.snapshots(&place, id, &path).await?.len();
        if file.deleted && snapshots == 0 {
            continue;
        }
        items.push(FileBody {
            snapshots,
            size: file.size,
            changed_at: file.modified_at,
            deleted: file.deleted,
            path,
        });
    }
    Ok(Json(FilesBody { items, next_cursor }))
}

/// Forgets a file's versions, all of them, and what is known of the file. The file itself stays; the next time it is
/// changed it is known again.
#[utoipa::path(
    delete, path = "/api/v5/workspaces/{id}/files/{path}", tag = "workspaces",
    params(
        ("id" = Uuid, Path, description = "The workspace"),
        ("path" = String, Path, description = "The file, from the volume's root; its `/` are encoded as `%2F`"),
    ),
    responses((status = 204, description = "Forgotten, or not known")),
)]
pub(super) async fn forget_file(
    State(state): State<ApiState>,
    caller: SignedIn,
    file: PathFile,
) -> Answer<StatusCode> {
    let operation = ForgetFile {
        account: caller.account,
        workspace: file.workspace,
        path: file.path,
        at: state.now(),
    };
    state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn parse_cursor(text: &str) -> Result<FilePath> {
    let path = BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|path| path.parse().ok());
    path.ok_or_else(|| Error::invalid("cursor", "is not one that a page has given"))
}
