//! What may be asked of a view.

mod observer;

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::{
    AccountId, CellName, Email, Error, LoginId, Phase, RegistrationId, Result, TenantId, UserId,
    Version, WorkspaceId,
};
use jiff::Timestamp;

use crate::{
    keys::{self, WorkspacePart},
    operation::is_live,
    record::{
        Account, AuditEntry, Committed, Credential, IntentRow, Landed, Lease, Login, PowerState,
        Record, Registration, Requested, Status, Tenant, Tombstone, User, UserPlace, Workspace,
        WorkspacePlace,
    },
    registry::View,
    store::{Key, KeyRange},
    tx::{no_such_workspace, trailing_uuid},
};

pub use observer::{PowerChanges, UserRuntime, WorkspaceRuntime};

/// A workspace with everything known of it.
#[derive(Clone, Debug)]
pub struct WorkspaceView {
    /// Its id.
    pub id: WorkspaceId,
    /// Where it is.
    pub place: WorkspacePlace,
    /// Name, dates, mark.
    pub profile: Workspace,
    /// What is wanted in the cluster.
    pub intent: coditect_core::WorkspaceIntent,
    /// The user's intent as a whole.
    pub row: IntentRow,
    /// Whether its pod should run.
    pub power: PowerState,
    /// What the observer saw, if anything.
    pub status: Option<Status>,
    /// When its newest change was asked for, and the generation that holds it.
    pub requested: Requested,
    /// The commit that brought its newest change to Git, once there is one.
    pub landed: Option<Landed>,
}

impl WorkspaceView {
    /// Where the workspace stands. A change of one that is in the cluster already shows in its timeline, not
    /// here: a workspace that runs does not become `requested` because its plan changed.
    #[must_use]
    pub fn phase(&self) -> Phase {
        if self.intent.standing == coditect_core::Standing::Marked
            || self.row.intent.standing == coditect_core::Standing::Marked
        {
            return Phase::Deleting;
        }
        match (&self.status, &self.landed) {
            (Some(status), _) => status.phase,
            (None, Some(_)) => Phase::Committed,
            (None, None) => Phase::Requested,
        }
    }
}

/// All intents of a cell at one version. Made only by a read that was complete.
#[derive(Clone, Debug)]
pub struct Complete {
    /// The rows, by user id.
    pub rows: Vec<IntentRow>,
    /// The version they are of.
    pub version: Version,
}

/// A part of the change feed.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Who changed; their state is read anew.
    pub users: BTreeSet<UserId>,
    /// Every change up to and including this version is among them.
    pub until: Version,
    /// True if the feed holds more.
    pub more: bool,
}

impl View {
    /// A person.
    ///
    /// # Errors
    /// As the store.
    pub async fn account(&mut self, account: AccountId) -> Result<Option<Account>> {
        Ok(self.tx.get(&keys::account(account)).await?)
    }

    /// Who has this address, and their credential.
    ///
    /// # Errors
    /// As the store.
    pub async fn account_by_email(
        &mut self,
        email: &Email,
    ) -> Result<Option<(AccountId, Credential)>> {
        let Some(account) = self.tx.get::<AccountId>(&keys::email(email)).await? else {
            return Ok(None);
        };
        Ok(self
            .tx
            .get(&keys::credential(account))
            .await?
            .map(|credential| (account, credential)))
    }

    /// A person's credential.
    ///
    /// # Errors
    /// As the store.
    pub async fn credential(&mut self, account: AccountId) -> Result<Option<Credential>> {
        Ok(self.tx.get(&keys::credential(account)).await?)
    }

    /// A sign-in, if it may still be used.
    ///
    /// # Errors
    /// As the store.
    pub async fn login(
        &mut self,
        account: AccountId,
        login: LoginId,
        now: Timestamp,
    ) -> Result<Option<Login>> {
        Ok(self
            .tx
            .get::<Login>(&keys::login(account, login))
            .await?
            .filter(|login| is_live(login, now)))
    }

