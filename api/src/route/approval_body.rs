//! What waits for people's approval, as shown.

use coditect_core::ChangeId;
use coditect_registry::record::{ApprovalState, AwaitedApproval};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// How far a change is that waits for approval.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApprovalState)]
pub(super) enum ApprovalStateName {
    /// Nobody has been asked yet.
    Waiting,
    /// People are asked.
    Proposed,
    /// People agreed; it is published within moments.
    Approved,
    /// People declined. It waits on until something else is wanted, or until they agree after all.
    Rejected,
    /// Nobody wants it any more.
    Overtaken,
}

impl From<&ApprovalState> for ApprovalStateName {
    fn from(state: &ApprovalState) -> Self {
        match state {
            ApprovalState::Waiting => Self::Waiting,
            ApprovalState::Proposed { .. } => Self::Proposed,
            ApprovalState::Approved { .. } => Self::Approved,
            ApprovalState::Rejected { .. } => Self::Rejected,
            ApprovalState::Overtaken => Self::Overtaken,
        }
    }
}

/// What of a user waits for people's approval. What was published before stands meanwhile.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = AwaitedApproval)]
pub(super) struct AwaitedApprovalBody {
    /// The change that people are asked about.
    #[schema(value_type = Uuid)]
    change: ChangeId,
    state: ApprovalStateName,
    since: Timestamp,
    /// Why it needs an approval, a sentence each.
    #[schema(example = json!(["the plan becomes pro"]))]
    reasons: Vec<String>,
    /// True if nothing of the user is published before.
    first: bool,
    /// Where people discuss and decide it, such as a pull request; not everybody may see that.
    url: Option<String>,
}

impl AwaitedApprovalBody {
    pub(super) fn new((awaited, state): &(AwaitedApproval, ApprovalState)) -> Self {
        let reasons = awaited.asked.reasons.iter();
        Self {
            change: awaited.change,
            state: state.into(),
            since: awaited.since,
            reasons: reasons.map(ToString::to_string).collect(),
            first: awaited.before.is_none(),
            url: match state {
                ApprovalState::Proposed { url, .. } => url.clone(),
                ApprovalState::Waiting
                | ApprovalState::Approved { .. }
                | ApprovalState::Rejected { .. }
                | ApprovalState::Overtaken => None,
            },
        }
    }
}
