//! load: what the registry wants, read anew at one version.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::{CellName, Epoch, Result, UserId, Version};
use coditect_registry::{
    Registry, View,
    record::{AwaitedApproval, IntentRow, Quarantine, Tombstone},
};

use crate::git::ShardTree;

/// How many changes one flush takes.
pub const FLUSH: usize = 256;

/// What one commit is to be made of.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Users as the registry wants them.
    pub rows: Vec<IntentRow>,
    /// Users whose id is dead, with what wrote the tombstone.
    pub gone: Vec<(UserId, Tombstone)>,
    /// Users in Git of which the registry knows nothing, neither row nor tombstone: kept and reported.
    pub orphans: BTreeSet<UserId>,
    /// Users whose newest commit the registry may not have noted, and the generation that it has noted.
    pub unnoted: BTreeMap<UserId, u64>,
    /// Users whose file the cluster refuses.
    pub quarantines: BTreeMap<UserId, Quarantine>,
    /// What users wait for who wait for an approval.
    pub awaited: BTreeMap<UserId, AwaitedApproval>,
    /// Every change up to and including this version is in here.
    pub version: Version,
    /// Which life of the registry this is.
    pub epoch: Option<Epoch>,
    /// The newest version of the registry when it was read.
    pub registry_version: Version,
    /// The checkpoint of the newest commit that the registry was told of.
    pub noted: Version,
    /// Entries of the feed at or below this version are gone.
    pub floor: Version,
    /// True if there is more to load at once.
    pub more: bool,
}

/// The users that changed after `since`, and those of `retry`.
///
/// # Errors
/// `Unavailable` if the registry does not answer.
pub async fn changes(
    registry: &Registry,
    cell: &CellName,
    since: Version,
    retry: &BTreeSet<UserId>,
) -> Result<Work> {
    let mut view = registry.view().await?;
    let changes = view.changes_after(cell, since, FLUSH).await?;
    let mut work = Work {
        version: changes.until,
        epoch: Some(view.epoch().await?),
        more: changes.more,
        floor: view.feed_floor(cell).await?,
        registry_version: view.version().await?,
        quarantines: view.quarantines(cell).await?,
        awaited: view.awaited_approvals(cell).await?,
        ..Work::default()
    };
    for user in changes.users.union(retry) {
        match view.intent(cell, *user).await? {
            Some(row) => work.rows.push(row),
            None => absent(&mut view, cell, *user, &mut work).await?,
        }
    }
    Ok(work)
}

/// Every user of the cell, and what Git holds beyond them.
///
/// # Errors
/// `Unavailable` if the registry does not answer, or answers with fewer users than it counts.
pub async fn everything(registry: &Registry, cell: &CellName, tree: &ShardTree) -> Result<Work> {
    let mut view = registry.view().await?;
    let complete = view.intents(cell).await.inspect_err(|_| {
        metrics::counter!("coditect_renderer_short_reads_total", "cell" => cell.to_string())
            .increment(1);
    })?;
    let noted = view.all_committed(cell).await?;
    let known: BTreeSet<UserId> = complete.rows.iter().map(|row| row.intent.user).collect();
    let unnoted = complete
        .rows
        .iter()
        .map(|row| (row, noted.get(&row.intent.user).copied().unwrap_or(0)))
        .filter(|(row, noted)| *noted < row.intent.generation)
        .map(|(row, noted)| (row.intent.user, noted))
        .collect();
    let mut work = Work {
        rows: complete.rows,
        version: complete.version,
        epoch: Some(view.epoch().await?),
        unnoted,
        registry_version: complete.version,
        noted: view.published(cell).await?,
        quarantines: view.quarantines(cell).await?,
        awaited: view.awaited_approvals(cell).await?,
        ..Work::default()
    };
    for (_, user, _) in tree.iter().filter(|(_, user, _)| !known.contains(user)) {
        absent(&mut view, cell, user, &mut work).await?;
    }
    Ok(work)
}

/// Absence is never deletion: only a tombstone says that a user is gone.
async fn absent(view: &mut View, cell: &CellName, user: UserId, work: &mut Work) -> Result<()> {
    match view.user_tombstone(cell, user).await? {
        Some(tombstone) => work.gone.push((user, tombstone)),
        None => {
            work.orphans.insert(user);
        }
    }
    Ok(())
}
