//! What an observer, a reaper and an operator ask.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::{Activity, CellName, Result, UserId, Version, WorkspaceId};

use crate::{
    keys::{self, WorkspacePart},
    record::{
        AwaitedApproval, CellState, Committed, IntentRow, PowerState, Quarantine, ReapEntry,
        Restart, Status, UserPlace, WorkspacePlace,
    },
    registry::View,
    tx::trailing_uuid,
};

/// A part of the power feed.
#[derive(Clone, Debug)]
pub struct PowerChanges {
    /// Whose power changed; it is read anew.
    pub workspaces: BTreeSet<WorkspaceId>,
    /// Every change up to and including this version is among them.
    pub until: Version,
    /// True if the feed holds more.
    pub more: bool,
}

/// A user as an observer needs them: what is wanted, what Git holds, what runs.
#[derive(Clone, Debug)]
pub struct UserRuntime {
    /// What is wanted.
    pub row: IntentRow,
    /// What of it Git holds.
    pub committed: Option<Committed>,
    /// That the cluster refuses it.
    pub quarantine: Option<Quarantine>,
    /// That the newest of it waits for a person's approval.
    pub awaited: Option<AwaitedApproval>,
    /// The workspaces, in order of id.
    pub workspaces: Vec<WorkspaceRuntime>,
}

/// A workspace as an observer needs it.
#[derive(Clone, Debug)]
pub struct WorkspaceRuntime {
    /// Its id.
    pub id: WorkspaceId,
    /// Whether its pod should run.
    pub power: PowerState,
    /// What was last seen of it.
    pub status: Option<Status>,
}

impl View {
    /// What the cell's power signal says, to be handed to [`crate::Registry::power_changed`].
    ///
    /// # Errors
    /// As the store.
    pub async fn power_signal(&mut self, cell: &CellName) -> Result<i64> {
        Ok(self.tx.number(&keys::power_signal(cell)).await?)
    }

    /// The workspaces whose power changed after `version`, each once, and the version up to which that is
    /// everything, as [`View::changes_after`]. Ids of workspaces that are gone may be among them.
    ///
    /// # Errors
    /// As the store.
    pub async fn power_after(
        &mut self,
        cell: &CellName,
        version: Version,
        limit: usize,
    ) -> Result<PowerChanges> {
        let (workspaces, until, more) = self.feed(&keys::power_feed(cell), version, limit).await?;
        Ok(PowerChanges {
            workspaces,
            until,
            more,
        })
    }

    /// Entries of the cell's power feed at or below this version are gone: whoever has seen less reads the
    /// whole cell anew.
    ///
    /// # Errors
    /// As the store.
    pub async fn power_floor(&mut self, cell: &CellName) -> Result<Version> {
        Ok(self
            .tx
            .get(&keys::power_floor(cell))
            .await?
            .unwrap_or_default())
    }

    /// Where a workspace is.
    ///
    /// # Errors
    /// As the store.
    pub async fn place_of(&mut self, workspace: WorkspaceId) -> Result<Option<WorkspacePlace>> {
        Ok(self.tx.get(&keys::workspace_place(workspace)).await?)
    }

    /// A user of the cell as an observer needs them.
    ///
    /// # Errors
    /// As the store.
    pub async fn runtime(&mut self, cell: &CellName, user: UserId) -> Result<Option<UserRuntime>> {
        match self.tx.get::<IntentRow>(&keys::intent(cell, user)).await? {
            Some(row) => Ok(Some(self.runtime_of(row).await?)),
            None => Ok(None),
        }
    }

