//! A cell, as its renderer asks for it.

use std::collections::BTreeMap;

use coditect_core::{CellName, Error, ReleaseName, Result, UserId, Version, WorkspaceId};

use crate::{
    keys,
    record::{Committed, IntentRow, Lease, Rollout, Tombstone},
    registry::View,
    tx::trailing_uuid,
};

/// All intents of a cell at one version. Made only by a read that was complete.
#[derive(Clone, Debug)]
pub struct Complete {
    /// The rows, by user id.
    pub rows: Vec<IntentRow>,
    /// The version they are of.
    pub version: Version,
}

impl View {
    /// A user's intent.
    ///
    /// # Errors
    /// As the store.
    pub async fn intent(&mut self, cell: &CellName, user: UserId) -> Result<Option<IntentRow>> {
        Ok(self.tx.get(&keys::intent(cell, user)).await?)
    }

    /// Every intent of a cell.
    ///
    /// # Errors
    /// As the store; `Unavailable` if the read is shorter than the registry's own count of the cell's users: a
    /// short read must never look like users that are gone.
    pub async fn intents(&mut self, cell: &CellName) -> Result<Complete> {
        let version = self.tx.version().await?;
        let expected = self.tx.number(&keys::cell_load(cell)).await?;
        let rows: Vec<IntentRow> = self
            .tx
            .scan_all(&keys::intents(cell))
            .await?
            .into_iter()
            .map(|(_, row)| row)
            .collect();
        if i64::try_from(rows.len()) != Ok(expected) {
            let message = format!(
                "the registry gave {} of cell {cell}'s {expected} users; nothing is changed on such a read",
                rows.len()
            );
            return Err(Error::unavailable(message));
        }
        Ok(Complete { rows, version })
    }

    /// What of a user Git holds, as the renderer noted it.
    ///
    /// # Errors
    /// As the store.
    pub async fn committed(&mut self, cell: &CellName, user: UserId) -> Result<Option<Committed>> {
        Ok(self.tx.get(&keys::committed(cell, user)).await?)
    }

    /// How many users the cell has.
    ///
    /// # Errors
    /// As the store.
    pub async fn cell_load(&mut self, cell: &CellName) -> Result<i64> {
        Ok(self.tx.number(&keys::cell_load(cell)).await?)
    }

    /// What of every user of a cell Git holds, as the renderer noted it.
    ///
    /// # Errors
    /// As the store.
    pub async fn all_committed(&mut self, cell: &CellName) -> Result<BTreeMap<UserId, u64>> {
        let found = self
            .tx
            .scan_all::<Committed>(&keys::all_committed(cell))
            .await?;
        found
            .into_iter()
            .map(|(key, committed)| {
                Ok((
                    UserId::from_bytes(*trailing_uuid(&key)?.as_bytes()),
                    committed.generation,
                ))
            })
            .collect()
    }

    /// The tombstone of a user.
    ///
    /// # Errors
    /// As the store.
    pub async fn user_tombstone(
        &mut self,
        cell: &CellName,
        user: UserId,
    ) -> Result<Option<Tombstone>> {
        Ok(self.tx.get(&keys::user_tombstone(cell, user)).await?)
    }

    /// The tombstone of a workspace.
    ///
    /// # Errors
    /// As the store.
    pub async fn workspace_tombstone(
        &mut self,
        cell: &CellName,
        workspace: WorkspaceId,
    ) -> Result<Option<Tombstone>> {
        Ok(self
            .tx
            .get(&keys::workspace_tombstone(cell, workspace))
            .await?)
    }

    /// Who may write the cell's branch.
    ///
    /// # Errors
    /// As the store.
    pub async fn lease(&mut self, cell: &CellName) -> Result<Option<Lease>> {
        Ok(self.tx.get(&keys::lease(cell)).await?)
    }

    /// How far a release is, if it was ever rolled out.
    ///
    /// # Errors
    /// As the store.
    pub async fn rollout(&mut self, release: &ReleaseName) -> Result<Option<Rollout>> {
        Ok(self.tx.get(&keys::rollout(release)).await?)
    }

    /// Every roll-out that there ever was, in order of their releases' names.
    ///
    /// # Errors
    /// As the store.
    pub async fn rollouts(&mut self) -> Result<Vec<(ReleaseName, Rollout)>> {
        let found = self.tx.scan_all::<Rollout>(&keys::rollouts()).await?;
        let named = |(_, rollout): (_, Rollout)| Some((rollout.release.clone()?, rollout));
        Ok(found.into_iter().filter_map(named).collect())
    }
}
