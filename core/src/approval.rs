//! Why a change of a user waits for a person's approval.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::WorkspaceId,
    name::{CellName, PlanName, StorageClassName},
};

/// A rule of the policy's `approvals.yaml` and what of a user it asks about. Ids and numbers only, so that it may stand in
/// Git and in a pull request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(
    tag = "what",
    rename_all = "snake_case",
    rename_all_fields = "snake_case"
)]
#[allow(missing_docs, reason = "the fields say what they are")]
pub enum ApprovalReason {
    /// The user comes onto this plan.
    Plan { plan: PlanName },
    /// A volume is to be larger than `above` GiB.
    Storage {
        workspace: WorkspaceId,
        gib: u32,
        above: u32,
    },
    /// A volume is to be of this class.
    StorageClass {
        workspace: WorkspaceId,
        class: StorageClassName,
    },
    /// The user is to have more than `above` workspaces.
    Workspaces { workspaces: u32, above: u32 },
    /// A volume is to be larger than the `limit` of the user's plan, in GiB.
    StorageAboveLimit {
        workspace: WorkspaceId,
        gib: u32,
        limit: u32,
    },
    /// The user is to have more workspaces than the `limit` of their plan.
    WorkspacesAboveLimit { workspaces: u32, limit: u32 },
    /// A new user on this cell.
    Cell { cell: CellName },
    /// More than `above` users of one tenant are changed at once.
    Users { users: u32, above: u32 },
    /// The user's file leaves Git, and no request of the person's own is behind it.
    Deletion,
}

/// Words that stand after "because".
impl fmt::Display for ApprovalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan { plan } => write!(f, "the plan becomes {plan}"),
            Self::Storage {
                workspace,
                gib,
                above,
            } => write!(
                f,
                "the volume of workspace {workspace} becomes {gib} GiB, above {above} GiB"
            ),
            Self::StorageClass { workspace, class } => {
                write!(
                    f,
                    "the volume of workspace {workspace} is of the class {class}"
                )
            }
            Self::Workspaces { workspaces, above } => {
                write!(
                    f,
                    "the user comes to {workspaces} workspaces, above {above}"
                )
            }
            Self::StorageAboveLimit {
                workspace,
                gib,
                limit,
            } => write!(
                f,
                "the volume of workspace {workspace} becomes {gib} GiB, above the plan's {limit} GiB"
            ),
            Self::WorkspacesAboveLimit { workspaces, limit } => write!(
                f,
                "the user comes to {workspaces} workspaces, above the plan's {limit}"
            ),
            Self::Cell { cell } => write!(f, "the user is new on cell {cell}"),
            Self::Users { users, above } => write!(
                f,
                "{users} users of one tenant change at once, above {above}"
            ),
            Self::Deletion => {
                f.write_str("the user's file leaves Git without a request of their own")
            }
        }
    }
}
