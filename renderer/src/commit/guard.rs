//! What may not happen to Git whatever the registry says: a user or workspace gone without a tombstone or
//! above the budget, a volume smaller than it was, a generation that goes backwards.

use std::collections::BTreeSet;

use coditect_core::{Error, RequestId, UserId, UserIntent, WorkspaceId};
use coditect_registry::{operation::Raise, record::IntentRow};

use super::{Problem, Staging};
use crate::git::Action;

impl Staging<'_> {
    /// Removes a user's file for a tombstone, if the budget allows; otherwise it waits.
    pub(super) fn remove(&mut self, user: UserId, requested: bool) {
        let places = self.committer.tree.places(user);
        if places.is_empty() {
            self.leave(user, false);
            return;
        }
        if !requested && !self.may_leave(user, &places) {
            return;
        }
        let users = self.committer.tree.len();
        if !self.budget.take(self.now, requested, users) {
            self.outcome.waiting.insert(user);
            return;
        }
        for (shard, _) in places {
            self.batch.remove(shard, user);
        }
        let action = if requested {
            Action::DeletedOnRequest
        } else {
            Action::Deleted
        };
        self.message.record(user, action, "tombstone");
    }

    /// Puts back into the row what Git has of the user and no tombstone explains, or whose deletion the budget
    /// does not allow now. Gives, for every workspace that goes, whether a person's own request backs it.
    pub(super) fn keep_unburied(
        &mut self,
        row: &mut IntentRow,
        before: &UserIntent,
    ) -> Result<Vec<bool>, Problem> {
        let kept: BTreeSet<WorkspaceId> = row
            .intent
            .workspaces
            .iter()
            .map(|workspace| workspace.id)
            .collect();
        let users = self.committer.tree.len();
        let mut removed = Vec::new();
        for lost in before
            .workspaces
            .iter()
            .filter(|workspace| !kept.contains(&workspace.id))
        {
            match self.tombstone(lost.id)? {
                Some(requested) if self.budget.take(self.now, requested, users) => {
                    removed.push(requested)
                }
                Some(_) => {
                    self.outcome.waiting.insert(row.intent.user);
                    row.intent.put_workspace(lost.clone());
                }
                None => {
                    self.outcome.orphans.insert(row.intent.user);
                    row.intent.put_workspace(lost.clone());
                }
            }
        }
        // The registry knows nothing of what was put back, so what policy asks for is recorded in Git alone:
        // even an orphan's volume never shrinks again.
        for (id, gib) in self.raises(&row.intent)? {
            if let Some(kept) = row.intent.workspaces.iter_mut().find(|kept| kept.id == id) {
                kept.storage_gib = gib;
            }
        }
        Ok(removed)
    }

    fn tombstone(&self, workspace: WorkspaceId) -> Result<Option<bool>, Error> {
        self.committer.runtime.block_on(async {
            let mut view = self.committer.registry.view().await?;
            let tombstone = view
                .workspace_tombstone(&self.committer.cell, workspace)
                .await?;
            Ok(tombstone.map(|tombstone| tombstone.requested))
        })
    }

    /// Raises the row to what Git has already asked the cluster for: a registry restored from a backup may
    /// have forgotten both.
    pub(super) fn raise_to(
        &mut self,
        row: IntentRow,
        before: &UserIntent,
    ) -> Result<IntentRow, Problem> {
        let larger = |workspace: &coditect_core::WorkspaceIntent| {
            row.intent
                .workspace(workspace.id)
                .is_some_and(|have| have.storage_gib < workspace.storage_gib)
        };
        let sizes: Vec<_> = before
            .workspaces
            .iter()
            .filter(|workspace| larger(workspace))
            .map(|workspace| (workspace.id, workspace.storage_gib))
            .collect();
        if sizes.is_empty() && before.generation <= row.intent.generation {
            return Ok(row);
        }
        self.raise(row, sizes, before.generation)
    }

    /// Raises the registry's own record first, so that no later commit sinks it again.
    pub(super) fn raise(
        &mut self,
        row: IntentRow,
        sizes: Vec<(WorkspaceId, u32)>,
        above: u64,
    ) -> Result<IntentRow, Problem> {
        let user = row.intent.user;
        let raise = Raise {
            cell: self.committer.cell.clone(),
            user,
            sizes,
            above_generation: above,
            at: self.now,
        };
        let raised = self
            .committer
            .runtime
            .block_on(self.committer.registry.apply(RequestId::random(), &raise))?;
        raised.ok_or_else(|| Problem::User("the user was deleted meanwhile".into()))
    }
}

/// A volume's class cannot be changed: the API server would refuse it, and a new volume would be empty.
pub(super) fn volumes_keep_their_class(
    now: &UserIntent,
    before: &UserIntent,
) -> Result<(), Problem> {
    for old in &before.workspaces {
        if let Some(new) = now.workspace(old.id)
            && new.storage_class != old.storage_class
        {
            return Err(Problem::User(format!(
                "workspace {} has a volume of class {} and cannot change to {}",
                old.id, old.storage_class, new.storage_class
            )));
        }
    }
    Ok(())
}
