//! Conversations with language models.

use coditect_core::{ConversationId, Result, UserId};

use crate::{
    keys::{self, KeyPart},
    record::{Conversation, Message, MessageChunk, decode},
    registry::View,
    tx::trailing_uuid,
};

impl View {
    /// A user's conversations, in order of id; none if there is no such user.
    ///
    /// # Errors
    /// As the store.
    pub async fn conversations(
        &mut self,
        user: UserId,
    ) -> Result<Vec<(ConversationId, Conversation)>> {
        let Some(place) = self.place(user).await? else {
            return Ok(Vec::new());
        };
        let found = self
            .tx
            .scan_all(&keys::conversations(place.tenant, user))
            .await?;
        found
            .into_iter()
            .map(|(key, record)| {
                let id = ConversationId::from_bytes(*trailing_uuid(&key)?.as_bytes());
                Ok((id, record))
            })
            .collect()
    }

    /// At most `limit` messages of a conversation from number `from` on, whole, each with its number.
    ///
    /// # Errors
    /// As the store.
    pub async fn messages(
        &mut self,
        user: UserId,
        conversation: ConversationId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Message)>> {
        let Some(place) = self.place(user).await? else {
            return Ok(Vec::new());
        };
        let mut range = keys::messages_from(place.tenant, user, conversation, from);
        let mut messages: Vec<(u64, Message)> = Vec::new();
        loop {
            // A long message takes up to some tens of entries, so few are read at a time.
            let (entries, more) = self.tx.scan_raw(&range, 100).await?;
            for (key, value) in &entries {
                let parts = keys::parse(key).map(|parsed| parsed.parts);
                match parts.as_deref() {
                    Ok([.., KeyPart::Number(_), KeyPart::Number(_)]) => {
                        if let Some((_, message)) = messages.last_mut() {
                            let chunk: MessageChunk = decode(value)?;
                            message.content.push_str(&chunk.content);
                        }
                    }
                    Ok([.., KeyPart::Number(number)]) => {
                        if messages.len() == limit {
                            return Ok(messages);
                        }
                        messages.push((u64::try_from(*number).unwrap_or(0), decode(value)?));
                    }
                    _ => {}
                }
            }
            match entries.last() {
                Some((last, _)) if more => range = range.after(last),
                _ => return Ok(messages),
            }
        }
    }
}