    /// At most `limit` users of the cell behind `after`, in order of id, and whether there are more. A whole cell
    /// is read in several views, because a view lives five seconds.
    ///
    /// # Errors
    /// As the store.
    pub async fn runtimes_after(
        &mut self,
        cell: &CellName,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<(Vec<UserRuntime>, bool)> {
        let mut range = keys::intents(cell);
        if let Some(after) = after {
            range = range.after(&keys::intent(cell, after));
        }
        let (rows, more) = self.tx.scan::<IntentRow>(&range, limit).await?;
        let mut runtimes = Vec::with_capacity(rows.len());
        for (_, row) in rows {
            runtimes.push(self.runtime_of(row).await?);
        }
        Ok((runtimes, more))
    }

    async fn runtime_of(&mut self, row: IntentRow) -> Result<UserRuntime> {
        let (cell, tenant, user) = (&row.intent.cell, row.intent.tenant, row.intent.user);
        let mut workspaces = Vec::with_capacity(row.intent.workspaces.len());
        for workspace in &row.intent.workspaces {
            let part = |part| keys::workspace(tenant, user, workspace.id, part);
            let Some(power) = self.tx.get(&part(WorkspacePart::Power)).await? else {
                tracing::error!(%user, workspace = %workspace.id, "a workspace without power is left alone");
                continue;
            };
            workspaces.push(WorkspaceRuntime {
                id: workspace.id,
                power,
                status: self.tx.get(&part(WorkspacePart::Status)).await?,
            });
        }
        Ok(UserRuntime {
            committed: self.tx.get(&keys::committed(cell, user)).await?,
            quarantine: self.tx.get(&keys::quarantine(cell, user)).await?,
            awaited: self.tx.get(&keys::awaited_approval(cell, user)).await?,
            workspaces,
            row,
        })
    }

    /// What is known of the use of the cell's workspaces. Those of which nothing was ever reported are not
    /// among them.
    ///
    /// # Errors
    /// As the store.
    pub async fn activities(&mut self, cell: &CellName) -> Result<BTreeMap<WorkspaceId, Activity>> {
        let found = self.tx.scan_all(&keys::activities(cell)).await?;
        found
            .into_iter()
            .map(|(key, activity)| {
                let id = WorkspaceId::from_bytes(*trailing_uuid(&key)?.as_bytes());
                Ok((id, activity))
            })
            .collect()
    }

    /// Everyone of the cell who is quarantined.
    ///
    /// # Errors
    /// As the store.
    pub async fn quarantines(&mut self, cell: &CellName) -> Result<BTreeMap<UserId, Quarantine>> {
        let found = self.tx.scan_all(&keys::quarantines(cell)).await?;
        found
            .into_iter()
            .map(|(key, quarantine)| {
                let id = UserId::from_bytes(*trailing_uuid(&key)?.as_bytes());
                Ok((id, quarantine))
            })
            .collect()
    }

    /// What is still to be removed from the cell's cluster.
    ///
    /// # Errors
    /// As the store.
    pub async fn reap_list(&mut self, cell: &CellName) -> Result<Vec<ReapEntry>> {
        let found = self.tx.scan_all(&keys::reap_list(cell)).await?;
        Ok(found.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The cell's newest restart.
    ///
    /// # Errors
    /// As the store.
    pub async fn restart(&mut self, cell: &CellName) -> Result<Option<Restart>> {
        Ok(self.tx.get(&keys::restart(cell)).await?)
    }

    /// How the cell fares, as its observer last said.
    ///
    /// # Errors
    /// As the store.
    pub async fn cell_state(&mut self, cell: &CellName) -> Result<Option<CellState>> {
        Ok(self.tx.get(&keys::cell_state(cell)).await?)
    }

    /// For how many seconds the user's workspaces ran in a month, which is given as
    /// [`crate::operation::month_of`] writes it; 0 if there is no such user.
    ///
    /// # Errors
    /// As the store.
    pub async fn usage_seconds(&mut self, user: UserId, month: &str) -> Result<u64> {
        let Some(place) = self.tx.get::<UserPlace>(&keys::user_place(user)).await? else {
            return Ok(0);
        };
        let key = keys::usage_seconds(place.tenant, user, month);
        Ok(u64::try_from(self.tx.number(&key).await?).unwrap_or(0))
    }
}
