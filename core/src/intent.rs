//! What the registry wants for a user, free of personal data. It is what Git records beside the manifests.

use serde::{Deserialize, Serialize};

use crate::{
    id::{TenantId, UserId, WorkspaceId},
    name::{CellName, PlanName, RingName, Slug, StorageClassName},
    shard::Shard,
};

/// Whether a user or workspace is in use, held, or on its way out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// In use.
    #[default]
    Active,
    /// Held: a quota of zero pods (abuse, left the organisation). Files are kept.
    Suspended,
    /// Marked for deletion: no pod, files kept until the grace period ends and a tombstone is written.
    Marked,
}

impl Standing {
    /// True for the usual case, which Git leaves out.
    #[must_use]
    pub fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

/// A user as the renderer sees them. Same intent, same policy, same templates: same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserIntent {
    /// The user; names the namespace and the file.
    pub user: UserId,
    /// The tenant that pays and whose overrides apply.
    pub tenant: TenantId,
    /// The cell that holds the user; never changes.
    pub cell: CellName,
    /// The directory of the user's file; never changes.
    pub shard: Shard,
    /// Grows with every change of the intent.
    pub generation: u64,
    /// The plan whose limits apply.
    pub plan: PlanName,
    /// A ring chosen by hand; otherwise a hash of the id decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<RingName>,
    /// In use, held, or marked for deletion.
    #[serde(default, skip_serializing_if = "Standing::is_active")]
    pub standing: Standing,
    /// The user's workspaces, in ascending order of id.
    pub workspaces: Vec<WorkspaceIntent>,
}

/// One workspace as the renderer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkspaceIntent {
    /// The workspace; names its objects.
    pub id: WorkspaceId,
    /// Its host name's first label; generated, never given out again.
    pub slug: Slug,
    /// Provisioned size of the volume in GiB: a high-water mark, because a volume never shrinks.
    pub storage_gib: u32,
    /// The volume's class; fixed at creation, because a volume never changes class.
    pub storage_class: StorageClassName,
    /// In use, held, or marked for deletion.
    #[serde(default, skip_serializing_if = "Standing::is_active")]
    pub standing: Standing,
}

impl UserIntent {
    /// The path of the user's file in the cell's repository: `shards/<shard>/<user>.yaml`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("shards/{}/{}.yaml", self.shard, self.user)
    }

    /// The workspace of this id, if the user has it.
    #[must_use]
    pub fn workspace(&self, id: WorkspaceId) -> Option<&WorkspaceIntent> {
        self.workspaces.iter().find(|workspace| workspace.id == id)
    }

    /// Adds or replaces a workspace, keeping the order by id.
    pub fn put_workspace(&mut self, workspace: WorkspaceIntent) {
        match self
            .workspaces
            .binary_search_by_key(&workspace.id, |have| have.id)
        {
            Ok(at) => self.workspaces[at] = workspace,
            Err(at) => self.workspaces.insert(at, workspace),
        }
    }
}
