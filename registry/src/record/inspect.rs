//! Decodes a value by the kind of its key.

use coditect_core::{
    AccountId, Activity, Epoch, ErasureId, TenantId, UserId, Version, WorkspaceId,
};
use serde_json::Value;

use super::{
    Account, ApiKey, ApiKeyPlace, ApprovalRequest, AuditEntry, AwaitedApproval, Billing, CellState,
    Committed, Conversation, Counted, CountedBy, Credential, Discard, EmailChange, ErasedUsers,
    Erasure, Expiring, FileMetadata, FileRestores, Gateway, Grace, IntentRow, Invitation, Invoice,
    Lease, License, LinkedIdentity, Login, Message, MessageChunk, Metering, PasswordReset,
    PlanChange, PowerState, Purge, Quarantine, ReapEntry, Record, Registration, Restart,
    Revocation, Rollout, SecondFactor, Session, SignIn, Snapshot, Status, StripeEvent, Tenant,
    Tombstone, TransactionRecord, User, UserPlace, Workspace, WorkspacePlace, decode,
};
use crate::store::StoreError;

/// The value of a key of this kind (a pattern of [`crate::keys::layout`]) as JSON: the record as it is understood
/// now, however old it is, or the number. Never panics, whatever the bytes.
///
/// # Errors
/// `Corrupt` if the value is no such record, or the layout has no such pattern.
pub fn inspect(pattern: &str, value: &[u8]) -> Result<Value, StoreError> {
    decoder(pattern)
        .ok_or_else(|| StoreError::Corrupt(format!("no key has the pattern {pattern}")))?(value)
}

type Decoder = fn(&[u8]) -> Result<Value, StoreError>;

fn record<T: Record>(value: &[u8]) -> Result<Value, StoreError> {
    let record: T = decode(value)?;
    serde_json::to_value(&record)
        .map_err(|error| StoreError::Corrupt(format!("{}: {error}", std::any::type_name::<T>())))
}

fn number(value: &[u8]) -> Result<Value, StoreError> {
    let bytes = value
        .try_into()
        .map_err(|_| StoreError::Corrupt("a counter that is not eight bytes".into()))?;
    Ok(i64::from_le_bytes(bytes).into())
}

