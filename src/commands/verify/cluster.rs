//! What a cell's cluster should hold: the newest commit's files, and the scales that the registry's power asks for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use coditect_core::{CellName, Error, Power, Result, Standing, UserId, WorkspaceId};
use coditect_observer::compare::{Desired, Wanted};
use coditect_registry::Registry;
use coditect_renderer::{
    check,
    git::{CellRepository, Oid, ShardTree},
};
use serde_json::Value;
use tokio::task::spawn_blocking;

/// How old the tree of the newest commit may be: a busy cell commits many times a second.
const FRESH: Duration = Duration::from_millis(200);

/// A cell's repository and registry.
pub(super) struct GitAndRegistry {
    pub(super) registry: Registry,
    pub(super) cell: CellName,
    /// True while the policy holds the cell: then every scale is 0.
    held: bool,
    git: Arc<Git>,
}

struct Git {
    repository: CellRepository,
    seen: Mutex<Option<Seen>>,
}

#[derive(Clone)]
struct Seen {
    at: Instant,
    commit: Option<Oid>,
    tree: ShardTree,
}

impl GitAndRegistry {
    pub(super) fn new(
        registry: Registry,
        cell: CellName,
        held: bool,
        repository: CellRepository,
    ) -> Self {
        let git = Git {
            repository,
            seen: Mutex::new(None),
        };
        Self {
            registry,
            cell,
            held,
            git: Arc::new(git),
        }
    }

    async fn git<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Git) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let git = Arc::clone(&self.git);
        spawn_blocking(move || read(&git))
            .await
            .map_err(|error| Error::internal("a background task panicked").because(error))?
    }
}

impl Git {
    /// The tree of the newest commit.
    fn tree(&self) -> Result<ShardTree> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = seen.as_ref().filter(|seen| seen.at.elapsed() < FRESH) {
            return Ok(seen.tree.clone());
        }
        let commit = self.repository.head_commit()?;
        let tree = match (&*seen, commit) {
            (Some(seen), _) if seen.commit == commit => seen.tree.clone(),
            (_, Some(commit)) => self.repository.tree(commit)?,
            (_, None) => ShardTree::empty(),
        };
        let at = Instant::now();
        *seen = Some(Seen {
            at,
            commit,
            tree: tree.clone(),
        });
        Ok(tree)
    }

    fn documents(&self, user: UserId) -> Result<Option<Vec<Value>>> {
        let Some((_, blob)) = self.tree()?.find(user) else {
            return Ok(None);
        };
        let bytes = self.repository.blob(blob)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(Some(check::documents(&text)?))
    }
}

#[async_trait]
impl Desired for GitAndRegistry {
    async fn users(&self) -> Result<BTreeSet<UserId>> {
        self.git(|git| Ok(git.tree()?.iter().map(|(_, user, _)| user).collect()))
            .await
    }

    async fn of(&self, user: UserId) -> Result<Option<Wanted>> {
        let Some(documents) = self.git(move |git| git.documents(user)).await? else {
            return Ok(None);
        };
        let mut wanted = Wanted {
            documents,
            ..Wanted::default()
        };
        // Who is in Git and not in the registry is told by the comparison of those two.
        if let Some(runtime) = self
            .registry
            .view()
            .await?
            .runtime(&self.cell, user)
            .await?
        {
            let intent = &runtime.row.intent;
            wanted.scales = runtime
                .workspaces
                .iter()
                .map(|workspace| {
                    let standing = intent.workspace(workspace.id).map(|have| have.standing);
                    let on = !self.held
                        && workspace.power.power == Power::On
                        && intent.standing == Standing::Active
                        && standing == Some(Standing::Active);
                    (workspace.id.object_name(), i64::from(on))
                })
                .collect::<BTreeMap<_, _>>();
            wanted.quarantined = runtime
                .quarantine
                .map(|quarantine| quarantine.reason.detail);
        }
        Ok(Some(wanted))
    }

    async fn is_buried(&self, user: UserId) -> Result<bool> {
        let mut view = self.registry.view().await?;
        Ok(view.user_tombstone(&self.cell, user).await?.is_some())
    }

    async fn is_workspace_buried(&self, workspace: WorkspaceId) -> Result<bool> {
        let mut view = self.registry.view().await?;
        let tombstone = view.workspace_tombstone(&self.cell, workspace).await?;
        Ok(tombstone.is_some())
    }
}
