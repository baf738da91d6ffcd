//! A person: profile, credential, sign-ins, sign-up.

use coditect_core::{AccountId, DisplayName, Email, TenantId, TermsVersion, UserId, WorkspaceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Mark;

/// A person's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The address by which the account is unique.
    pub email: Email,
    /// What the person wants to be called.
    pub display_name: DisplayName,
    /// When the person was verified and the account made.
    pub created_at: Timestamp,
    /// Grows with every change; the entity tag of `/me`.
    pub revision: u64,
    /// Set while the account is on its way out by its person's request.
    #[serde(default)]
    pub mark: Option<Mark>,
    /// The terms that the person agreed to; none if they were shown none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<AcceptedTerms>,
    /// When the person first proved that the address is theirs; none: whoever signed up may be somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified_at: Option<Timestamp>,
}

/// Which terms a person agreed to, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedTerms {
    /// Their version.
    pub version: TermsVersion,
    /// When the person signed up with them.
    pub at: Timestamp,
}

/// How the person proves who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// An Argon2id hash in PHC string format.
    pub password_hash: String,
    /// When it was set.
    pub changed_at: Timestamp,
}

/// One sign-in: a family of refresh tokens of which one is current.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The number of the current token; each rotation adds one. Tokens are derived from it, not stored.
    pub counter: u64,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When the current token replaced the one before.
    pub rotated_at: Timestamp,
    /// In which tenant the person acts by it; none: where they joined first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
}

/// A sign-up and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// When the person asked.
    pub at: Timestamp,
    /// How far it is.
    pub state: RegistrationState,
}

/// How far a sign-up is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RegistrationState {
    /// Waits for the person to prove that the address is theirs. Nothing is provisioned.
    Pending {
        /// The address to prove.
        email: Email,
        /// The name asked for.
        display_name: DisplayName,
        /// The password's hash.
        password_hash: String,
        /// The terms agreed to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<AcceptedTerms>,
    },
    /// The address was taken. Looks pending from outside, so that nobody learns who has an account.
    Void,
    /// Account, user and first workspace exist.
    Complete {
        /// The account made.
        account: AccountId,
        /// Its own tenant.
        tenant: TenantId,
        /// Its membership there.
        user: UserId,
        /// Its first workspace.
        workspace: WorkspaceId,
        /// True once the sign-up's one sign-in was handed out.
        #[serde(default)]
        signed_in: bool,
    },
}
