//! What tabs and the gateway say to each other on `/coditect/ws`: text frames, one JSON object each, version 1.
//!
//! A tab says [`Said::Hello`] first and once. What it does not know of what we say, it passes over; what we do not know
//! of what it says ends the connection: versions are agreed on, not guessed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The protocol's version.
pub const VERSION: u32 = 1;

/// What a tab says.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Said {
    /// First of all, within ten seconds.
    Hello {
        /// The version it speaks.
        version: u32,
        /// The tab's own name, by which others know it: 1 to 64 letters, digits, `-` and `_`.
        tab: String,
    },
    /// Changes what the tabs share.
    Put {
        /// Which value: 1 to 64 letters, digits, `-`, `_`, `.` and `/`.
        key: String,
        /// The version it was changed from; 0 for one that is new.
        base: u64,
        /// What it is now; null takes it away.
        value: Value,
    },
    /// A person typed or clicked, said at most every few seconds.
    Input {},
    /// What was asked for by [`Tells::Stopping`] is done: everything is on the volume.
    Saved {},
    /// Asks a language model.
    Llm {
        /// Names the question, chosen by the tab; not that of another one that goes on.
        id: u32,
        /// A chat completion in OpenAI's form; the answer is streamed whatever it says of that.
        request: Value,
    },
    /// Takes a question back.
    LlmCancel {
        /// Which one.
        id: u32,
    },
}

/// What the gateway says.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tells {
    /// The answer to [`Said::Hello`].
    Welcome {
        /// The version spoken.
        version: u32,
        /// Everything that is shared.
        values: Vec<SharedEntry>,
        /// Every open tab, this one included.
        tabs: Vec<String>,
    },
    /// A tab came or went.
    Tabs {
        /// Every open tab.
        tabs: Vec<String>,
    },
    /// What this tab put is kept.
    Kept {
        /// Which value.
        key: String,
        /// Its version now.
        version: u64,
    },
    /// What this tab put is not kept: somebody was faster, and this is what they put. Or, with the version unchanged,
    /// there is no room for it.
    Stale(SharedEntry),
    /// Somebody changed a value.
    Changed(SharedEntry),
    /// Files changed on the volume.
    Files {
        /// Which, in the order in which it was seen; none if there are too many to name: any may have.
        changes: Vec<FileChange>,
    },
    /// A piece of a model's answer.
    LlmPart {
        /// The question.
        id: u32,
        /// One event's data, as the model gave it.
        data: String,
    },
    /// A model's answer is over.
    LlmEnd {
        /// The question.
        id: u32,
        /// Why there is no answer, or no more of it; none if it is whole.
        problem: Option<LlmProblem>,
    },
    /// The workspace is about to stop: save everything, then say [`Said::Saved`].
    Stopping {
        /// How long there is, in seconds.
        seconds: u32,
    },
}

/// A shared value.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SharedEntry {
    /// Which one.
    pub key: String,
    /// Grows with every change.
    pub version: u64,
    /// What it holds.
    pub value: Value,
}

/// A file that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileChange {
    /// From the volume's root.
    pub path: String,
    /// Whether it is gone.
    pub removed: bool,
}

/// Why a model does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LlmProblem {
    /// There are no models here.
    NotAvailable,
    /// The plan's requests of the month are used up.
    LimitReached,
    /// The request is not acceptable, or too many questions go on.
    Refused,
    /// The answer broke off, or the API is not there.
    BrokeOff,
}

/// Why a connection is closed, by code (RFC 6455 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// 1003: a binary frame.
    Binary,
    /// 1009: a frame or message larger than 256 KiB.
    TooLarge,
    /// 4400: not a message of this protocol.
    Malformed,
    /// 4401: the login ended. Enter again.
    ShutOut,
    /// 4408: no hello within ten seconds, or nothing at all for ninety.
    Silent,
    /// 4409: not now, such as a second hello, or anything before the first.
    Order,
    /// 4410: nested deeper than 32.
    TooDeep,
    /// 4411: it does not read what it is told.
    Slow,
    /// 4426: another version than ours.
    Version,
    /// 4429: more than 50 messages a second for a while, or more than 32 tabs.
    TooMany,
}

impl Close {
    /// The code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Binary => 1003,
            Self::TooLarge => 1009,
            Self::Malformed => 4400,
            Self::ShutOut => 4401,
            Self::Silent => 4408,
            Self::Order => 4409,
            Self::TooDeep => 4410,
            Self::Slow => 4411,
            Self::Version => 4426,
            Self::TooMany => 4429,
        }
    }
}

/// The JSON Schema of both directions.
#[must_use]
pub fn schema() -> Value {
    let said = schemars::schema_for!(Said);
    let tells = schemars::schema_for!(Tells);
    serde_json::json!({ "version": VERSION, "tab": said, "gateway": tells })
}