fn decoder(pattern: &str) -> Option<Decoder> {
    Some(match pattern {
        "epoch" => record::<Epoch>,
        "import" => record::<crate::dump::ImportState>,
        "import/progress" => record::<crate::dump::Progress>,
        "account/{a}/profile" => record::<Account>,
        "account/{a}/credential" => record::<Credential>,
        "account/{a}/second_factor" => record::<SecondFactor>,
        "account/{a}/email_change" => record::<EmailChange>,
        "account/{a}/password_reset" => record::<PasswordReset>,
        "account/{a}/provider/{provider}" => record::<LinkedIdentity>,
        "account/{a}/refresh/{family}" => record::<Login>,
        "account/{a}/sign_in/{family}" => record::<SignIn>,
        "registration/{registration}" => record::<Registration>,
        "registration_age/{hour}/{registration}"
        | "address/{email}/registration/{registration}"
        | "account/{a}/registration/{registration}" => record::<coditect_core::RegistrationId>,
        "address/{email}/invitation/{t}/{i}" => record::<TenantId>,
        "email/{email}"
        | "oauth/{provider}/{subject}"
        | "tenant/{t}/member/{u}"
        | "tenant/{t}/staying/{n}/{ts}/{u}" => record::<AccountId>,
        "slug/{slug}" => record::<WorkspaceId>,
        "stripe_customer/{customer}" | "custody/{a}/{u}" => record::<TenantId>,
        "api_key/{hash}" => record::<ApiKeyPlace>,
        "membership/{a}/{t}" => record::<UserId>,
        "user/{u}" => record::<UserPlace>,
        "workspace/{w}" => record::<WorkspacePlace>,
        "tenant/{t}/profile" => record::<Tenant>,
        "tenant/{t}/invitation/{i}" => record::<Invitation>,
        "tenant/{t}/license" | "tenant/{t}/license_history/{n}" => record::<License>,
        "plan_change/{t}" => record::<PlanChange>,
        "tenant/{t}/billing" => record::<Billing>,
        "tenant/{t}/user/{u}/profile" => record::<User>,
        "tenant/{t}/user/{u}/usage/{month}/{kind}"
        | "tenant/{t}/user/{u}/workspace/{w}/file_count"
        | "tenant/{t}/user/{u}/workspace/{w}/snapshot_bytes"
        | "cell/{cell}/load"
        | "change_signal/{cell}"
        | "power_signal/{cell}"
        | "revocation_signal"
        | "counted_signal" => number,
        "tenant/{t}/user/{u}/sessions/{s}" => record::<Session>,
        "tenant/{t}/user/{u}/api_keys/{k}" => record::<ApiKey>,
        "tenant/{t}/user/{u}/conversations/{conversation}" => record::<Conversation>,
        "tenant/{t}/user/{u}/llm_history/{conversation}/messages/{n}" => record::<Message>,
        "tenant/{t}/user/{u}/llm_history/{conversation}/messages/{n}/{chunk}" => {
            record::<MessageChunk>
        }
        "tenant/{t}/user/{u}/workspace/{w}/profile" => record::<Workspace>,
        "tenant/{t}/user/{u}/workspace/{w}/status" => record::<Status>,
        "tenant/{t}/user/{u}/workspace/{w}/power" => record::<PowerState>,
        "tenant/{t}/user/{u}/workspace/{w}/metering" => record::<Metering>,
        "tenant/{t}/user/{u}/workspace/{w}/gateway" => record::<Gateway>,
        "tenant/{t}/user/{u}/workspace/{w}/restores" => record::<FileRestores>,
        "tenant/{t}/user/{u}/workspace/{w}/files/{path}/metadata" => record::<FileMetadata>,
        "tenant/{t}/user/{u}/workspace/{w}/files/{path}/snapshots/{ts}" => record::<Snapshot>,
        "cell/{cell}/user/{u}" => record::<IntentRow>,
        "cell/{cell}/committed/{u}" => record::<Committed>,
        "change/{cell}/{version}" => record::<UserId>,
        "power/{cell}/{version}" => record::<WorkspaceId>,
        "revocation/{version}" => record::<Revocation>,
        "counted/{version}" => record::<Counted>,
        "counted_by/{process}" => record::<CountedBy>,
        "feed_floor/{cell}"
        | "published/{cell}"
        | "power_floor/{cell}"
        | "revocation_floor"
        | "txn_age/{hour}/{request}" => record::<Version>,
        "lease/{cell}" => record::<Lease>,
        "activity/{cell}/{w}" => record::<Activity>,
        "quarantine/{cell}/{u}" => record::<Quarantine>,
        "approval/{cell}/{change}" => record::<ApprovalRequest>,
        "awaited_approval/{cell}/{u}" => record::<AwaitedApproval>,
        "restart/{cell}" => record::<Restart>,
        "cell_state/{cell}" => record::<CellState>,
        "rollout/{release}" => record::<Rollout>,
        "tombstone/{cell}/{id}" => record::<Tombstone>,
        "reap/{cell}/{id}" => record::<ReapEntry>,
        "grace/{second}/{id}" => record::<Grace>,
        "expiry/{hour}/{what}/{name}" => record::<Expiring>,
        "purge/{t}/{id}" => record::<Purge>,
        "discard/{second}/{id}" => record::<Discard>,
        "txn/{request}" => record::<TransactionRecord>,
        "audit/{t}/{version}" => record::<AuditEntry>,
        "invoice/{t}/{invoice}" => record::<Invoice>,
        "stripe_event/{event}" => record::<StripeEvent>,
        "erasure/{e}" => record::<Erasure>,
        "erasure_users/{e}/{n}" => record::<ErasedUsers>,
        "invoice_customer/{customer}" => record::<TenantId>,
        "erased/{hash}" => record::<ErasureId>,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys;

    #[test]
    fn every_kind_of_key_can_be_inspected() {
        for kind in keys::layout() {
            assert!(decoder(kind.pattern).is_some(), "{}", kind.pattern);
        }
    }

    proptest! {
        #[test]
        fn hostile_values_are_refused_and_nothing_worse(version: u8, value: Vec<u8>, text in ".{0,64}") {
            for kind in keys::layout() {
                let _ = inspect(kind.pattern, &value);
                let _ = inspect(kind.pattern, &[&[version], text.as_bytes()].concat());
            }
        }
    }

    #[test]
    fn deeply_nested_values_are_refused() {
        let deep = [vec![1], vec![b'['; 100_000]].concat();
        for kind in keys::layout() {
            assert!(inspect(kind.pattern, &deep).is_err(), "{}", kind.pattern);
        }
    }
}
