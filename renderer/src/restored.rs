//! A registry restored from a backup is older than Git. Nobody who was deleted since comes back, and nobody
//! who signed up since is lost (their files are orphans: kept, reported).

use std::collections::BTreeSet;

use coditect_core::{CellName, Epoch, RequestId, Result, UserId, Version, WorkspaceId};
use coditect_registry::{
    Registry,
    operation::{BeginEpoch, BuryMissing},
};
use jiff::Timestamp;

use crate::{
    git::{CellRepository, Checkpoint, Cut},
    reconcile::blocking,
};

/// Tombstones written in one transaction.
const AT_ONCE: usize = 100;

/// True if the checkpoint in Git is of another life of the registry, or ahead of this one.
pub(crate) fn is_older(last: &Checkpoint, epoch: Option<Epoch>, version: Version) -> bool {
    epoch != Some(last.epoch) || last.version > version
}

/// Reads from Git's whole history who was deleted, writes the tombstones that the registry has lost, and
/// begins a new epoch if the restore did not.
pub(crate) async fn bury_what_git_remembers(
    registry: &Registry,
    repository: CellRepository,
    cell: &CellName,
    checkpoint: Epoch,
) -> Result<()> {
    let deleted = blocking(move || {
        let Some(head) = repository.head_commit()? else {
            return Ok(Deleted::default());
        };
        Deleted::read(&repository, head)
    })
    .await?;
    tracing::warn!(
        %cell,
        users = deleted.users.len(),
        workspaces = deleted.workspaces.len(),
        "the registry is older than Git or another one; deletions are taken from Git's history"
    );
    let at = Timestamp::now();
    let users: Vec<UserId> = deleted.users.into_iter().collect();
    for users in users.chunks(AT_ONCE) {
        let bury = BuryMissing {
            cell: cell.clone(),
            users: users.to_vec(),
            workspaces: Vec::new(),
            at,
        };
        registry.apply(RequestId::random(), &bury).await?;
    }
    let workspaces: Vec<WorkspaceId> = deleted.workspaces.into_iter().collect();
    for workspaces in workspaces.chunks(AT_ONCE) {
        let bury = BuryMissing {
            cell: cell.clone(),
            users: Vec::new(),
            workspaces: workspaces.to_vec(),
            at,
        };
        registry.apply(RequestId::random(), &bury).await?;
    }
    if registry.view().await?.epoch().await? == checkpoint {
        registry
            .apply(
                RequestId::random(),
                &BeginEpoch {
                    epoch: Epoch::random(),
                    at,
                },
            )
            .await?;
    }
    Ok(())
}

/// What commits have deleted.
#[derive(Debug, Default)]
struct Deleted {
    users: BTreeSet<UserId>,
    workspaces: BTreeSet<WorkspaceId>,
}

impl Deleted {
    fn read(repository: &CellRepository, head: git2::Oid) -> Result<Self> {
        let mut deleted = Self::default();
        for Cut {
            user,
            before,
            after,
        } in repository.cuts(head)?
        {
            let intent = |blob: Option<git2::Oid>| -> Result<_> {
                Ok(match blob {
                    Some(blob) => crate::render::intent_of(&repository.blob(blob)?),
                    None => None,
                })
            };
            let (before, now) = (intent(Some(before))?, intent(after)?);
            let kept: BTreeSet<WorkspaceId> = now
                .iter()
                .flat_map(|intent| &intent.workspaces)
                .map(|workspace| workspace.id)
                .collect();
            deleted.workspaces.extend(
                before
                    .iter()
                    .flat_map(|intent| &intent.workspaces)
                    .map(|workspace| workspace.id)
                    .filter(|id| !kept.contains(id)),
            );
            if after.is_none() {
                deleted.users.insert(user);
            }
        }
        Ok(deleted)
    }
}
