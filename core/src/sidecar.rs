//! What the gateway of a workspace's pod and the API say to each other.
//!
//! A gateway shows the token that its cluster projects into the pod and is given a [`Credential`] that lasts minutes;
//! with it, it calls everything else here. Which workspace it speaks for is what the credential says, never what it
//! sends. All times are UTC, all bodies JSON.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{AccountId, LoginId, WorkspaceId};

/// `POST`: the projected token as bearer, no body; answers [`Credential`].
pub const CREDENTIAL_PATH: &str = "/api/v5/sidecar/credential";
/// `POST` [`Redeem`]; answers [`Entry`]. 404 for a code that is unknown, used, expired, or another workspace's.
pub const REDEEM_PATH: &str = "/api/v5/sidecar/codes/redeem";
/// `GET`, `?after=<version>&wait=<seconds>`; answers [`Access`], at once if it differs from that version.
pub const ACCESS_PATH: &str = "/api/v5/sidecar/access";
/// `PUT` [`Heartbeat`]; answers nothing.
pub const HEARTBEAT_PATH: &str = "/api/v5/sidecar/heartbeat";
/// `POST` [`FileBatch`]; answers nothing. The same number again changes nothing.
pub const FILES_PATH: &str = "/api/v5/sidecar/files";
/// `GET` and `PUT` [`SharedState`]; a `PUT` whose revision is not the newest answers 409.
pub const STATE_PATH: &str = "/api/v5/sidecar/state";
/// `POST` a chat completion in OpenAI's form; answers a stream of server-sent events, or a problem.
pub const LLM_PATH: &str = "/api/v5/sidecar/llm/chat/completions";
/// `GET` the content of one of [`Access::restores`], as it is; `POST` [`Restored`] once it was dealt with.
pub const RESTORES_PATH: &str = "/api/v5/sidecar/restores";
/// `POST` [`Contents`]; answers [`Wanted`]. What is not wanted need not be sent: it is there already.
pub const WANTED_PATH: &str = "/api/v5/sidecar/files/wanted";
/// The public keys of everything that the API signs (RFC 7517).
pub const KEYS_PATH: &str = "/.well-known/jwks.json";

/// The header's `typ` of a token with which a person is in a workspace (RFC 7519 section 5.1): no other kind of token
/// that the API signs passes for it.
pub const ENTRY_TOKEN_TYPE: &str = "workspace+jwt";
/// Longest time between `iat` and `exp` of such a token. A gateway refuses one that lasts longer: how long it must
/// remember who was shut out follows from it.
pub const LONGEST_ENTRY: SignedDuration = SignedDuration::from_mins(15);

/// Whom a token is for: one workspace.
#[must_use]
pub fn entry_audience(workspace: WorkspaceId) -> String {
    format!("workspace:{workspace}")
}

/// What a token says with which a person is in a workspace: a JWT, signed with EdDSA by one of [`KEYS_PATH`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryClaims {
    /// Issuer: [`Credential::issuer`].
    pub iss: String,
    /// Audience: [`entry_audience`].
    pub aud: String,
    /// The account.
    pub sub: AccountId,
    /// The login through which it came in.
    pub sid: LoginId,
    /// Issued at, Unix seconds.
    pub iat: i64,
    /// Not valid from then on, Unix seconds; at most [`LONGEST_ENTRY`] later.
    pub exp: i64,
}

/// What a gateway may call the API with. It cannot renew itself: the next one needs the projected token again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The bearer token.
    pub credential: String,
    /// Not valid from then on.
    pub expires_at: Timestamp,
    /// Who issues the tokens of people: the API's public URL.
    pub issuer: String,
    /// Origin of the web app: the only one whose pages may frame the workspace or hand it a code.
    pub web_app: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A one-time code that the web app handed to the workspace's page.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    /// The code: 20 to 128 characters of base64url.
    pub code: String,
}

/// What a code was worth.
#[derive(Clone, Serialize, Deserialize)]
pub struct Entry {
    /// A token that says [`EntryClaims`].
    pub token: String,
}

/// Who may be in a workspace. Always the whole of it: an answer that was lost is made good by the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Names this state; opaque.
    pub version: String,
    /// Ids of the keys that verify now. Others do not, even if they are known.
    pub keys: Vec<String>,
    /// Ids of keys that were revoked: whoever came in by a token that one of them signed is shut out.
    pub revoked_keys: Vec<String>,
    /// Logins that ended within the last [`LONGEST_ENTRY`] at least, of accounts that may enter this workspace.
    pub ended_logins: Vec<LoginId>,
    /// What is to be brought back into the volume, the oldest first; each until it was said what became of it.
    #[serde(default)]
    pub restores: Vec<Restore>,
}

