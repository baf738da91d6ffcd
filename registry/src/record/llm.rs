//! Conversations with language models.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a list of conversations shows of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// What it is about, if it was given a title.
    pub title: Option<String>,
    /// How many messages it has; the number of the newest.
    pub messages: u64,
    /// When it began.
    pub created_at: Timestamp,
    /// When the newest message came.
    pub updated_at: Timestamp,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// Instructions of the product.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that the model used.
    Tool,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who wrote it.
    pub author: Author,
    /// When.
    pub at: Timestamp,
    /// The model that was asked or answered.
    pub model: Option<String>,
    /// The text, or its beginning if there are chunks.
    pub content: String,
    /// How many chunks hold the rest.
    #[serde(default)]
    pub chunks: u32,
}

/// A part of a long message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageChunk {
    /// The text.
    pub content: String,
}
