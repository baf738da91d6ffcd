use clap::{Args, Subcommand};
use coditect_core::{Epoch, RequestId, Result};
use coditect_registry::operation::BeginEpoch;
use jiff::Timestamp;
use serde::Serialize;

use crate::{cli::Output, data::Data, exit::Exit, output};

/// Care for a registry: figures, compaction, a new epoch after a restore.
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
    /// Give unused space back to the disk, with what is left in it of those who were erased. Stop the
    /// installation first.
    Compact,
    /// Begin a new life after restoring the store from a backup, so that every renderer reconciles in full and
    /// takes nothing for granted.
    NewEpoch,
}

#[derive(Serialize)]
struct Figures {
    store: String,
    epoch: Epoch,
    version: coditect_core::Version,
}

impl Registry {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        if matches!(self.action, Action::Compact) {
            let store = self.data.own()?;
            let before = store.size_bytes();
            store.compact().await?;
            output::line(&format!(
                "{} bytes before, {} bytes now",
                before,
                store.size_bytes()
            ));
            return Ok(Exit::Done);
        }
        let registry = self.data.open().await?;
        if matches!(self.action, Action::NewEpoch) {
            registry
                .apply(
                    RequestId::random(),
                    &BeginEpoch {
                        epoch: Epoch::random(),
                        at: Timestamp::now(),
                    },
                )
                .await?;
        }
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
}
