use clap::{Args, Subcommand};
use coditect_core::{CellName, Error, RequestId, Result, UserId};
use coditect_registry::{Registry, operation::LiftQuarantine, record};
use jiff::Timestamp;
use serde::Serialize;

use crate::{cli::Output, data::Data, exit::Exit, output, progress};

/// Users whose files the cluster refuses: who they are, and to try them again.
///
/// A quarantine ends by itself when policy, template or the person's own change renders another file. Lift it by
/// hand when the cause was in the cluster: an admission policy that was corrected, a webhook that was down.
#[derive(Debug, Args)]
pub(crate) struct Quarantine {
    #[command(flatten)]
    data: Data,

    /// The cell.
    #[arg(long, global = true, value_name = "CELL", default_value = "local")]
    cell: CellName,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print who is quarantined, since when and why.
    List,
    /// Commit what is rendered for these users again, whatever the cluster said of it before.
    Lift {
        /// The users.
        #[arg(required_unless_present = "all", value_name = "USER")]
        users: Vec<UserId>,

        /// Everybody of the cell.
        #[arg(long, conflicts_with = "users")]
        all: bool,
    },
}

#[derive(Serialize)]
struct Listed {
    user: UserId,
    #[serde(flatten)]
    quarantine: record::Quarantine,
    remedy: &'static str,
}

#[derive(Serialize)]
struct Lifted {
    lifted: Vec<UserId>,
}

impl Quarantine {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let registry = self.data.open().await?;
        match &self.action {
            Action::List => self.list(&registry, output).await,
            Action::Lift { users, all } => {
                let users = if *all {
                    let mut view = registry.view().await?;
                    view.quarantines(&self.cell).await?.into_keys().collect()
                } else {
                    users.clone()
                };
                self.lift(&registry, &users, output).await
            }
        }
    }

    async fn list(&self, registry: &Registry, output: Output) -> Result<Exit> {
        let found = registry.view().await?.quarantines(&self.cell).await?;
        let listed = found.into_iter().map(|(user, quarantine)| Listed {
            user,
            remedy: quarantine.reason.cause.remedy(),
            quarantine,
        });
        match output {
            Output::Json => output::json(&listed.collect::<Vec<_>>())?,
            Output::Text => output::table(
                ["user", "since", "commit", "the cluster said"],
                listed.map(|one| {
                    let commit = &one.quarantine.commit;
                    [
                        one.user.to_string(),
                        one.quarantine.at.to_string(),
                        commit[..12.min(commit.len())].to_owned(),
                        one.quarantine.reason.detail,
                    ]
                }),
            ),
        }
        Ok(Exit::Done)
    }

    async fn lift(&self, registry: &Registry, users: &[UserId], output: Output) -> Result<Exit> {
        let bar = progress::bar(output, users.len() as u64, "users");
        let mut lifted = Vec::with_capacity(users.len());
        for user in users {
            let lift = LiftQuarantine {
                cell: self.cell.clone(),
                user: *user,
                at: Timestamp::now(),
            };
            if registry.apply(RequestId::random(), &lift).await? {
                lifted.push(*user);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if lifted.is_empty() && !users.is_empty() {
            return Err(Error::not_found(format!(
                "none of them is quarantined in cell {}; `quarantine list` names who is",
                self.cell
            )));
        }
        match output {
            Output::Json => output::json(&Lifted { lifted })?,
            Output::Text => output::line(&format!("{} user(s) are tried again", lifted.len())),
        }
        Ok(Exit::Done)
    }
}
