//! Who may become a member of a tenant.

use coditect_core::{AccountId, Email};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Role;

/// An offer to become a member of a tenant, to one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Only an account with this proved address may accept.
    pub email: Email,
    /// What the member will be.
    pub role: Role,
    /// Who invites.
    pub by: AccountId,
    /// The hash of what was sent to the address.
    pub proof_hash: String,
    /// When it was made.
    pub at: Timestamp,
    /// Until when it may be accepted.
    pub expires_at: Timestamp,
}
