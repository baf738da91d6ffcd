use std::path::PathBuf;

use clap::Args;
use coditect_core::{CellName, Error, Result, UserId, WorkspaceId};
use coditect_renderer::{
    git::{CellRepository, ChangeKind, ShardTree},
    render::intent_of,
};
use serde::Serialize;

use crate::{cli::Output, data::Data, exit::Exit, output, progress};

/// What happened to a user or workspace, when and why, by Git alone.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// A user's or a workspace's id, with or without `user-` or `workspace-` before it.
    id: String,

    #[command(flatten)]
    data: Data,

    /// The cell that holds it.
    #[arg(long, value_name = "CELL", default_value = "local")]
    cell: CellName,

    /// Read this repository instead of the installation's own, such as a clone.
    #[arg(long, value_name = "DIR")]
    repository: Option<PathBuf>,
}

#[derive(Serialize)]
struct Entry {
    commit: String,
    time: jiff::Timestamp,
    change: &'static str,
    subject: String,
    reason: Option<String>,
}

impl History {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let path = self
            .repository
            .clone()
            .unwrap_or_else(|| self.data.repository(&self.cell));
        let bar = progress::spinner(output, "reading history".into());
        let entries = tokio::task::spawn_blocking(move || self.read(&path))
            .await
            .map_err(|error| Error::internal("a background task panicked").because(error))??;
        bar.finish_and_clear();
        match output {
            Output::Json => output::json(&entries)?,
            Output::Text => output::table(
                ["when", "commit", "change", "why"],
                entries.into_iter().map(|entry| {
                    [
                        entry.time.to_string(),
                        entry.commit[..12].to_owned(),
                        entry.change.to_owned(),
                        entry.reason.unwrap_or(entry.subject),
                    ]
                }),
            ),
        }
        Ok(Exit::Done)
    }

    fn read(&self, path: &std::path::Path) -> Result<Vec<Entry>> {
        let repository = CellRepository::open(path)?;
        let head = repository
            .head_commit()?
            .ok_or_else(|| Error::not_found("the repository has no commit yet"))?;
        let user = self.user(&repository, &repository.tree(head)?)?;
        let changes = repository.history_of(head, user)?;
        if changes.is_empty() {
            return Err(Error::not_found(format!(
                "nothing in {} ever held {}",
                path.display(),
                self.id
            )));
        }
        let entry = |change: coditect_renderer::git::Change| Entry {
            commit: change.commit.to_string(),
            time: change.time,
            change: match change.kind {
                ChangeKind::Changed | ChangeKind::Created if change.quarantined => "quarantined",
                ChangeKind::Created => "created",
                ChangeKind::Changed => "changed",
                ChangeKind::Deleted => "deleted",
            },
            subject: change.subject,
            reason: change.reason,
        };
        Ok(changes.into_iter().map(entry).collect())
    }

    /// The user the id names: itself, or the one whose intent holds the workspace.
    fn user(&self, repository: &CellRepository, tree: &ShardTree) -> Result<UserId> {
        let bare = self.id.strip_prefix("workspace-").unwrap_or(&self.id);
        let bare = bare.strip_prefix("user-").unwrap_or(bare);
        let user: UserId = bare
            .parse()
            .map_err(|_| Error::invalid(&self.id, "is not a user's or workspace's id"))?;
        if tree.find(user).is_some() {
            return Ok(user);
        }
        let workspace: WorkspaceId = bare.parse()?;
        for (_, owner, blob) in tree.iter() {
            if intent_of(&repository.blob(blob)?)
                .is_some_and(|intent| intent.workspace(workspace).is_some())
            {
                return Ok(owner);
            }
        }
        // Perhaps a user who is gone by now.
        Ok(user)
    }
}
