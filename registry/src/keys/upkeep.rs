//! What has its time: sign-ups, grace periods, what expires, requests already done.

use coditect_core::{RegistrationId, RequestId, TenantId};
use foundationdb_tuple::unpack;
use jiff::Timestamp;
use uuid::Uuid;

use super::key;
use crate::store::{Key, KeyRange};

/// `registration/{id}`: a sign-up and how far it is; what its status URL shows.
#[must_use]
pub fn registration(registration: RegistrationId) -> Key {
    key(&("registration", registration.as_uuid()))
}

/// `registration_age/{hour}/{id}`: for the janitor.
#[must_use]
pub fn registration_age(at: Timestamp, registration: RegistrationId) -> Key {
    key(&(
        "registration_age",
        at.as_second() / 3600,
        registration.as_uuid(),
    ))
}
/// Every sign-up older than `before`, by whole hours.
#[must_use]
pub fn registrations_before(before: Timestamp) -> KeyRange {
    KeyRange {
        begin: KeyRange::below(&key(&("registration_age",))).begin,
        end: key(&("registration_age", before.as_second() / 3600)),
    }
}

/// `grace/{second}/{id}`: what is due for its tombstone then.
#[must_use]
pub fn grace(until: Timestamp, id: Uuid) -> Key {
    key(&("grace", until.as_second(), id))
}
/// Everything whose grace period ends at or before `now`.
#[must_use]
pub fn grace_until(now: Timestamp) -> KeyRange {
    KeyRange {
        begin: KeyRange::below(&key(&("grace",))).begin,
        end: key(&("grace", now.as_second() + 1)),
    }
}

/// `plan_change/{t}`: a change of plan that has not reached every user of the tenant.
#[must_use]
pub fn plan_change(tenant: TenantId) -> Key {
    key(&("plan_change", tenant.as_uuid()))
}
/// Every change of plan under way.
#[must_use]
pub fn plan_changes() -> KeyRange {
    KeyRange::below(&key(&("plan_change",)))
}

/// `txn/{request id}`: that this request was done, and its answer.
#[must_use]
pub fn transaction(request: RequestId) -> Key {
    key(&("txn", request.as_uuid()))
}
/// `txn_age/{hour}/{request id}`: for the janitor.
#[must_use]
pub fn transaction_age(at: Timestamp, request: RequestId) -> Key {
    key(&("txn_age", at.as_second() / 3600, request.as_uuid()))
}
/// Every request older than `before`, by whole hours.
#[must_use]
pub fn transactions_before(before: Timestamp) -> KeyRange {
    KeyRange {
        begin: KeyRange::below(&key(&("txn_age",))).begin,
        end: key(&("txn_age", before.as_second() / 3600)),
    }
}
/// The request behind a key of [`transaction_age`].
#[must_use]
pub fn request_of(key: &[u8]) -> Option<RequestId> {
    let (_, _, id): (String, i64, Uuid) = unpack(key).ok()?;
    Some(RequestId::from_bytes(*id.as_bytes()))
}

/// `expiry/{hour}/{what}/{name}`: what is to be forgotten in that hour, unless it was prolonged.
#[must_use]
pub fn expiry(at: Timestamp, what: &str, name: &str) -> Key {
    key(&("expiry", at.as_second().div_euclid(3600), what, name))
}
/// Everything to be forgotten in hours before that of `now`.
#[must_use]
pub fn expiries_before(now: Timestamp) -> KeyRange {
    KeyRange {
        begin: KeyRange::below(&key(&("expiry",))).begin,
        end: key(&("expiry", now.as_second().div_euclid(3600))),
    }
}
/// `purge/{t}/{id}`: what is removed in slices.
#[must_use]
pub fn purge(tenant: TenantId, id: Uuid) -> Key {
    key(&("purge", tenant.as_uuid(), id))
}
/// Everything of a tenant's that is removed in slices.
#[must_use]
pub fn purges_of(tenant: TenantId) -> KeyRange {
    KeyRange::below(&key(&("purge", tenant.as_uuid())))
}
/// Everything that is removed in slices.
#[must_use]
pub fn purges() -> KeyRange {
    KeyRange::below(&key(&("purge",)))
}
/// `discard/{second}/{id}`: bytes in object storage that nothing refers to any more, and from when on they may be
/// removed.
#[must_use]
pub fn discard(due: Timestamp, id: Uuid) -> Key {
    key(&("discard", due.as_second(), id))
}
/// All bytes to be removed from object storage at or before `now`.
#[must_use]
pub fn discards_until(now: Timestamp) -> KeyRange {
    KeyRange {
        begin: KeyRange::below(&key(&("discard",))).begin,
        end: key(&("discard", now.as_second() + 1)),
    }
}
