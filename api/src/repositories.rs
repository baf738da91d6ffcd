//! What Git holds, for a process that can read it. The API itself has no Git and no credentials for one: whoever puts the
//! process together hands in what reads.

use coditect_core::{CellName, Result, UserId, WorkspaceId};
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Reads the cells' repositories.
pub trait Repositories: Send + Sync {
    /// The commits that touched the user's file, the newest first, at most `limit`. None if this process has no
    /// repository of the cell.
    fn history(
        &self,
        cell: CellName,
        user: UserId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Option<Vec<CommittedChange>>>>;

    /// The objects of a workspace and those that all of its user's workspaces share, as of the newest commit that
    /// touched the user's file, or of the one named. None if this process has no repository of the cell.
    ///
    /// # Errors
    /// `NotFound` if no such commit touched the file, or it held nothing afterwards.
    fn manifests(
        &self,
        cell: CellName,
        user: UserId,
        workspace: WorkspaceId,
        commit: Option<String>,
    ) -> BoxFuture<'_, Result<Option<Manifests>>>;
}

/// A commit that touched a user's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WorkspaceChange)]
pub struct CommittedChange {
    /// The commit's id in hexadecimal.
    #[schema(example = "3f786850e387550fdab836ed7e6dc881de23001b")]
    pub commit: String,
    /// When it was made.
    pub at: Timestamp,
    /// What changed, a sentence each.
    #[schema(example = json!(["Storage 1 Gi → 10 Gi."]))]
    pub sentences: Vec<String>,
    /// Unified diff of the user's file; shortened if it is very long.
    pub diff: String,
}

/// What Git holds for a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Manifests)]
pub struct Manifests {
    /// The commit's id in hexadecimal.
    pub commit: String,
    /// When it was made.
    pub at: Timestamp,
    /// Where in the repository the user's file is.
    pub path: String,
    /// The objects, in the file's order.
    pub objects: Vec<Manifest>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Manifest {
    /// Its kind, such as `StatefulSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The whole of it.
    pub yaml: String,
}