/// An earlier content of a file that its person wants back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// Names the wish.
    pub id: Uuid,
    /// Where it goes: as of [`FileEvent::Written`].
    pub path: String,
    /// How many bytes.
    pub size: u64,
    /// Their SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// The SHA-256 of what may be overwritten, because it is kept elsewhere. Whatever else stands there is the only one of
    /// its kind, and must stay beside.
    pub replaces: Option<String>,
}

/// What became of a [`Restore`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Restored {
    /// The file is as it was then.
    Done {
        /// The name, in the same folder, of what stood there before, if nobody else had that.
        beside: Option<String>,
    },
    /// It is not, and asking again changes nothing.
    Failed {
        /// Why.
        why: RestoreFailure,
    },
}

/// Why a content could not be brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreFailure {
    /// It is not kept any more.
    Gone,
    /// The volume, or the folder in it, is not the gateway's to write.
    NotWritable,
    /// The volume is full.
    NoRoom,
    /// Where the file would be is something else: a folder, or a link on the way.
    InTheWay,
}

/// The contents that a gateway would send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// In the order in which they would be sent.
    pub contents: Vec<ContentOf>,
}

/// A content of a file, by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentOf {
    /// As of [`FileEvent::Written`].
    pub path: String,
    /// As of [`FileEvent::Written`].
    pub sha256: String,
}

/// Which of them are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// For each, in the same order.
    pub wanted: Vec<bool>,
}

/// Whether a workspace is used. Unknown is not idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// The IDE has not said for a while: its times may be older than what has happened since.
    Unknown,
    /// The IDE says that nothing happens.
    Idle,
    /// Somebody types, a terminal prints, or a task runs.
    Active,
}

/// What a gateway says of itself every half minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Whether it is used. `Unknown` must not count as having been seen.
    pub used: Use,
    /// When a person last typed or clicked.
    pub input_at: Option<Timestamp>,
    /// When a terminal last printed something, or a task last ran.
    pub output_at: Option<Timestamp>,
    /// Open sockets of people.
    pub sockets: u32,
    /// What the volume holds; none until it has been measured.
    pub volume: Option<VolumeUse>,
    /// File events that wait to be taken.
    pub waiting: u64,
}

/// What a volume holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeUse {
    /// Bytes in use, as its file system counts them.
    pub used_bytes: u64,
    /// Bytes that it can hold.
    pub size_bytes: u64,
}

/// What happened to files, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileBatch {
    /// Names the queue that it comes from: a new pod begins a new one.
    pub queue: Uuid,
    /// Grows with every batch of a queue. A batch whose number is not above the last one taken was taken already.
    pub number: u64,
    /// What happened, oldest first.
    pub events: Vec<FileEvent>,
}

/// What happened to one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FileEvent {
    /// It was written, or found to differ from what was known.
    Written {
        /// From the volume's root, with `/` between the parts ([`crate::FilePath`]).
        path: String,
        /// When it was seen.
        at: Timestamp,
        /// Its size in bytes.
        size: u64,
        /// SHA-256 of its content in lower-case hexadecimal; none if it is too large to be read.
        sha256: Option<String>,
        /// Its content in base64, if it is text and small enough for a snapshot.
        content: Option<String>,
    },
    /// It is gone, and everything below it if it was a folder; nothing if nobody knows of it.
    Removed {
        /// As of [`FileEvent::Written`].
        path: String,
        /// When it was seen.
        at: Timestamp,
    },
    /// More happened than the queue could hold: what is known of files may be older than they are. Always first.
    Lost {
        /// How many events were let go.
        events: u64,
    },
}

/// What the tabs of a workspace share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedState {
    /// Grows with every change.
    pub revision: u64,
    /// Keys and what they hold.
    pub values: std::collections::BTreeMap<String, SharedValue>,
}

/// One value of the shared state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedValue {
    /// Grows with every change of this key.
    pub version: u64,
    /// What it holds: JSON text.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_not_printed() {
        let credential = Credential {
            credential: "secret".to_owned(),
            expires_at: Timestamp::UNIX_EPOCH,
            issuer: "https://app.example".to_owned(),
            web_app: "https://app.example".to_owned(),
        };
        assert!(!format!("{credential:?}").contains("secret"));
    }
}
