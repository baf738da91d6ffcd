//! How `coditect_core::sidecar` looks in the document. A test holds each to the type that is sent.

use std::collections::BTreeMap;

use coditect_core::{
    LoginId,
    sidecar::{RestoreFailure, Use},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a gateway may call the API with.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarCredential)]
pub(super) struct CredentialBody {
    /// The bearer token.
    credential: String,
    /// Not valid from then on.
    expires_at: Timestamp,
    /// Who issues the tokens of people.
    issuer: String,
    /// Origin of the web app: the only one whose pages may frame the workspace or hand it a code.
    web_app: String,
}

/// A one-time code.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarRedeem)]
pub(super) struct RedeemBody {
    #[schema(min_length = 20, max_length = 128)]
    code: String,
}

/// What a code was worth.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarEntry)]
pub(super) struct EntryBody {
    /// A JWT of the type `workspace+jwt`.
    token: String,
}

/// Who may be in a workspace.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarAccess)]
pub(super) struct AccessBody {
    /// Names this state; opaque.
    version: String,
    /// Ids of the keys that verify now.
    keys: Vec<String>,
    /// Ids of keys that were revoked: whoever came in by them is shut out.
    revoked_keys: Vec<String>,
    /// Logins that ended lately, of the account that may be in.
    #[schema(value_type = Vec<Uuid>)]
    ended_logins: Vec<LoginId>,
    /// Earlier contents of files that somebody wants back, the oldest first.
    restores: Vec<RestoreBody>,
}

/// An earlier content of a file that somebody wants back.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarRestore)]
struct RestoreBody {
    id: Uuid,
    path: String,
    size: u64,
    /// SHA-256 in lower-case hexadecimal.
    sha256: String,
    /// SHA-256 of what may be overwritten; whatever else stands there stays beside.
    replaces: Option<String>,
}

/// What became of it.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = SidecarRestored)]
pub(super) enum RestoredBody {
    /// The file is as it was then.
    Done {
        /// The name of what stood there before, if nobody else had that.
        beside: Option<String>,
    },
    /// It is not, and asking again changes nothing.
    Failed {
        /// `gone`, `not_writable`, `no_room` or `in_the_way`.
        #[schema(value_type = String)]
        why: RestoreFailure,
    },
}

/// The contents that a gateway would send.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarContents)]
pub(super) struct ContentsBody {
    /// At most 200.
    contents: Vec<ContentBody>,
}

/// A content of a file, by its hash.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarContent)]
struct ContentBody {
    path: String,
    sha256: String,
}

/// Which of them are wanted.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarWanted)]
pub(super) struct WantedBody {
    /// For each, in the same order.
    wanted: Vec<bool>,
}

/// What a gateway says of itself.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarHeartbeat)]
pub(super) struct HeartbeatBody {
    /// `unknown`, `idle` or `active`.
    #[schema(value_type = String)]
    used: Use,
    /// When a person last typed or clicked.
    input_at: Option<Timestamp>,
    /// When a terminal last printed something, or a task last ran.
    output_at: Option<Timestamp>,
    /// Open sockets of people.
    #[schema(format = "uint32", maximum = 4_294_967_295_u32)]
    sockets: u32,
    /// What the volume holds; null until it has been measured.
    volume: Option<VolumeBody>,
    /// File events that wait to be taken.
    #[schema(format = "uint64")]
    waiting: u64,
}

/// What a volume holds.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarVolume)]
struct VolumeBody {
    #[schema(format = "uint64")]
    used_bytes: u64,
    #[schema(format = "uint64")]
    size_bytes: u64,
}

/// What happened to files, in order.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarFileBatch)]
pub(super) struct FileBatchBody {
    /// Names the queue that it comes from: a new pod begins a new one.
    queue: Uuid,
    /// Grows with every batch of a queue.
    #[schema(format = "uint64")]
    number: u64,
    /// Oldest first; at most 200.
    events: Vec<FileEventBody>,
}

