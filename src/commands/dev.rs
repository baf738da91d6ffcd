use clap::Args;
use coditect_core::{CellName, Result};
use serde::Serialize;

use super::api::{Running, Server};
use crate::{
    cells::{self, Renderers, Rendering},
    cli::Output,
    data::Data,
    exit::Exit,
    output, stop,
};

/// Run everything in one process on one machine: registry, API, renderer, with a sample policy to edit.
///
/// Nobody proves an address and no plan is paid for: this is for trying and developing.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    rendering: Rendering,
}

#[derive(Serialize)]
struct Ready {
    url: String,
    repository: String,
    policy: String,
}

impl Dev {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let stop = stop::on_signal();
        let mut running = Running::start(
            &self.data,
            &self.server,
            Server::development(),
            stop.clone(),
        )
        .await?;
        let cells: Vec<CellName> = running
            .inputs
            .borrow()
            .policy
            .catalogue()
            .cells
            .keys()
            .cloned()
            .collect();
        let rendering = cells::start(
            &cells,
            Renderers {
                data: &self.data,
                rendering: &self.rendering,
                registry: &running.registry,
                inputs: &running.inputs,
                health: &running.health,
                known_as: Some(self.data.renderer_id()?),
            },
            &stop,
        )
        .await?;
        running.beside.spawn(async move {
            rendering.join_all().await;
        });
        let local = cells
            .iter()
            .find(|cell| cell.as_str() == "local")
            .or(cells.first());
        let ready = Ready {
            url: running.url.clone(),
            repository: local
                .map(|cell| self.data.repository(cell).display().to_string())
                .unwrap_or_default(),
            policy: self.data.policy().display().to_string(),
        };
        match output {
            Output::Json => output::json(&ready)?,
            Output::Text => {
                output::line(&format!("Sign up at      {}", ready.url));
                output::line(&format!("The API         {}/docs", ready.url));
                output::line(&format!("Manifests in    {}", ready.repository));
                output::line(&format!("Policy to edit  {}", ready.policy));
                output::line("Stop with Ctrl-C.");
            }
        }
        running.until_stopped().await
    }
}
