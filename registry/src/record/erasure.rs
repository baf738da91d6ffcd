//! What is left of an erased person.

use coditect_core::{AccountId, CellName, TenantId, UserId, WorkspaceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::IdentityHash;

/// The erasure of a person: their receipt, and what a restore must erase again. Ids, and hashes that only who has
/// the key can compare with an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// When.
    pub at: Timestamp,
    /// Whose account; ends with this erasure if `complete`.
    pub account: AccountId,
    /// True if nothing is left of the account; false if only some of its users were due.
    pub complete: bool,
    /// The users that were deleted.
    pub users: Vec<ErasedUser>,
    /// How many records of [`ErasedUsers`] hold the rest of them; 0 once they are together.
    #[serde(default)]
    pub further: u32,
    /// The person's addresses and linked identities.
    pub identities: Vec<IdentityHash>,
    /// What was kept.
    pub kept: Vec<Kept>,
}

/// Further users of an erasure of more than one value holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedUsers {
    /// The users.
    pub users: Vec<ErasedUser>,
}

/// A user that was deleted with a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedUser {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The user's cell.
    pub cell: CellName,
    /// Its workspaces.
    pub workspaces: Vec<WorkspaceId>,
}

/// Something that outlives the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What, in the words of the key layout (`invoice/{t}/{invoice}`).
    pub what: String,
    /// Why.
    pub why: String,
    /// How many of them, if that was counted.
    pub count: Option<u64>,
    /// Until when; none: for ever.
    pub until: Option<Timestamp>,
}
