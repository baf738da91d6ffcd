mod check;
mod export;
mod import;
mod stats;

use clap::{Args, Subcommand};
use coditect_core::{Epoch, RequestId, Result, UserId};
use coditect_registry::operation::{AppointOwner, BeginEpoch};
use jiff::Timestamp;
use serde::Serialize;

use crate::{cli::Output, data::Data, exit::Exit, output};

/// Care for a registry: what it holds, backups, moving it, repairs, compaction, a new epoch after a restore.
#[derive(Debug, Args)]
pub(crate) struct Registry {
    #[command(flatten)]
    data: Data,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print what the store is, its epoch and its version.
    Show,
    /// Count what the registry holds: records by kind, feeds, the store's file.
    Stats,
    /// Write everything worth keeping into a file of JSON lines: a backup, or the way to another store.
    Export(export::Export),
    /// Fill an empty registry from such a file.
    Import(import::Import),
    /// Look whether everything that belongs together is there, and repair on request.
    Check(check::Check),
    /// Give unused space back to the disk, with what is left in it of those who were erased. Stop the
    /// installation first.
    Compact,
    /// Begin a new life after restoring the store from a backup, so that every renderer reconciles in full and
    /// takes nothing for granted.
    NewEpoch,
    /// Make a member the owner of a tenant that has none: Git, from which `coditect restore registry` reads, does not
    /// know who owned a tenant of several users.
    AppointOwner {
        /// The member's user.
        user: UserId,
    },
}

#[derive(Serialize)]
struct Figures {
    store: String,
    epoch: Epoch,
    version: coditect_core::Version,
}

impl Registry {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        match self.action {
            Action::Show => show(&self.data.open().await?, output).await,
            Action::Stats => stats::run(&self.data, output).await,
            Action::Export(export) => export.run(&self.data, output).await,
            Action::Import(import) => import.run(&self.data, output).await,
            Action::Check(check) => check.run(&self.data, output).await,
            Action::Compact => compact(&self.data).await,
            Action::AppointOwner { user } => {
                let appoint = AppointOwner {
                    user,
                    at: Timestamp::now(),
                };
                let registry = self.data.open().await?;
                registry.apply(RequestId::random(), &appoint).await?;
                output::line(&format!("{user} owns the tenant"));
                Ok(Exit::Done)
            }
            Action::NewEpoch => {
                let registry = self.data.open().await?;
                let begin = BeginEpoch {
                    epoch: Epoch::random(),
                    at: Timestamp::now(),
                };
                registry.apply(RequestId::random(), &begin).await?;
                show(&registry, output).await
            }
        }
    }
}

async fn compact(data: &Data) -> Result<Exit> {
    let store = data.own()?;
    let before = store.size_bytes();
    store.compact().await?;
    output::line(&format!(
        "{} bytes before, {} bytes now",
        before,
        store.size_bytes()
    ));
    Ok(Exit::Done)
}

async fn show(registry: &coditect_registry::Registry, output: Output) -> Result<Exit> {
    let mut view = registry.view().await?;
    let figures = Figures {
        store: registry.store().description(),
        epoch: view.epoch().await?,
        version: view.version().await?,
    };
    match output {
        Output::Json => output::json(&figures)?,
        Output::Text => output::table(
            ["store", "epoch", "version"],
            [[
                figures.store,
                figures.epoch.to_string(),
                figures.version.to_string(),
            ]],
        ),
    }
    Ok(Exit::Done)
}
