//! What the renderer writes: what Git holds, and volumes raised before the commit that asks for it.

use async_trait::async_trait;
use coditect_core::{CellName, UserId, Version, WorkspaceId};
use jiff::Timestamp;

use super::{
    burial::{bury_user, bury_workspace, write_user_tombstone, write_workspace_tombstone},
    erasure::note_requested,
};
use crate::{
    keys,
    record::{Action, Committed, IntentRow, Landed, Tombstone, User, UserPlace, WorkspacePlace},
    registry::Operation,
    tx::{Abort, Tx},
};

/// Notes which commit holds these users' intents. Status: it does not feed the change feed.
pub struct NoteCommitted {
    /// Which cell.
    pub cell: CellName,
    /// The commit's id in hexadecimal.
    pub commit: String,
    /// The rows as they were rendered; at most a few hundred, so that it fits one transaction.
    pub rows: Vec<IntentRow>,
    /// The commit's checkpoint.
    pub checkpoint: Option<Version>,
    /// When it was published.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for NoteCommitted {
    const NAME: &'static str = "note_committed";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        if let Some(checkpoint) = self.checkpoint {
            let key = keys::published(&self.cell);
            let newest = tx.get::<Version>(&key).await?;
            if newest.is_none_or(|newest| newest < checkpoint) {
                tx.put(&key, &checkpoint)?;
            }
        }
        for row in &self.rows {
            let IntentRow {
                intent, requested, ..
            } = row;
            let key = keys::committed(&self.cell, intent.user);
            let before = tx.get::<Committed>(&key).await?;
            if before
                .as_ref()
                .is_some_and(|before| before.generation > intent.generation)
            {
                continue;
            }
            // A user erased since must not come back as a status.
            if tx
                .get::<UserPlace>(&keys::user_place(intent.user))
                .await?
                .is_none()
            {
                continue;
            }
            let mut workspaces = before.map(|before| before.workspaces).unwrap_or_default();
            workspaces.retain(|id, _| intent.workspace(*id).is_some());
            for (id, requested) in requested {
                if workspaces
                    .get(id)
                    .is_none_or(|landed| landed.generation < requested.generation)
                {
                    workspaces.insert(
                        *id,
                        Landed {
                            generation: requested.generation,
                            commit: self.commit.clone(),
                            requested_at: requested.at,
                            committed_at: self.at,
                        },
                    );
                }
            }
            let committed = Committed {
                commit: self.commit.clone(),
                generation: intent.generation,
                committed_at: self.at,
                workspaces,
            };
            tx.put(&key, &committed)?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Raises what must never sink: volumes' provisioned sizes because policy asks for more (before the commit
/// that asks the cluster for it, so that no commit ever shrinks one again), and the generation because Git
/// has seen a higher one (a registry restored from a backup).
pub struct Raise {
    /// Which cell.
    pub cell: CellName,
    /// Whose volumes.
    pub user: UserId,
    /// The workspaces and their sizes in GiB; smaller ones than the registry has are left alone.
    pub sizes: Vec<(WorkspaceId, u32)>,
    /// The generation that the intent must exceed; 0 if any will do.
    pub above_generation: u64,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for Raise {
    const NAME: &'static str = "raise";
    const IDEMPOTENT: bool = true;
    /// The row as it is now; none if the user is gone.
    type Output = Option<IntentRow>;

    async fn run(&self, tx: &mut Tx) -> Result<Option<IntentRow>, Abort> {
        let Some(mut row) = tx
            .get::<IntentRow>(&keys::intent(&self.cell, self.user))
            .await?
        else {
            return Ok(None);
        };
        let mut touched = Vec::new();
        for (id, gib) in &self.sizes {
            if let Some(workspace) = row
                .intent
                .workspaces
                .iter_mut()
                .find(|workspace| workspace.id == *id)
                && workspace.storage_gib < *gib
            {
                workspace.storage_gib = *gib;
                touched.push(*id);
                let action = Action::StorageRaised {
                    user: self.user,
                    workspace: *id,
                    gib: *gib,
                };
                tx.audit(row.intent.tenant, self.at, None, action)?;
            }
        }
        let before = row.intent.generation;
        if !touched.is_empty() || before <= self.above_generation {
            let asked = row.raised_from.unwrap_or(before);
            row.intent.generation = before.max(self.above_generation);
            tx.put_intent(&mut row, &touched, self.at)?;
            // What another life of the registry asked for, nobody approved in this one.
            if before > self.above_generation {
                row.raised_from = Some(asked);
                tx.put(&keys::intent(&self.cell, self.user), &row)?;
            }
        }
        Ok(Some(row))
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Forgets the change feed up to and including a version, as far as the newest published checkpoint that the
/// registry was told of covers it.
pub struct TrimFeed {
    /// Which cell.
    pub cell: CellName,
    /// The version.
    pub until: Version,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for TrimFeed {
    const NAME: &'static str = "trim_feed";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        // Whatever the caller believes: what no commit holds yet must stay to be found.
        let published: Option<Version> = tx.get(&keys::published(&self.cell)).await?;
        let until = self.until.min(published.unwrap_or_default());
        let key = keys::feed_floor(&self.cell);
        let floor: Option<Version> = tx.get(&key).await?;
        if floor.unwrap_or_default() >= until {
            return Ok(());
        }
        tx.clear_range(&keys::feed_until(&keys::change_feed(&self.cell), until));
        tx.put(&key, &until)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Writes tombstones that a restored registry has forgotten and Git's history remembers: nobody who was
/// deleted comes back because a backup was older than the deletion.
pub struct BuryMissing {
    /// Which cell.
    pub cell: CellName,
    /// Users whose files a commit deleted.
    pub users: Vec<UserId>,
    /// Workspaces that a commit deleted, each with its user.
    pub workspaces: Vec<(UserId, WorkspaceId)>,
    /// Whether the persons' own requests were behind it: then the person is forgotten too.
    pub requested: bool,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for BuryMissing {
    const NAME: &'static str = "bury_missing";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        for id in &self.users {
            match tx.get::<UserPlace>(&keys::user_place(*id)).await? {
                Some(place) => {
                    let user: User = tx
                        .require(
                            &keys::user(place.tenant, *id),
                            "there is no user of that id",
                        )
                        .await?;
                    let buried = bury_user(tx, &place, *id, self.requested, None, self.at).await?;
                    if self.requested {
                        note_requested(tx, user.account, buried, self.at).await?;
                    }
                }
                None if tx
                    .get::<Tombstone>(&keys::user_tombstone(&self.cell, *id))
                    .await?
                    .is_none() =>
                {
                    write_user_tombstone(tx, &self.cell, *id, self.requested, self.at)?;
                }
                None => {}
            }
        }
        for (user, id) in &self.workspaces {
            if let Some(place) = tx
                .get::<WorkspacePlace>(&keys::workspace_place(*id))
                .await?
            {
                bury_workspace(tx, &place, *id, self.requested, self.at).await?;
                continue;
            }
            if tx
                .get::<Tombstone>(&keys::workspace_tombstone(&self.cell, *id))
                .await?
                .is_none()
            {
                write_workspace_tombstone(tx, &self.cell, *user, *id, self.requested, self.at)?;
            }
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
