//! What registry, Git and Argo CD say of everything that is to go, read once a pass.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::{CellName, Result, Shard as ShardName, UserId, WorkspaceId};
use coditect_registry::{
    Registry,
    record::{ReapEntry, Tombstone},
};
use kube::Client;
use uuid::Uuid;

use super::{
    Head, Repository,
    application::Applications,
    cluster::Found,
    decide::{Evidence, Git, Shard, Tracked},
};

/// Kinds that the reaper removes itself; everything else is Argo CD's to prune first.
const OURS: [&str; 2] = ["Namespace", "PersistentVolumeClaim"];

/// Everything but the live objects.
pub(super) struct Proofs {
    /// How many users the registry has.
    pub(super) users: usize,
    /// What is to go, the oldest tombstone first.
    pub(super) entries: Vec<ReapEntry>,
    tombstones: BTreeMap<Uuid, Tombstone>,
    /// Of the users that are on the list: their shard and workspaces, if the registry still has an intent.
    intents: BTreeMap<UserId, (ShardName, BTreeSet<WorkspaceId>)>,
    applications: Applications,
    head: Option<Box<dyn Head>>,
}

impl Proofs {
    /// Reads the registry at one version, and only if there is something to do Git and Argo CD after it: what they
    /// say is then not older than the tombstones.
    pub(super) async fn read(
        registry: &Registry,
        cell: &CellName,
        client: &Client,
        repository: Option<&dyn Repository>,
    ) -> Result<Self> {
        let mut view = registry.view().await?;
        let complete = view.intents(cell).await.inspect_err(|_| {
            metrics::counter!("coditect_reaper_short_reads_total", "cell" => cell.to_string())
                .increment(1);
        })?;
        let mut entries = view.reap_list(cell).await?;
        entries.sort_by_key(|entry| (entry.at, entry.id()));
        let mut tombstones = BTreeMap::new();
        for entry in &entries {
            let tombstone = match entry.workspace {
                Some(workspace) => view.workspace_tombstone(cell, workspace).await?,
                None => view.user_tombstone(cell, entry.user).await?,
            };
            tombstones.extend(tombstone.map(|tombstone| (entry.id(), tombstone)));
        }
        let listed: BTreeSet<UserId> = entries.iter().map(|entry| entry.user).collect();
        let users = complete.rows.len();
        let intents = complete
            .rows
            .into_iter()
            .filter(|row| listed.contains(&row.intent.user))
            .map(|row| {
                let workspaces = row.intent.workspaces.iter().map(|workspace| workspace.id);
                (row.intent.user, (row.intent.shard, workspaces.collect()))
            })
            .collect();
        let mut proofs = Self {
            users,
            entries,
            tombstones,
            intents,
            applications: Applications::default(),
            head: None,
        };
        if !proofs.entries.is_empty() {
            let namespaces = listed.iter().map(UserId::namespace).collect();
            proofs.applications = Applications::read(client, cell, &namespaces).await?;
            if let Some(repository) = repository {
                proofs.head = Some(repository.head().await?);
            }
        }
        Ok(proofs)
    }

    /// The commit that was asked.
    pub(super) fn commit(&self) -> Option<String> {
        self.head.as_ref().map(|head| head.commit().to_owned())
    }

    /// What is written on the object as the reason of its end: the commit that no longer has it, as far as it is
    /// known, or when its tombstone was written.
    pub(super) fn reason(&self, entry: &ReapEntry) -> String {
        self.commit()
            .or_else(|| {
                let shard = self.applications.shards.get(&self.shard_of(entry))?;
                shard.revision.clone()
            })
            .unwrap_or_else(|| entry.at.to_string())
    }

    /// A user's shard is a hash of the id, stored at sign-up; of a user who is gone only the hash is left.
    fn shard_of(&self, entry: &ReapEntry) -> ShardName {
        self.intents
            .get(&entry.user)
            .map_or_else(|| ShardName::of(entry.user), |(shard, _)| *shard)
    }

    /// All that is known of one entry; the budget is the caller's.
    pub(super) async fn of(&self, entry: &ReapEntry, found: &Found) -> Result<Evidence> {
        let intent = self.intents.get(&entry.user);
        let wanted = match entry.workspace {
            Some(workspace) => intent.is_some_and(|(_, have)| have.contains(&workspace)),
            None => intent.is_some(),
        };
        let git = match (&self.head, entry.workspace) {
            (None, _) => Git::Unknown,
            (Some(head), Some(workspace)) => held(head.holds_volume(entry.user, workspace).await?),
            (Some(head), None) => held(head.holds(entry.user).await?),
        };
        let shard = self.shard_of(entry);
        let mut evidence = Evidence {
            tombstone: self.tombstones.get(&entry.id()).cloned(),
            wanted,
            git,
            shard: self.fares(shard).await?,
            tracked: Tracked::Unlisted,
            leftovers: found.leftovers.clone(),
            in_use: found.in_use.clone(),
            live: found.live.clone(),
            budget: false,
        };
        self.ask_argo_cd(entry, shard, &mut evidence).await?;
        Ok(evidence)
    }

    async fn fares(&self, shard: ShardName) -> Result<Shard> {
        let Some(application) = self.applications.shards.get(&shard) else {
            return Ok(Shard::Missing);
        };
        if let Some(why) = &application.unsettled {
            return Ok(Shard::Unsettled(why.clone()));
        }
        let newest = match (&self.head, &application.revision) {
            (Some(head), Some(revision)) => head.same_shard(revision, shard).await?,
            _ => false,
        };
        Ok(Shard::Synced {
            compared_at: application.compared_at,
            newest,
        })
    }

    async fn ask_argo_cd(
        &self,
        entry: &ReapEntry,
        shard: ShardName,
        evidence: &mut Evidence,
    ) -> Result<()> {
        let (kind, name) = match entry.workspace {
            Some(workspace) => ("PersistentVolumeClaim", workspace.object_name()),
            None => ("Namespace", entry.user.namespace()),
        };
        let of_namespace = self.applications.tracked.get(&entry.user.namespace());
        for object in of_namespace.into_iter().flatten() {
            if object.kind == kind && object.name == name {
                // Whichever Application still wants it, it stays.
                evidence.tracked = match (evidence.tracked, object.extraneous) {
                    (Tracked::Wanted, _) | (_, false) => Tracked::Wanted,
                    _ => Tracked::Extraneous,
                };
                if object.shard != shard {
                    evidence.shard = self.fares(object.shard).await?;
                }
            } else if !OURS.contains(&object.kind.as_str())
                && (entry.workspace.is_none() || object.name == name)
            {
                let leftover = format!("{}/{}", object.kind, object.name);
                if !evidence.leftovers.contains(&leftover) {
                    evidence.leftovers.push(leftover);
                }
            }
        }
        Ok(())
    }
}

const fn held(holds: bool) -> Git {
    if holds { Git::Present } else { Git::Absent }
}
