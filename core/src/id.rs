//! Typed random ids. An id says nothing about the person behind it, so it may stand in Git forever.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// A version 4 UUID (RFC 9562 section 5.4), written as 36 lower-case characters: with the
        /// longest prefix we put before one (`workspace-`, 10) and the suffixes Kubernetes adds
        /// (`-<10 character hash>`, 11) it stays below the 63 characters of a DNS label (RFC 1123).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id from the operating system's random source.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// The id with exactly these 16 bytes, for ids that are derived (a hash) rather than drawn.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes of the id.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id as a plain UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// # Errors
            /// `Invalid` unless the text is exactly the 36 character lower-case form: one spelling
            /// per id, so that two texts never name one object.
            fn from_str(text: &str) -> Result<Self, Error> {
                let id = Uuid::try_parse(text).ok().filter(|id| id.hyphenated().to_string() == text);
                id.map(Self).ok_or_else(|| Error::invalid($what, format!("is not a {} id", $what.replace('_', " "))))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

ids! {
    /// A person's identity: e-mail, credential, logins.
    AccountId, "account";
    /// An organisation, or one person's own.
    TenantId, "tenant";
    /// An account's membership in one tenant; one Kubernetes namespace.
    UserId, "user";
    /// One IDE of a user: one volume, one StatefulSet, one service, one route.
    WorkspaceId, "workspace";
    /// One sign-in of an account: a family of refresh tokens.
    LoginId, "login";
    /// An answer to a sign-up, opaque to the person: says nothing about whether the e-mail is known.
    RegistrationId, "registration";
    /// Names one attempt to change the registry, so that a retry changes nothing twice.
    RequestId, "request_id";
    /// One stay of a user in a workspace: open tabs, layout; several browser tabs share it.
    SessionId, "session";
    /// A key with which a program calls the API in a person's place.
    ApiKeyId, "api_key";
    /// An offer to become a member of a tenant.
    InvitationId, "invitation";
    /// A conversation of a user with a language model.
    ConversationId, "conversation";
    /// The erasure of a person: what a restore must erase again.
    ErasureId, "erasure";
    /// A change of one or several users that waits for approval; names `approvals/<change>.yaml`.
    ChangeId, "change";
}

impl UserId {
    /// The user's Kubernetes namespace, `user-<id>` (41 characters).
    #[must_use]
    pub fn namespace(&self) -> String {
        format!("user-{self}")
    }
}

impl WorkspaceId {
    /// The name of every object of the workspace, `workspace-<id>` (46 characters).
    #[must_use]
    pub fn object_name(&self) -> String {
        format!("workspace-{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_per_id() {
        let id = UserId::random();
        assert_eq!(id.to_string().parse::<UserId>().unwrap(), id);
        for text in [
            "",
            "x",
            &id.to_string().to_uppercase(),
            &id.as_uuid().simple().to_string(),
            &format!("{{{id}}}"),
            &format!("{id} "),
        ] {
            assert!(text.parse::<UserId>().is_err(), "{text:?}");
        }
    }
}
