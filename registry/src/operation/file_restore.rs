//! Earlier contents of files that their person wants back: asked for here, carried out by the workspace's gateway, at the
//! latest when the workspace is woken.

use async_trait::async_trait;
use coditect_core::{
    AccountId, CellName, Error, FilePath, Kind, UserId, WorkspaceId, sidecar::Restored,
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{gateway::place_of, workspace::owned_to_change};
use crate::{
    keys::{self, WorkspacePart},
    record::{Action, FileMetadata, FileRestore, FileRestores, Snapshot},
    registry::Operation,
    tx::{Abort, Tx},
};

/// How many of a workspace may wait.
pub const MOST_RESTORES: usize = 8;
/// Longest path that is brought back, in bytes: what waits is one value of the registry. Gateways report none longer.
const LONGEST: usize = 1_024;
/// How long it is told what became of one.
const TOLD: SignedDuration = SignedDuration::from_hours(24);

/// Asks for a content back. The same file asked for again is asked for once: the last word counts.
pub struct RestoreFile {
    /// Who asks.
    pub account: AccountId,
    /// In which workspace.
    pub workspace: WorkspaceId,
    /// Which file.
    pub path: FilePath,
    /// Which of its snapshots ([`Snapshot::id`]).
    pub snapshot: Uuid,
    /// Names the wish; drawn by the caller.
    pub id: Uuid,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for RestoreFile {
    const NAME: &'static str = "restore_file";
    // Nothing of the file: the answer outlives an erasure.
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        if self.path.as_str().len() > LONGEST {
            let message = format!("is longer than {LONGEST} bytes");
            return Err(Error::invalid("path", message).into());
        }
        let place = owned_to_change(tx, self.account, self.workspace).await?;
        let (tenant, user) = (place.tenant, place.user);
        let range = keys::snapshots(tenant, user, self.workspace, &self.path);
        let snapshots = tx.scan_all::<Snapshot>(&range).await?;
        let snapshot = snapshots
            .iter()
            .map(|(_, snapshot)| snapshot)
            .find(|snapshot| snapshot.id() == Some(self.snapshot))
            .ok_or_else(|| Error::not_found("this version of the file is not kept any more"))?;
        let key = keys::file(tenant, user, self.workspace, &self.path);
        let present = tx.get::<FileMetadata>(&key).await?;
        // What no snapshot holds must not be overwritten.
        let replaces = present
            .map(|file| file.hash)
            .filter(|hash| snapshots.iter().any(|(_, kept)| kept.hash == *hash));
        let restore = FileRestore {
            id: self.id,
            path: self.path.clone(),
            snapshot: snapshot.clone(),
            replaces,
            asked_at: self.at,
            ended: None,
        };
        let key = keys::workspace(tenant, user, self.workspace, WorkspacePart::Restores);
        let mut restores = tx.get::<FileRestores>(&key).await?.unwrap_or_default();
        restores.asked.retain(|other| {
            let is_news = other
                .ended
                .as_ref()
                .is_none_or(|(ended, _)| self.at.duration_since(*ended) < TOLD);
            is_news && (other.path != self.path || other.ended.is_some())
        });
        if restores.asked.len() >= MOST_RESTORES {
            let oldest = restores.asked.iter().position(|one| one.ended.is_some());
            let Some(oldest) = oldest else {
                let message = format!(
                    "{MOST_RESTORES} files of this workspace wait to be brought back; wake it, and ask again once they are"
                );
                return Err(Error::new(Kind::LimitReached { limit: "restores" }, message).into());
            };
            restores.asked.remove(oldest);
        }
        restores.asked.push(restore);
        tx.put(&key, &restores)?;
        let action = Action::FileWantedBack {
            workspace: self.workspace,
        };
        tx.audit(tenant, self.at, Some(self.account), action)?;
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Notes what became of a wish. Of one that is unknown, or of which it was said already, nothing changes.
pub struct EndRestore {
    /// Which cell; a workspace of another is unknown.
    pub cell: CellName,
    /// Whose workspace.
    pub user: UserId,
    /// Which.
    pub workspace: WorkspaceId,
    /// The wish.
    pub id: Uuid,
    /// What became of it.
    pub outcome: Restored,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Operation for EndRestore {
    const NAME: &'static str = "end_restore";
    const IDEMPOTENT: bool = true;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), Abort> {
        let place = place_of(tx, &self.cell, self.user, self.workspace).await?;
        let key = keys::workspace(
            place.tenant,
            place.user,
            self.workspace,
            WorkspacePart::Restores,
        );
        let mut restores = tx.get::<FileRestores>(&key).await?.unwrap_or_default();
        let waiting = restores
            .asked
            .iter_mut()
            .find(|one| one.id == self.id && one.ended.is_none());
        if let Some(one) = waiting {
            one.ended = Some((self.at, self.outcome.clone()));
            tx.put(&key, &restores)?;
        }
        Ok(())
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}
