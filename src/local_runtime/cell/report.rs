//! What a cell tells the registry: what is seen, and what was removed.

use std::sync::Arc;

use coditect_core::{Error, Phase, RequestId, Result, UserId, WorkspaceId};
use coditect_registry::{
    operation::{NoteCell, NoteReaped, NoteStatus, STATUSES_AT_ONCE},
    record::{CellState, ReapEntry, Status},
};
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::{Books, Cell, in_git, lock};
use crate::local_runtime::{head::Files, said, worker::Life};

impl Cell {
    /// Notes how the cell fares as a whole, where that is not what was noted last or long ago.
    pub(super) async fn note_cell(&mut self) -> Result<()> {
        let at = Timestamp::now();
        let state = self.state(at);
        if !state.is_news(self.noted.as_ref()) {
            return Ok(());
        }
        let note = NoteCell {
            cell: self.name.clone(),
            state: state.clone(),
            at,
        };
        self.parts
            .registry
            .apply(RequestId::random(), &note)
            .await?;
        self.noted = Some(state);
        Ok(())
    }

    fn state(&self, at: Timestamp) -> CellState {
        let mut state = CellState {
            held: self.held(),
            scales_wrong: 0,
            workspaces: 0,
            ready: 0,
            connected: true,
            argocd_unreachable: None,
            at,
        };
        for hired in self.workers.values() {
            let pod = hired.life.borrow().pod.clone();
            state.workspaces += 1;
            // Who is to run and does not yet is starting; who runs and is not to was not heard of by the worker yet.
            state.scales_wrong += u32::from(pod.is_some() && !hired.wishes.borrow().on);
            state.ready += u32::from(pod.is_some_and(|pod| pod.ready));
        }
        state
    }

    /// Notes what is seen, where it is not what was noted last.
    pub(super) async fn say(&self, books: &Books, files: &Files) -> Result<()> {
        let (now, held) = (Timestamp::now(), self.held());
        let mut statuses = Vec::new();
        for user in &books.users {
            for workspace in &user.workspaces {
                let id = workspace.id;
                let life = self
                    .workers
                    .get(&id)
                    .map(|hired| hired.life.borrow().clone());
                let wanted = said::wanted(user, workspace, held);
                let found = in_git(files, user.row.intent.user, id);
                let found = found.map(|(file, pod)| (file.as_ref(), pod.as_ref()));
                let told = self.told.get(&id).map(Vec::as_slice).unwrap_or_default();
                let before = workspace.status.as_ref();
                let life = life.unwrap_or_default();
                let say = |life: &Life, before: Option<&Status>, now| {
                    said::status(&wanted, found, life, told, before, now)
                };
                // What came up between two looks has started all the same.
                let started = life.began().map(|(life, at)| say(&life, before, at));
                let status = match &started {
                    Some(started) if is_new(started, before) => say(&life, Some(started), now),
                    _ => say(&life, before, now),
                };
                if before != Some(&status) {
                    statuses.push((user.row.intent.user, id, status));
                }
            }
        }
        self.note(statuses).await
    }

    async fn note(&self, statuses: Vec<(UserId, WorkspaceId, Status)>) -> Result<()> {
        for part in statuses.chunks(STATUSES_AT_ONCE) {
            let noted = NoteStatus {
                cell: self.name.clone(),
                statuses: part.to_vec(),
                at: Timestamp::now(),
            };
            self.parts
                .registry
                .apply(RequestId::random(), &noted)
                .await?;
        }
        Ok(())
    }

    /// Nothing runs any more: whoever asks before the next start should not be told otherwise.
    pub(super) async fn note_stopped(&self) -> Result<()> {
        let head = Arc::clone(&self.head);
        let files = spawn_blocking(move || lock(&head).read())
            .await
            .map_err(|error| Error::internal("reading the repository panicked").because(error))??;
        let books = self.read().await?;
        self.say(&books, &files).await
    }

    /// Removes volumes of what has a tombstone, is gone from Git, and runs no more.
    pub(super) async fn reap(&self, entries: &[ReapEntry], files: &Files) -> Result<()> {
        for entry in entries {
            let (user, workspace) = (entry.user, entry.workspace);
            let in_git = match (files.get(&user), workspace) {
                (Some(file), Some(workspace)) => file.intent.workspace(workspace).is_some(),
                (file, _) => file.is_some(),
            };
            let runs = match workspace {
                Some(workspace) => {
                    self.workers.contains_key(&workspace) || self.leaving.contains_key(&workspace)
                }
                None => {
                    self.workers.values().any(|hired| hired.user == user)
                        || !self.leaving.is_empty()
                }
            };
            if in_git || runs {
                continue;
            }
            let volumes = self.parts.volumes.clone();
            spawn_blocking(move || volumes.remove(user, workspace))
                .await
                .map_err(|error| Error::internal("removing a volume panicked").because(error))??;
            tracing::info!(%user, workspace = workspace.map(tracing::field::display), "a volume was removed for its tombstone");
            let noted = NoteReaped {
                cell: self.name.clone(),
                id: entry.id(),
                at: Timestamp::now(),
            };
            self.parts
                .registry
                .apply(RequestId::random(), &noted)
                .await?;
        }
        Ok(())
    }
}

/// True if it was not known that the workspace starts.
fn is_new(started: &Status, before: Option<&Status>) -> bool {
    started.phase == Phase::Starting
        && !before.is_some_and(|before| {
            matches!(before.phase, Phase::Starting | Phase::Ready | Phase::Failed)
        })
}
