//! A registry restored from a backup is older than Git. Nobody who was deleted since comes back, and nobody
//! who signed up since is lost (their files are orphans: kept, reported).

use std::collections::BTreeSet;

use coditect_core::{CellName, Epoch, RequestId, Result, UserId, WorkspaceId};
use coditect_registry::{
    Registry,
    operation::{BeginEpoch, BuryMissing},
};
use jiff::Timestamp;

use crate::{
    git::{CellRepository, Checkpoint},
    load::Work,
    reconcile::blocking,
};

/// Tombstones written in one transaction.
const AT_ONCE: usize = 100;

/// How a registry is older than Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// It is in another life than the checkpoint in Git.
    OtherEpoch,
    /// It is in the same life and behind the checkpoint: restored without beginning a new one.
    Behind,
    /// It has not been told of the newest commit: restored and busy since, or the renderer was killed between
    /// the two. Looking into history is harmless in either case.
    NotTold,
}

/// How the registry is older than the checkpoint in Git, if it is.
pub(crate) fn age(last: &Checkpoint, work: &Work) -> Option<Age> {
    if work.epoch != Some(last.epoch) {
        Some(Age::OtherEpoch)
    } else if last.version > work.version {
        Some(Age::Behind)
    } else if last.version > work.noted {
        Some(Age::NotTold)
    } else {
        None
    }
}

/// Reads from Git's whole history who was deleted and writes the tombstones that the registry has lost. A
/// registry that is behind in its own life begins a new one, first: a crash in between repeats all of this.
pub(crate) async fn bury_what_git_remembers(
    registry: &Registry,
    repository: CellRepository,
    cell: &CellName,
    age: Age,
) -> Result<()> {
    let at = Timestamp::now();
    if age == Age::Behind {
        let epoch = Epoch::random();
        registry
            .apply(RequestId::random(), &BeginEpoch { epoch, at })
            .await?;
    }
    let groups = blocking(move || {
        let Some(head) = repository.head_commit()? else {
            return Ok([Deleted::default(), Deleted::default()]);
        };
        Deleted::read(&repository, head)
    })
    .await?;
    for (deleted, requested) in groups.into_iter().zip([false, true]) {
        if deleted.users.is_empty() && deleted.workspaces.is_empty() {
            continue;
        }
        tracing::warn!(
            %cell,
            ?age,
            users = deleted.users.len(),
            workspaces = deleted.workspaces.len(),
            "the registry may be older than Git; deletions are taken from Git's history"
        );
        let bury = |users: &[UserId], workspaces: &[(UserId, WorkspaceId)]| BuryMissing {
            cell: cell.clone(),
            users: users.to_vec(),
            workspaces: workspaces.to_vec(),
            requested,
            at,
        };
        let users: Vec<UserId> = deleted.users.into_iter().collect();
        for users in users.chunks(AT_ONCE) {
            registry
                .apply(RequestId::random(), &bury(users, &[]))
                .await?;
        }
        let workspaces: Vec<(UserId, WorkspaceId)> = deleted.workspaces.into_iter().collect();
        for workspaces in workspaces.chunks(AT_ONCE) {
            registry
                .apply(RequestId::random(), &bury(&[], workspaces))
                .await?;
        }
    }
    Ok(())
}

/// What commits have deleted.
#[derive(Debug, Default)]
struct Deleted {
    users: BTreeSet<UserId>,
    workspaces: BTreeSet<(UserId, WorkspaceId)>,
}

impl Deleted {
    /// What was deleted without and with the persons' own requests.
    fn read(repository: &CellRepository, head: git2::Oid) -> Result<[Self; 2]> {
        let intent = |blob: git2::Oid| -> Result<_> {
            Ok(crate::render::intent_of(&repository.blob(blob)?))
        };
        let mut groups = [Self::default(), Self::default()];
        for cut in repository.cuts(head)? {
            let deleted = &mut groups[usize::from(cut.requested)];
            let now = cut.after.map(intent).transpose()?.flatten();
            let had = intent(cut.before)?;
            let had = had.iter().flat_map(|intent| &intent.workspaces);
            let kept = |id| now.as_ref().is_some_and(|now| now.workspace(id).is_some());
            let gone = had.map(|workspace| workspace.id).filter(|id| !kept(*id));
            deleted.workspaces.extend(gone.map(|id| (cut.user, id)));
            if cut.after.is_none() {
                deleted.users.insert(cut.user);
            }
        }
        Ok(groups)
    }
}
