//! Conversations with language models: messages in order, long ones in chunks.

use async_trait::async_trait;
use coditect_core::{AccountId, ConversationId, Error, Kind, UserId};
use jiff::Timestamp;

use super::{purge::clear_messages, who};
use crate::{
    keys,
    record::{Author, Conversation, Message, MessageChunk},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Most conversations of one user.
const MOST: usize = 1_000;
/// Longest message in bytes of UTF-8: what fits a transaction beside all else, however its characters are written.
pub const LONGEST_MESSAGE: usize = 1_000_000;
/// Longest title in characters.
const LONGEST_TITLE: usize = 200;
/// Bytes of JSON that one value holds of a message, so that with the rest of the record it stays below the store's
/// limit ([`crate::store::limits::VALUE_BYTES`]).
const CHUNK_BYTES: usize = 90_000;

/// Appends a message to a conversation, which begins with its first.
pub struct AppendMessage {
    /// Who asks.
    pub account: AccountId,
    /// Whose conversation.
    pub user: UserId,
    /// Which; drawn by the caller for a new one.
    pub conversation: ConversationId,
    /// What a new conversation is called.
    pub title: Option<String>,
    /// Who wrote the message.
    pub author: Author,
    /// The model that was asked or answered.
    pub model: Option<String>,
    /// The text, at most [`LONGEST_MESSAGE`] bytes.
    pub content: String,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for AppendMessage {
    const NAME: &'static str = "append_message";
    /// The message's number, from 1.
    type Output = u64;

    async fn run(&self, tx: &mut Tx) -> Result<u64, Abort> {
        if self.content.len() > LONGEST_MESSAGE {
            let message = format!(
                "is {} bytes long; at most {LONGEST_MESSAGE} are kept",
                self.content.len()
            );
            return Err(Error::invalid("content", message).into());
        }
        let (place, _) = who::own_active_user(tx, self.account, self.user).await?;
        let key = keys::conversation(place.tenant, self.user, self.conversation);
        let mut conversation = match tx.get::<Conversation>(&key).await? {
            Some(conversation) => conversation,
            None => self.begin(tx, place.tenant).await?,
        };
        conversation.messages += 1;
        conversation.updated_at = self.at;
        let number = conversation.messages;
        tx.put(&key, &conversation)?;
        let parts = cut(&self.content, CHUNK_BYTES);
        let message = Message {
            author: self.author,
            at: self.at,
            model: self.model.clone(),
            content: parts.first().copied().unwrap_or_default().to_owned(),
            chunks: u32::try_from(parts.len().saturating_sub(1)).unwrap_or(u32::MAX),
        };
        tx.put(
            &keys::message(place.tenant, self.user, self.conversation, number),
            &message,
        )?;
        for (chunk, content) in (1..).zip(parts.iter().skip(1)) {
            tx.put(
                &keys::message_chunk(place.tenant, self.user, self.conversation, number, chunk),
                &MessageChunk {
                    content: (*content).to_owned(),
                },
            )?;
        }
        Ok(number)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl AppendMessage {
    async fn begin(
        &self,
        tx: &mut Tx,
        tenant: coditect_core::TenantId,
    ) -> Result<Conversation, Abort> {
        let range = keys::conversations(tenant, self.user);
        let (have, _) = tx.scan::<Conversation>(&range, MOST).await?;
        if have.len() >= MOST {
            let message = format!("at most {MOST} conversations are kept; delete some");
            let kind = Kind::LimitReached {
                limit: "conversations",
            };
            return Err(Error::new(kind, message).into());
        }
        let range = keys::messages(tenant, self.user, self.conversation);
        let (left, _) = tx.scan_raw(&range, 1).await?;
        if !left.is_empty() {
            // It was so long that it goes in slices, and new messages would go with it.
            return Err(Error::conflict(
                "a conversation of that id is still being deleted; begin one with another id",
            )
            .into());
        }
        Ok(Conversation {
            title: self
                .title
                .as_ref()
                .map(|title| title.chars().take(LONGEST_TITLE).collect()),
            messages: 0,
            created_at: self.at,
            updated_at: self.at,
        })
    }
}

/// Cuts a text into parts of which each is at most `most` bytes long as JSON, between characters.
fn cut(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (at, c) in text.char_indices() {
        let cost = match c {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            // Written as \u00xx, two of them shorter.
            c if c < ' ' => 6,
            c => c.len_utf8(),
        };
        if bytes + cost > most {
            parts.push(&text[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += cost;
    }
    parts.push(&text[begin..]);
    parts
}

/// Deletes a conversation with all its messages.
pub struct DeleteConversation {
    /// Who asks.
    pub account: AccountId,
    /// Whose conversation.
    pub user: UserId,
    /// Which.
    pub conversation: ConversationId,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for DeleteConversation {
    const NAME: &'static str = "delete_conversation";
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let (place, _) = who::own_user(tx, self.account, self.user).await?;
        let key = keys::conversation(place.tenant, self.user, self.conversation);
        let Some(record) = tx.get::<Conversation>(&key).await? else {
            return Ok(());
        };
        tx.clear(&key);
        clear_messages(
            tx,
            place.tenant,
            self.user,
            self.conversation,
            record.messages,
        )
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_make_the_text_again_and_none_is_too_long(text in "(?s).{0,400}", most in 8_usize..64) {
            let parts = cut(&text, most);
            prop_assert_eq!(&parts.concat(), &text);
            for part in parts {
                let json = serde_json::to_string(part).unwrap();
                prop_assert!(json.len() <= most + 2, "{} bytes", json.len());
            }
        }
    }
}
