//! A tenant, its users, and what was decided.

use coditect_core::{
    AccountId, ApiKeyId, CellName, ChangeId, ErasureId, ExternalId, InvitationId, LoginId,
    PlanName, ProviderName, Shard, TenantId, TenantName, UserId, WorkspaceId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PowerCause;

/// An organisation, or one person's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// What its people call it, if they have named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<TenantName>,
    /// The plan it pays for.
    pub plan: PlanName,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a user may do in a tenant.
///
/// Ordered: who may more is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May use workspaces.
    #[default]
    Member,
    /// May manage members.
    Admin,
    /// Pays and may hand everything over.
    Owner,
}

/// That something is on its way out, and until when that can be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When it was marked.
    pub at: Timestamp,
    /// When the tombstone is written.
    pub until: Timestamp,
    /// True if the person's own, freshly authenticated request is behind it: such deletions have a budget
    /// of their own.
    pub requested: bool,
}

/// An account's membership in one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Whose membership it is.
    pub account: AccountId,
    /// What they may do there.
    pub role: Role,
    /// The cell that holds the user.
    pub cell: CellName,
    /// The directory of the user's file.
    pub shard: Shard,
    /// When they joined.
    pub joined_at: Timestamp,
    /// Set while the user is on its way out: of the removal and the person's own request, what is due first.
    #[serde(default)]
    pub mark: Option<Mark>,
    /// Set while the membership is ended, by the member or by somebody else. Only who manages members takes it back.
    #[serde(default)]
    pub removal: Option<Mark>,
    /// Set once somebody left this user behind and `account` was given it.
    #[serde(default)]
    pub custody: Option<Custody>,
    /// Since when an administrator of the platform holds the user: nothing of it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Timestamp>,
}

impl User {
    /// True if it is a member who is not on their way out.
    #[must_use]
    pub const fn stays(&self) -> bool {
        self.mark.is_none() && self.custody.is_none()
    }

    /// The role that is needed at least to decide about this user: of the member, or of whoever left it behind.
    #[must_use]
    pub fn rank(&self) -> Role {
        self.custody
            .map_or(self.role, |custody| custody.role.max(self.role))
    }
}

/// That a user was left behind and given to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custody {
    /// Since when.
    pub since: Timestamp,
    /// True if it was given to the organisation: the account that has it is one of its owners, and another takes
    /// over when that one leaves.
    pub organisation: bool,
    /// What whoever left it behind was: who may less does not decide about it.
    #[serde(default)]
    pub role: Role,
}

/// A sign-in that ended before its time, so that whoever let it in shuts it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revocation {
    /// Whose sign-in.
    pub account: AccountId,
    /// Which.
    pub login: LoginId,
    /// When it ended.
    pub at: Timestamp,
}

/// Where a user is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserPlace {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user's cell.
    pub cell: CellName,
}

/// Where a workspace is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspacePlace {
    /// The workspace's tenant.
    pub tenant: TenantId,
    /// The workspace's user.
    pub user: UserId,
    /// The workspace's cell.
    pub cell: CellName,
}

/// What is due when its grace period ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Grace {
    /// An account, with whatever users it still has.
    Account {
        /// The account.
        account: AccountId,
    },
    /// A user with all their workspaces.
    User {
        /// The user.
        user: UserId,
    },
    /// One workspace.
    Workspace {
        /// The workspace.
        workspace: WorkspaceId,
    },
}

/// That a request was done, so that a retry finds its answer instead of doing it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionRecord {
    /// When it was done.
    pub at: Timestamp,
    /// Which operation it was, so that one request id is never taken for two.
    pub operation: String,
    /// Its answer, as JSON; ids only.
    pub output: serde_json::Value,
}

/// Under this id stands the audit of what belongs to no tenant, and of what administrators of the platform do.
pub const PLATFORM: TenantId = TenantId::from_bytes([0; 16]);

/// Who decided what. Ids only: an audit outlives the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who; none for the system itself.
    pub actor: Option<AccountId>,
    /// What.
    #[serde(flatten)]
    pub action: Action,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[allow(missing_docs, reason = "each says what it is; the fields are ids")]