    /// A sign-up.
    ///
    /// # Errors
    /// As the store.
    pub async fn registration(
        &mut self,
        registration: RegistrationId,
    ) -> Result<Option<Registration>> {
        Ok(self.tx.get(&keys::registration(registration)).await?)
    }

    /// The tenants an account belongs to, each with its user there.
    ///
    /// # Errors
    /// As the store.
    pub async fn memberships(&mut self, account: AccountId) -> Result<Vec<(TenantId, UserId)>> {
        let found = self
            .tx
            .scan_all::<UserId>(&keys::memberships(account))
            .await?;
        found
            .into_iter()
            .map(|(key, user)| Ok((TenantId::from_bytes(*trailing_uuid(&key)?.as_bytes()), user)))
            .collect()
    }

    /// A tenant.
    ///
    /// # Errors
    /// As the store.
    pub async fn tenant(&mut self, tenant: TenantId) -> Result<Option<Tenant>> {
        Ok(self.tx.get(&keys::tenant(tenant)).await?)
    }

    /// A user with its tenant.
    ///
    /// # Errors
    /// As the store.
    pub async fn user(&mut self, user: UserId) -> Result<Option<(TenantId, User)>> {
        let Some(place) = self.tx.get::<UserPlace>(&keys::user_place(user)).await? else {
            return Ok(None);
        };
        Ok(self
            .tx
            .get(&keys::user(place.tenant, user))
            .await?
            .map(|user| (place.tenant, user)))
    }

    /// A user's workspaces in order of id.
    ///
    /// # Errors
    /// As the store; `NotFound` if there is no such user.
    pub async fn workspaces(&mut self, user: UserId) -> Result<Vec<WorkspaceView>> {
        let missing = || Error::not_found("there is no user of that id");
        let place: UserPlace = self
            .tx
            .get(&keys::user_place(user))
            .await?
            .ok_or_else(missing)?;
        let row: IntentRow = self
            .tx
            .get(&keys::intent(&place.cell, user))
            .await?
            .ok_or_else(missing)?;
        let committed = self.committed(&place.cell, user).await?;
        let mut views = Vec::with_capacity(row.intent.workspaces.len());
        for workspace in &row.intent.workspaces {
            let place = WorkspacePlace {
                tenant: place.tenant,
                user,
                cell: place.cell.clone(),
            };
            views.push(
                self.assemble(place, &row, workspace.id, committed.as_ref())
                    .await?,
            );
        }
        Ok(views)
    }

    /// One workspace, if it is the account's.
    ///
    /// # Errors
    /// As the store; `NotFound` if there is none or it is somebody else's.
    pub async fn workspace(
        &mut self,
        account: AccountId,
        id: WorkspaceId,
    ) -> Result<WorkspaceView> {
        let place: WorkspacePlace = self
            .tx
            .get(&keys::workspace_place(id))
            .await?
            .ok_or_else(no_such_workspace)?;
        let user: User = self
            .tx
            .get(&keys::user(place.tenant, place.user))
            .await?
            .ok_or_else(no_such_workspace)?;
        if user.account != account {
            return Err(no_such_workspace());
        }
        let row: IntentRow = self
            .tx
            .get(&keys::intent(&place.cell, place.user))
            .await?
            .ok_or_else(no_such_workspace)?;
        let committed = self.committed(&place.cell, place.user).await?;
        self.assemble(place, &row, id, committed.as_ref()).await
    }

