//! How a person proves who they are, beside the password, and what waits for a proof.

use std::net::IpAddr;

use coditect_core::{Email, ExternalId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Somebody else's sign-in that the account may be entered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedIdentity {
    /// The provider's id of the person.
    pub subject: ExternalId,
    /// When it was linked.
    pub linked_at: Timestamp,
}

/// A second factor: a time-based one-time password (RFC 6238) with recovery codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// The shared secret, encrypted by the caller: whoever reads the registry cannot make codes.
    pub sealed_secret: String,
    /// When the person showed a code of it; none: it is not asked for yet.
    pub confirmed_at: Option<Timestamp>,
    /// The newest time step of which a code was used; no code of it or an earlier one is taken again (RFC 6238,
    /// section 5.2).
    pub last_step: u64,
    /// Hashes of the recovery codes that are left.
    pub recovery: Vec<String>,
}

/// An address that becomes the account's when it is proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailChange {
    /// The address asked for.
    pub email: Email,
    /// The hash of what was sent there.
    pub proof_hash: String,
    /// Until when it may be shown.
    pub expires_at: Timestamp,
}

/// A forgotten password that may be replaced by whoever gets the account's mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordReset {
    /// The hash of what was sent.
    pub proof_hash: String,
    /// Until when it may be shown.
    pub expires_at: Timestamp,
}

/// From where somebody signed in. Kept for 30 days, whether or not the sign-in lives, so that a person can tell
/// their own sign-ins from others'.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// When.
    pub at: Timestamp,
    /// The network address, if it was known.
    pub address: Option<IpAddr>,
    /// What the browser calls itself, at most [`SignIn::LONGEST_AGENT`] characters.
    pub agent: Option<String>,
}

impl SignIn {
    /// How long a sign-in lasts at most, and its address is kept.
    pub const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

    /// When a sign-in of this time is over whatever happens, and its address forgotten.
    #[must_use]
    pub fn end_of(at: Timestamp) -> Timestamp {
        at.saturating_add(Self::LONGEST).unwrap_or(Timestamp::MAX)
    }

    /// Longest name of a browser that is kept; the rest is cut off.
    pub const LONGEST_AGENT: usize = 256;
}
