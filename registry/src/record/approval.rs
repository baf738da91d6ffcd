//! Changes that wait for a person's approval.

use coditect_core::{ApprovalReason, CellName, ChangeId, TenantId, UserId, UserIntent};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a change is kept that nobody waits for any more.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A change that waits for approval: one or several users of one tenant. Ids and hashes only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// Which one it is; names the file `approvals/<change>.yaml` in the policy.
    pub change: ChangeId,
    /// The cell of its users.
    pub cell: CellName,
    /// The tenant of its users.
    pub tenant: TenantId,
    /// Whose intents it is about, in order of id; what a reviewer is shown. Who of them still waits for it their own
    /// [`AwaitedApproval`] says.
    pub users: Vec<ApprovalUser>,
    /// How far it is.
    pub state: ApprovalState,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
    /// Grows with every write; whoever moves the change names the one they have read.
    pub revision: u64,
}

impl ApprovalRequest {
    /// When a change that nobody waits for any more is forgotten.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.changed_at + KEPT
    }
}

/// One user of a change that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalUser {
    /// Whose intent it is.
    pub user: UserId,
    /// Its generation.
    pub generation: u64,
    /// The SHA-256 of the intent in hexadecimal, as the renderer computes it.
    pub intent_hash: String,
    /// Which rules ask for the approval.
    pub reasons: Vec<ApprovalReason>,
}

/// How far a change is that waits for approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "state",
    rename_all = "snake_case",
    rename_all_fields = "snake_case"
)]
pub enum ApprovalState {
    /// Known to the registry alone.
    Waiting,
    /// It stands on a branch of the policy repository, for people to look at.
    Proposed {
        /// The branch.
        branch: String,
        /// Where people look at it; none if the host of the repository has no such page.
        url: Option<String>,
    },
    /// People agreed, for everyone who still waited. Final.
    Approved {
        /// The commit of the policy that holds the approval, in hexadecimal.
        commit: String,
    },
    /// People declined, or merged an approval that leaves somebody out: whom it names has passed all the same. Who still
    /// waits does so until they want something else, or until people agree after all.
    Rejected {
        /// When.
        at: Timestamp,
    },
    /// No user wants it any more: they want something else, are gone, or no rule asks any longer. Final.
    Overtaken,
}

impl ApprovalState {
    /// True if nothing becomes of it any more.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Approved { .. } | Self::Overtaken)
    }

    /// The state in one word, as it is stored.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Proposed { .. } => "proposed",
            Self::Approved { .. } => "approved",
            Self::Rejected { .. } => "rejected",
            Self::Overtaken => "overtaken",
        }
    }
}

/// What a user waits for. There is one as long as the user waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitedApproval {
    /// The change that holds it.
    pub change: ChangeId,
    /// What is asked.
    pub asked: ApprovalUser,
    /// The intent that was published before, which stands meanwhile; none if the user has no file yet.
    pub before: Option<UserIntent>,
    /// Since when the user waits.
    pub since: Timestamp,
}