    pub(crate) async fn assemble(
        &mut self,
        place: WorkspacePlace,
        row: &IntentRow,
        id: WorkspaceId,
        committed: Option<&Committed>,
    ) -> Result<WorkspaceView> {
        let key = |part| keys::workspace(place.tenant, place.user, id, part);
        let profile: Workspace = self
            .tx
            .get(&key(WorkspacePart::Profile))
            .await?
            .ok_or_else(no_such_workspace)?;
        let power: PowerState = self
            .tx
            .get(&key(WorkspacePart::Power))
            .await?
            .ok_or_else(no_such_workspace)?;
        let status = self.tx.get(&key(WorkspacePart::Status)).await?;
        let intent = row
            .intent
            .workspace(id)
            .cloned()
            .ok_or_else(no_such_workspace)?;
        let requested = row.requested.get(&id).copied().unwrap_or(Requested {
            generation: row.intent.generation,
            at: row.changed_at,
        });
        let landed = committed
            .and_then(|committed| committed.workspaces.get(&id))
            .cloned();
        Ok(WorkspaceView {
            id,
            place,
            profile,
            intent,
            row: row.clone(),
            power,
            status,
            requested,
            landed,
        })
    }

    /// The newest entries of a tenant's audit, newest first.
    ///
    /// # Errors
    /// As the store.
    pub async fn audit(&mut self, tenant: TenantId, limit: usize) -> Result<Vec<AuditEntry>> {
        let found = self
            .tx
            .scan_back(&KeyRange::below(&keys::audit(tenant)), limit)
            .await?;
        Ok(found.into_iter().map(|(_, entry)| entry).collect())
    }

    /// What the cell's change signal says, to be handed to [`crate::Registry::changed`].
    ///
    /// # Errors
    /// As the store.
    pub async fn change_signal(&mut self, cell: &CellName) -> Result<i64> {
        Ok(self.tx.number(&keys::change_signal(cell)).await?)
    }

    /// The checkpoint of the newest commit of the cell that the registry was told of.
    ///
    /// # Errors
    /// As the store.
    pub async fn published(&mut self, cell: &CellName) -> Result<Version> {
        Ok(self
            .tx
            .get(&keys::published(cell))
            .await?
            .unwrap_or_default())
    }

    /// Entries of the cell's change feed at or below this version are gone.
    ///
    /// # Errors
    /// As the store.
    pub async fn feed_floor(&mut self, cell: &CellName) -> Result<Version> {
        Ok(self
            .tx
            .get(&keys::feed_floor(cell))
            .await?
            .unwrap_or_default())
    }

    /// The users that changed after `version`, each once, and the version up to which that is everything: that
    /// of the view, or of the last whole commit among the first `limit` entries.
    ///
    /// # Errors
    /// As the store.
    pub async fn changes_after(
        &mut self,
        cell: &CellName,
        version: Version,
        limit: usize,
    ) -> Result<Changes> {
        let (users, until, more) = self.feed(&keys::change_feed(cell), version, limit).await?;
        Ok(Changes { users, until, more })
    }

    /// What a feed of ids holds behind `version`: each id once, the version up to which that is everything, and
    /// whether there is more.
    async fn feed<T: Record + Ord>(
        &mut self,
        feed: &Key,
        version: Version,
        limit: usize,
    ) -> Result<(BTreeSet<T>, Version, bool)> {
        let range = keys::feed_after(feed, version);
        let (entries, more) = self.tx.scan::<T>(&range, limit).await?;
        let mut stamped = Vec::with_capacity(entries.len());
        for (key, id) in entries {
            stamped.push((
                keys::stamp_of(&key)
                    .ok_or_else(|| Error::internal("a feed entry without a stamp"))?,
                id,
            ));
        }
        let newest = stamped.last().map(|(stamp, _)| *stamp);
        let until = match newest {
            // One commit may have written more entries than fit; what lies before it is complete.
            Some(newest) if more && stamped[0].0 < newest => {
                stamped.retain(|(stamp, _)| *stamp < newest);
                Version(newest.0 - 1)
            }
            // All of them of one commit: read on, whatever the limit says.
            Some(newest) if more => {
                let (rest, _) = self
                    .tx
                    .scan::<T>(&keys::feed_between(feed, version, newest), usize::MAX)
                    .await?;
                stamped = rest.into_iter().map(|(_, id)| (newest, id)).collect();
                newest
            }
            _ => self.tx.version().await?,
        };
        Ok((stamped.into_iter().map(|(_, id)| id).collect(), until, more))
    }

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
}
