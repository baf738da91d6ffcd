//! What is too much to be removed in one transaction.
//!
//! A cluster clears a range of any size at once. The embedded store removes entry by entry, about a million and a half a
//! second, and nobody writes meanwhile. So whatever of a person may be that much, messages and files, goes in slices by
//! the janitor if it is; all that leads to it goes at once.

use async_trait::async_trait;
use coditect_core::{ConversationId, TenantId, UserId, WorkspaceId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    keys,
    record::{Conversation, Purge},
    registry::Operation,
    store::{Key, KeyRange, limits},
    tx::{Abort, Tx, trailing_uuid},
};

/// Up to so many messages go at once: a tenth of a second.
const MESSAGES: u64 = 50_000;
/// Up to so many files go at once, each with a few snapshots.
const FILES: i64 = 10_000;

/// Removes everything of a user who has these workspaces.
pub(super) async fn clear_user(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    workspaces: &[WorkspaceId],
) -> Result<(), Abort> {
    let conversations = tx
        .scan_all::<Conversation>(&keys::conversations(tenant, user))
        .await?;
    let messages: u64 = conversations.iter().map(|(_, one)| one.messages).sum();
    let mut later = Vec::new();
    if messages > MESSAGES {
        later.push(Purge::History { tenant, user });
    }
    for workspace in workspaces {
        later.extend(too_many_files(tx, tenant, user, *workspace).await?);
    }
    clear_but(tx, &keys::user_all(tenant, user), later)
}

/// Removes everything of a workspace.
pub(super) async fn clear_workspace(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    workspace: WorkspaceId,
) -> Result<(), Abort> {
    let later = too_many_files(tx, tenant, user, workspace).await?;
    let all = keys::workspace_all(tenant, user, workspace);
    clear_but(tx, &all, later.into_iter().collect())
}

/// Removes what an account said in a user's place and what was answered, and leaves the user's other things. Whoever has
/// the user next may begin conversations of their own at once.
pub(super) async fn clear_history(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
) -> Result<(), Abort> {
    let list = keys::conversations(tenant, user);
    let conversations = tx.scan_all::<Conversation>(&list).await?;
    let messages: u64 = conversations.iter().map(|(_, one)| one.messages).sum();
    let mut later = Vec::new();
    if messages > MESSAGES {
        for (key, _) in &conversations {
            later.push(Purge::Conversation {
                tenant,
                user,
                conversation: ConversationId::from_bytes(*trailing_uuid(key)?.as_bytes()),
            });
        }
    }
    tx.clear_range(&list);
    clear_but(tx, &keys::llm_history(tenant, user), later)
}

/// Removes the messages of a conversation that has so many.
pub(super) fn clear_messages(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    conversation: ConversationId,
    messages: u64,
) -> Result<(), Abort> {
    let later = (messages > MESSAGES).then_some(Purge::Conversation {
        tenant,
        user,
        conversation,
    });
    let all = keys::messages(tenant, user, conversation);
    clear_but(tx, &all, later.into_iter().collect())
}

async fn too_many_files(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    workspace: WorkspaceId,
) -> Result<Option<Purge>, Abort> {
    let files = tx
        .number(&keys::file_count(tenant, user, workspace))
        .await?;
    Ok((files > FILES).then_some(Purge::Files {
        tenant,
        user,
        workspace,
    }))
}

/// Removes everything of a tenant but for what goes later of its users.
pub(super) async fn clear_tenant(tx: &mut Tx, tenant: TenantId) -> Result<(), Abort> {
    let later = tx
        .scan_all::<Purge>(&keys::purges_of(tenant))
        .await?
        .into_iter()
        .map(|(_, purge)| purge.range());
    clear_around(tx, &keys::tenant_all(tenant), later.collect());
    Ok(())
}

/// Removes a range but for what goes later, which is put on the janitor's list.
fn clear_but(tx: &mut Tx, all: &KeyRange, later: Vec<Purge>) -> Result<(), Abort> {
    for purge in &later {
        tx.put(&keys::purge(purge.tenant(), Uuid::new_v4()), purge)?;
    }
    clear_around(tx, all, later.iter().map(Purge::range).collect());
    Ok(())
}

/// Removes a range but for those within it.
fn clear_around(tx: &mut Tx, all: &KeyRange, mut within: Vec<KeyRange>) {
    within.sort_by(|one, other| one.begin.cmp(&other.begin));
    let mut begin = all.begin.clone();
    for KeyRange {
        begin: end,
        end: behind,
    } in within
    {
        if begin < end {
            tx.clear_range(&KeyRange { begin, end });
        }
        begin = behind;
    }
    if begin < all.end {
        let end = all.end.clone();
        tx.clear_range(&KeyRange { begin, end });
    }
}

/// Removes the next slice of something that was too much to be removed at once.
pub struct PurgeSlice {
    /// An entry of [`keys::purges`].
    pub entry: Key,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for PurgeSlice {
    const NAME: &'static str = "purge_slice";
    // Nobody writes there any more.
    const IDEMPOTENT: bool = true;
    /// True if more is left.
    type Output = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, Abort> {
        let Some(purge) = tx.get::<Purge>(&self.entry).await? else {
            return Ok(false);
        };
        let mut range = purge.range();
        let page = tx.page_bytes(&range, limits::PAGE_ENTRIES).await?;
        match page.entries.last() {
            Some((last, _)) if page.more => range.end = range.after(last).begin,
            _ => tx.clear(&self.entry),
        }
        tx.clear_range(&range);
        Ok(page.more)
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