pub enum Action {
    SignedUp {
        user: UserId,
        workspace: WorkspaceId,
    },
    ProfileChanged,
    PersonalCopyTaken,
    PasswordChanged,
    PasswordReset,
    EmailChanged,
    SignedIn {
        login: LoginId,
    },
    SignedOut {
        login: LoginId,
    },
    SignedOutElsewhere {
        logins: Vec<LoginId>,
    },
    /// An old refresh token was used again: the sign-in was ended.
    SignInRevoked {
        login: LoginId,
    },
    IdentityLinked {
        provider: ProviderName,
    },
    IdentityUnlinked {
        provider: ProviderName,
    },
    /// The owner of an address that nobody had proved came by a provider: every other way in was shut.
    AccountReclaimed {
        provider: ProviderName,
    },
    SecondFactorEnabled,
    SecondFactorRemoved,
    RecoveryCodeUsed,
    ApiKeyIssued {
        user: UserId,
        api_key: ApiKeyId,
    },
    ApiKeyRevoked {
        user: UserId,
        api_key: ApiKeyId,
    },
    MemberInvited {
        invitation: InvitationId,
        role: Role,
    },
    InvitationRevoked {
        invitation: InvitationId,
    },
    InvitationDeclined {
        invitation: InvitationId,
    },
    MemberJoined {
        user: UserId,
        workspace: WorkspaceId,
        invitation: InvitationId,
    },
    MemberRemoved {
        user: UserId,
    },
    MemberLeft {
        user: UserId,
    },
    MemberRestored {
        user: UserId,
    },
    RoleChanged {
        user: UserId,
        role: Role,
    },
    /// Nobody else was left to own the tenant.
    OwnerSucceeded {
        user: UserId,
    },
    UserHandedOver {
        user: UserId,
        to: AccountId,
        organisation: bool,
    },
    AccountErased {
        erasure: ErasureId,
    },
    CustomerLinked {
        customer: ExternalId,
    },
    SubscriptionChanged {
        event: ExternalId,
    },
    WorkspaceCreated {
        workspace: WorkspaceId,
    },
    WorkspaceRenamed {
        workspace: WorkspaceId,
    },
    /// A file's earlier contents were removed. Which file's is not kept: its name is the person's.
    FileForgotten {
        workspace: WorkspaceId,
    },
    /// An earlier content of a file was asked for.
    FileWantedBack {
        workspace: WorkspaceId,
    },
    WorkspaceStarted {
        workspace: WorkspaceId,
    },
    WorkspaceStopped {
        workspace: WorkspaceId,
    },
    WorkspaceKept {
        workspace: WorkspaceId,
    },
    WorkspaceSuspended {
        workspace: WorkspaceId,
        cause: PowerCause,
    },
    WorkspaceMarked {
        workspace: WorkspaceId,
    },
    WorkspaceRestored {
        workspace: WorkspaceId,
    },
    WorkspaceDeleted {
        workspace: WorkspaceId,
    },
    UserMarked {
        user: UserId,
    },
    UserRestored {
        user: UserId,
    },
    UserDeleted {
        user: UserId,
    },
    /// By an administrator of the platform.
    UserHeld {
        user: UserId,
    },
    /// By an administrator of the platform.
    UserLetGo {
        user: UserId,
    },
    /// By an administrator of the platform: their address and name.
    UserLookedAt {
        user: UserId,
    },
    UserAdopted {
        user: UserId,
    },
    UserQuarantined {
        user: UserId,
        generation: u64,
    },
    QuarantineLifted {
        user: UserId,
    },
    ApprovalRequested {
        change: ChangeId,
        user: UserId,
        generation: u64,
    },
    ApprovalGranted {
        change: ChangeId,
    },
    ApprovalDeclined {
        change: ChangeId,
    },
    PlanChanged {
        plan: PlanName,
    },
    /// The name itself is not kept: people choose it.
    TenantRenamed,
    StorageRaised {
        user: UserId,
        workspace: WorkspaceId,
        gib: u32,
    },
    IndexRepaired {
        kind: String,
        id: Option<uuid::Uuid>,
    },
}
