//! Everybody's workspaces.

use axum::{Json, extract::State};
use coditect_core::{CellName, Slug, TenantId, UserId, WorkspaceId};
use coditect_registry::WorkspaceView;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{
    paging::{self, Paging},
    workspace_road::{PhaseName, PowerName},
};
use crate::{extract::Query, problem::Answer, state::ApiState};

/// A page of workspaces.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenWorkspacePage)]
pub(in crate::route) struct SeenWorkspacesBody {
    /// By id.
    items: Vec<SeenPlaceBody>,
    /// The `cursor` of the next page, if there is one.
    next_cursor: Option<String>,
}

/// Where a workspace is.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenPlace)]
struct SeenPlaceBody {
    #[schema(value_type = Uuid)]
    workspace: WorkspaceId,
    #[schema(value_type = Uuid)]
    user: UserId,
    #[schema(value_type = Uuid)]
    tenant: TenantId,
    #[schema(value_type = String)]
    cell: CellName,
}

/// A workspace as administrators see it: not what its person calls it.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenWorkspace)]
pub(super) struct SeenWorkspaceBody {
    #[schema(value_type = Uuid)]
    workspace: WorkspaceId,
    /// The first label of its host name.
    #[schema(value_type = String)]
    slug: Slug,
    phase: PhaseName,
    power: PowerName,
    storage_gib: u32,
}

impl SeenWorkspaceBody {
    pub(super) fn new(view: &WorkspaceView) -> Self {
        Self {
            workspace: view.id,
            slug: view.intent.slug.clone(),
            phase: view.phase().into(),
            power: view.power.power.into(),
            storage_gib: view.intent.storage_gib,
        }
    }
}

/// Everybody's workspaces, a page at a time: ids alone. With `slug`, the one of that host name.
#[utoipa::path(
    get, path = "/api/v5/admin/workspaces", tag = "admin",
    params(
        ("limit" = Option<u32>, Query, description = "How many on a page, 1 to 100", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("slug" = Option<String>, Query, description = "The first label of a workspace's host name"),
    ),
    responses((status = 200, description = "A page", body = SeenWorkspacesBody), (status = 403, description = "The caller is no administrator")),
)]
pub(in crate::route) async fn workspaces(
    State(state): State<ApiState>,
    query: Query,
) -> Answer<Json<SeenWorkspacesBody>> {
    let [limit, cursor, slug] = query.take(["limit", "cursor", "slug"])?;
    let page = Paging::new(limit, cursor)?;
    let after = page.after_id(WorkspaceId::from_bytes)?;
    let mut view = state.registry.view().await?;
    let (found, more) = match slug {
        None => view.workspaces_after(after, page.limit).await?,
        Some(slug) => {
            let slug: Slug = slug.parse()?;
            let id = view.workspace_of_slug(&slug).await?;
            let mut found = Vec::new();
            // A host name outlives its workspace.
            if let Some(id) = id.filter(|id| after.is_none_or(|after| *id > after))
                && let Some(place) = view.workspace_place(id).await?
            {
                found.push((id, place));
            }
            (found, false)
        }
    };
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|(id, _)| paging::cursor(id.as_bytes()));
    let items = found.into_iter().map(|(workspace, place)| SeenPlaceBody {
        workspace,
        user: place.user,
        tenant: place.tenant,
        cell: place.cell,
    });
    Ok(Json(SeenWorkspacesBody {
        items: items.collect(),
        next_cursor,
    }))
}
