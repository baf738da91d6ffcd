//! The vocabulary of Coditect: ids, names, intents, plans, phases and errors.
//!
//! Everything here is parsed once, at the edge, and valid from then on. This crate does no IO and
//! knows neither the transport (HTTP) nor the storage (registry, Git).

pub mod approval;
pub mod catalogue;
pub mod error;
pub mod health;
pub mod id;
pub mod intent;
pub mod name;
pub mod phase;
pub mod plan;
pub mod pod;
pub mod shard;
pub mod sidecar;
pub mod status;
pub mod version;

pub use approval::ApprovalReason;
pub use catalogue::{Catalogue, CellSummary, Entitlement, Readiness};
pub use error::{Error, Kind, Result};
pub use id::{
    AccountId, ApiKeyId, ChangeId, ConversationId, ErasureId, InvitationId, LoginId,
    RegistrationId, RequestId, SessionId, TenantId, UserId, WorkspaceId,
};
pub use intent::{Standing, UserIntent, WorkspaceIntent};
pub use name::{
    CellName, DisplayName, Email, ExternalId, FilePath, PlanName, ProviderName, ReleaseName,
    RingName, Slug, StorageClassName, TenantName, TermsVersion, WorkspaceName,
};
pub use phase::{Phase, Power};
pub use plan::{Limits, LimitsOverride, Plan, PodSize};
pub use shard::Shard;
pub use status::{Activity, Cause, Notice, NoticeKind, Reason, Step};
pub use version::{Epoch, Fence, Version};
