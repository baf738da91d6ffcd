//! Reads the cells' repositories of this installation for the API, which has no Git of its own.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use coditect_api::{CommittedChange, Manifest, Manifests, Repositories};
use coditect_core::{CellName, Error, Result, UserId, WorkspaceId};
use coditect_renderer::{git::CellRepository, told};
use futures::{FutureExt, future::BoxFuture};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::data::Data;

/// How many questions are read at a time: each walks the branch's commits, and rendering goes first.
const AT_ONCE: usize = 2;

/// Reads what stands beside this process.
pub(crate) struct Reader {
    data: Data,
    places: Arc<Semaphore>,
    open: Mutex<BTreeMap<CellName, CellRepository>>,
}

impl Reader {
    pub(crate) fn new(data: Data) -> Self {
        Self {
            data,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            open: Mutex::default(),
        }
    }

    /// The cell's repository; none if it is not in this installation's folder (yet).
    fn repository(&self, cell: &CellName) -> Result<Option<CellRepository>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repository) = open.get(cell) {
            return Ok(Some(repository.clone()));
        }
        let path = self.data.repository(cell);
        if !path.is_dir() {
            return Ok(None);
        }
        let repository = CellRepository::open(path)?;
        open.insert(cell.clone(), repository.clone());
        Ok(Some(repository))
    }

    /// Reads on a thread of its own, when it is this question's turn.
    async fn read<T: Send + 'static>(
        &self,
        cell: CellName,
        read: impl FnOnce(&CellRepository) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let Some(repository) = self.repository(&cell)? else {
            return Ok(None);
        };
        let place = Arc::clone(&self.places).acquire_owned().await;
        let reading = spawn_blocking(move || {
            // Held until it is read, also when nobody waits for it any more.
            let _place = place;
            read(&repository)
        });
        let read = reading
            .await
            .map_err(|error| Error::internal("reading a repository failed").because(error))?;
        read.map(Some)
    }
}

impl Repositories for Reader {
    fn history(
        &self,
        cell: CellName,
        user: UserId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Option<Vec<CommittedChange>>>> {
        async move {
            let told = self.read(cell, move |repository| {
                told::history(repository, user, limit)
            });
            let change = |told: told::Told| CommittedChange {
                commit: told.commit,
                at: told.at,
                sentences: told.sentences,
                diff: told.diff,
            };
            Ok(told
                .await?
                .map(|told| told.into_iter().map(change).collect()))
        }
        .boxed()
    }

    fn manifests(
        &self,
        cell: CellName,
        user: UserId,
        workspace: WorkspaceId,
        commit: Option<String>,
    ) -> BoxFuture<'_, Result<Option<Manifests>>> {
        async move {
            let held = self.read(cell, move |repository| {
                told::manifests(repository, user, workspace, commit.as_deref())
            });
            let object = |object: told::Object| Manifest {
                kind: object.kind,
                name: object.name,
                yaml: object.yaml,
            };
            Ok(held.await?.map(|held| Manifests {
                commit: held.commit,
                at: held.at,
                path: held.path,
                objects: held.objects.into_iter().map(object).collect(),
            }))
        }
        .boxed()
    }
}
