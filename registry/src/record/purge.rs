//! What is removed in slices.

use coditect_core::{ConversationId, TenantId, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::{keys, store::KeyRange};

/// Something that nothing leads to any more and that is too much to be removed in one transaction, by ids alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are ids")]
pub enum Purge {
    /// All messages of a user.
    History { tenant: TenantId, user: UserId },
    /// All messages of a conversation.
    Conversation {
        tenant: TenantId,
        user: UserId,
        conversation: ConversationId,
    },
    /// All files of a workspace.
    Files {
        tenant: TenantId,
        user: UserId,
        workspace: WorkspaceId,
    },
}

impl Purge {
    /// Whose it was.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        match self {
            Self::History { tenant, .. }
            | Self::Conversation { tenant, .. }
            | Self::Files { tenant, .. } => *tenant,
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn range(&self) -> KeyRange {
        match self {
            Self::History { tenant, user } => keys::llm_history(*tenant, *user),
            Self::Conversation {
                tenant,
                user,
                conversation,
            } => keys::messages(*tenant, *user, *conversation),
            Self::Files {
                tenant,
                user,
                workspace,
            } => keys::files(*tenant, *user, *workspace),
        }
    }
}
