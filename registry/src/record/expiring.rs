//! What is forgotten when its time has come.

use coditect_core::{
    AccountId, ApiKeyId, CellName, ChangeId, ExternalId, InvitationId, LoginId, SessionId,
    TenantId, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{keys, store::Key};

/// Something that is forgotten when its time has come, by ids alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are ids")]
pub enum Expiring {
    /// A sign-in, with the address it came from.
    SignIn { account: AccountId, login: LoginId },
    /// A change of e-mail that nobody proved.
    EmailChange { account: AccountId },
    /// A forgotten password that nobody replaced.
    PasswordReset { account: AccountId },
    /// A session nobody came back to.
    Session {
        tenant: TenantId,
        user: UserId,
        session: SessionId,
    },
    /// An API key with an end.
    ApiKey {
        tenant: TenantId,
        user: UserId,
        api_key: ApiKeyId,
    },
    /// An invitation nobody answered.
    Invitation {
        tenant: TenantId,
        invitation: InvitationId,
    },
    /// An event that Stripe will not send again.
    StripeEvent { event: ExternalId },
    /// A change that nobody waits for any more.
    Approval { cell: CellName, change: ChangeId },
}

impl Expiring {
    /// Under which key it is noted that this expires at `at`.
    #[must_use]
    pub fn key(&self, at: Timestamp) -> Key {
        let (what, name) = match self {
            Self::SignIn { login, .. } => ("sign_in", login.to_string()),
            Self::EmailChange { account } => ("email_change", account.to_string()),
            Self::PasswordReset { account } => ("password_reset", account.to_string()),
            Self::Session { session, .. } => ("session", session.to_string()),
            Self::ApiKey { api_key, .. } => ("api_key", api_key.to_string()),
            Self::Invitation { invitation, .. } => ("invitation", invitation.to_string()),
            Self::StripeEvent { event } => ("stripe_event", event.to_string()),
            Self::Approval { change, .. } => ("approval", change.to_string()),
        };
        keys::expiry(at, what, &name)
    }
}
