//! What the registry remembers, one type for each kind of record.

mod account;
mod approval;
mod billing;
mod cell;
mod counted;
mod erasure;
mod expiring;
mod file;
mod gateway;
mod identity;
mod identity_hash;
mod inspect;
mod llm;
mod member;
mod observed;
mod purge;
mod rollout;
mod session;
mod tenant;
mod workspace;

use coditect_core::{
    AccountId, Activity, Epoch, ErasureId, RegistrationId, TenantId, UserId, Version, WorkspaceId,
};
use serde::{Serialize, de::DeserializeOwned};

pub use account::{AcceptedTerms, Account, Credential, Login, Registration, RegistrationState};
pub use approval::{ApprovalRequest, ApprovalState, ApprovalUser, AwaitedApproval};
pub use billing::{Billing, Invoice, License, PlanChange, StripeEvent, UsageKind};
pub use cell::{Committed, IntentRow, Landed, Lease, Requested, Tombstone};
pub use counted::{Count, Counted, CountedBy};
pub use erasure::{ErasedUser, ErasedUsers, Erasure, Kept};
pub use expiring::Expiring;
pub use file::{
    Discard, FileMetadata, FileRestore, FileRestores, LONGEST_UPLOAD, Snapshot, Upload,
    object_name, object_prefix,
};
pub use gateway::{Gateway, TakenBatch};
pub use identity::{EmailChange, LinkedIdentity, PasswordReset, SecondFactor, SignIn};
pub use identity_hash::{IdentityHash, IdentityKey};
pub use inspect::inspect;
pub use llm::{Author, Conversation, Message, MessageChunk};
pub use member::Invitation;
pub use observed::{CellState, Quarantine, ReapEntry, Restart, RingRelease};
pub use purge::Purge;
pub use rollout::{
    Rollout, RolloutCommit, RolloutRestart, RolloutRing, RolloutState, RolloutTerms,
};
pub use session::{ApiKey, ApiKeyPlace, Session};
pub use tenant::{
    Action, AuditEntry, Custody, Grace, Mark, PLATFORM, Revocation, Role, Tenant,
    TransactionRecord, User, UserPlace, WorkspacePlace,
};
pub use workspace::{Metering, PowerCause, PowerState, Status, Workspace};

use crate::store::StoreError;

/// A value of the store: one byte of schema version, then JSON.
///
/// JSON because an operator must be able to read an export; the version byte because a value outlives the
/// code that wrote it.
pub trait Record: Serialize + DeserializeOwned {
    /// The version that is written now.
    const VERSION: u8 = 1;

    /// Makes a record of a value written by older code. The default knows only the present version;
    /// serde's defaults take care of added fields.
    ///
    /// # Errors
    /// What is wrong with the value.
    fn read(version: u8, json: &[u8]) -> Result<Self, String> {
        if version != Self::VERSION {
            return Err(format!(
                "schema version {version} is not known; this program reads up to {}",
                Self::VERSION
            ));
        }
        serde_json::from_slice(json).map_err(|error| error.to_string())
    }
}

macro_rules! records {
    ($($name:ty),* $(,)?) => { $(impl Record for $name {})* };
}
records!(
    Account,
    Credential,
    Login,
    Registration,
    Committed,
    IntentRow,
    Lease,
    Tombstone,
    AuditEntry,
    Grace,
    Tenant,
    TransactionRecord,
    User,
    UserPlace,
    WorkspacePlace,
    PowerState,
    Status,
    Metering,
    Gateway,
    Workspace,
    Activity,
    Quarantine,
    ApprovalRequest,
    AwaitedApproval,
    ReapEntry,
    Restart,
    CellState,
    LinkedIdentity,
    SecondFactor,
    EmailChange,
    PasswordReset,
    SignIn,
    Session,
    ApiKey,
    ApiKeyPlace,
    License,
    PlanChange,
    Billing,
    Invoice,
    StripeEvent,
    FileMetadata,
    Snapshot,
    FileRestores,
    Discard,
    Purge,
    Conversation,
    Message,
    MessageChunk,
    Invitation,
    Erasure,
    ErasedUsers,
    Expiring,
    Rollout,
    Revocation,
    Counted,
    CountedBy,
    ErasureId,
    Epoch,
    Version,
    AccountId,
    TenantId,
    UserId,
    WorkspaceId,
    RegistrationId,
);

/// The bytes of a record.
///
/// # Errors
/// `TooLarge` if it cannot be written as JSON (a map with keys that are no strings: a defect).
pub fn encode<T: Record>(record: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![T::VERSION];
    serde_json::to_writer(&mut bytes, record)
        .map_err(|error| StoreError::TooLarge(format!("a record cannot be encoded: {error}")))?;
    Ok(bytes)
}

/// The record in these bytes.
///
/// # Errors
/// `Corrupt` if they hold none.
pub fn decode<T: Record>(bytes: &[u8]) -> Result<T, StoreError> {
    let (version, json) = bytes
        .split_first()
        .ok_or_else(|| StoreError::Corrupt("an empty value".into()))?;
    T::read(*version, json)
        .map_err(|why| StoreError::Corrupt(format!("{}: {why}", std::any::type_name::<T>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_versions_are_named_not_guessed() {
        let user = UserId::random();
        let mut bytes = encode(&user).unwrap();
        assert_eq!(decode::<UserId>(&bytes).unwrap(), user);
        bytes[0] = 9;
        assert!(
            decode::<UserId>(&bytes)
                .unwrap_err()
                .to_string()
                .contains("schema version 9")
        );
        assert!(decode::<UserId>(&[]).is_err());
    }
}