/// What happened to one file.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = SidecarFileEvent)]
enum FileEventBody {
    /// It was written, or found to differ from what was known.
    Written {
        path: String,
        at: Timestamp,
        #[schema(format = "uint64")]
        size: u64,
        /// SHA-256 of its content in lower-case hexadecimal; null if it is too large to be read.
        sha256: Option<String>,
        /// Its content in base64, if it is text and small enough for a snapshot, and wanted.
        content: Option<String>,
    },
    /// It is gone, and everything below it if it was a folder.
    Removed { path: String, at: Timestamp },
    /// More happened than the queue could hold. Always first.
    Lost {
        #[schema(format = "uint64")]
        events: u64,
    },
}

/// What the tabs of a workspace share.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarState)]
pub(super) struct SharedStateBody {
    /// Grows with every change.
    #[schema(format = "uint64")]
    revision: u64,
    values: BTreeMap<String, SharedValueBody>,
}

/// One value of it.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SidecarStateValue)]
struct SharedValueBody {
    /// Grows with every change of this key.
    #[schema(format = "uint64")]
    version: u64,
    /// JSON text.
    value: String,
}

#[cfg(test)]
mod tests {
    use coditect_core::sidecar::{
        Access, ContentOf, Contents, Credential, Entry, FileBatch, FileEvent, Heartbeat, Redeem,
        Restore, Restored, SharedState, SharedValue, VolumeUse, Wanted,
    };
    use serde::de::DeserializeOwned;

    use super::*;

    /// Nothing is missing in the document's form, nothing is too much.
    #[track_caller]
    fn same<Sent: Serialize, Shown: Serialize + DeserializeOwned>(sent: &Sent) {
        let sent = serde_json::to_value(sent).unwrap();
        let shown: Shown = serde_json::from_value(sent.clone()).unwrap();
        assert_eq!(serde_json::to_value(shown).unwrap(), sent);
    }

    #[test]
    fn the_document_shows_what_is_sent() {
        let (at, text) = (Timestamp::UNIX_EPOCH, || "x".to_owned());
        same::<_, CredentialBody>(&Credential {
            credential: text(),
            expires_at: at,
            issuer: text(),
            web_app: text(),
        });
        same::<_, RedeemBody>(&Redeem { code: text() });
        same::<_, EntryBody>(&Entry { token: text() });
        same::<_, AccessBody>(&Access {
            version: text(),
            keys: vec![text()],
            revoked_keys: vec![text()],
            ended_logins: vec![LoginId::random()],
            restores: vec![Restore {
                id: Uuid::new_v4(),
                path: text(),
                size: 1,
                sha256: text(),
                replaces: Some(text()),
            }],
        });
        same::<_, RestoredBody>(&Restored::Done {
            beside: Some(text()),
        });
        same::<_, RestoredBody>(&Restored::Failed {
            why: RestoreFailure::NoRoom,
        });
        same::<_, ContentsBody>(&Contents {
            contents: vec![ContentOf {
                path: text(),
                sha256: text(),
            }],
        });
        same::<_, WantedBody>(&Wanted { wanted: vec![true] });
        same::<_, HeartbeatBody>(&Heartbeat {
            used: Use::Active,
            input_at: Some(at),
            output_at: None,
            sockets: 1,
            volume: Some(VolumeUse {
                used_bytes: 1,
                size_bytes: 2,
            }),
            waiting: 3,
        });
        same::<_, FileBatchBody>(&FileBatch {
            queue: Uuid::new_v4(),
            number: 1,
            events: vec![
                FileEvent::Lost { events: 1 },
                FileEvent::Removed { path: text(), at },
                FileEvent::Written {
                    path: text(),
                    at,
                    size: 1,
                    sha256: Some(text()),
                    content: None,
                },
            ],
        });
        let value = SharedValue {
            version: 1,
            value: text(),
        };
        same::<_, SharedStateBody>(&SharedState {
            revision: 1,
            values: [(text(), value)].into(),
        });
    }
}
