//! What is kept beyond the person: invoices, erasures, what Stripe told.

use coditect_core::{ErasureId, ExternalId, TenantId};

use super::key;
use crate::{
    record::IdentityHash,
    store::{Key, KeyRange},
};

/// `invoice/{t}/{invoice}`: what law requires to be kept, by ids.
#[must_use]
pub fn invoice(tenant: TenantId, invoice: &ExternalId) -> Key {
    key(&("invoice", tenant.as_uuid(), invoice.as_str()))
}
/// Every invoice of the tenant.
#[must_use]
pub fn invoices(tenant: TenantId) -> KeyRange {
    KeyRange::below(&key(&("invoice", tenant.as_uuid())))
}
/// `invoice_customer/{id}` → the tenant that the customer was, when it ended: its last invoice may come later.
#[must_use]
pub fn invoice_customer(customer: &ExternalId) -> Key {
    key(&("invoice_customer", customer.as_str()))
}
/// `stripe_event/{id}`: that an event of Stripe's was dealt with.
#[must_use]
pub fn stripe_event(event: &ExternalId) -> Key {
    key(&("stripe_event", event.as_str()))
}
/// `erasure/{id}`: what a restore must erase again.
#[must_use]
pub fn erasure(erasure: ErasureId) -> Key {
    key(&("erasure", erasure.as_uuid()))
}
/// `erasure_users/{e}/{n}`: the users of an erasure that its own record has no room for, from 1.
#[must_use]
pub fn erasure_users(erasure: ErasureId, number: u32) -> Key {
    key(&("erasure_users", erasure.as_uuid(), number))
}
/// Every erasure there was.
#[must_use]
pub fn erasures() -> KeyRange {
    KeyRange::below(&key(&("erasure",)))
}
/// `erased/{hash}` → the erasure of whoever had the identity.
#[must_use]
pub fn erased(identity: &IdentityHash) -> Key {
    key(&("erased", identity.as_str()))
}
