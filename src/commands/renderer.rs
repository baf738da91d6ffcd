use std::{net::SocketAddr, sync::Arc};

use clap::Args;
use coditect_api::ServeLimits;
use coditect_core::{CellName, Error, Result, health::Health};
use coditect_registry::Registry;
use coditect_renderer::{inputs::Inputs, service::Service};
use serde::Serialize;
use tokio::{sync::watch, task::JoinSet};

use super::Beside;
use crate::{
    cells::{Renderers, Rendering},
    cli::Output,
    data::Data,
    exit::Exit,
    observability, output,
    policy::{self, Source},
    progress,
};

/// Render cells: keep their repositories what the registry wants.
///
/// Any number may run for one cell: one holds the lease and works, the others stand by. The registry is the
/// one of the installation in `--data`, through the socket of the process that has it open, or a cluster's.
#[derive(Debug, Args)]
pub(crate) struct Renderer {
    #[command(flatten)]
    data: Data,

    /// Which cells; all of the policy's if none is named.
    #[arg(long = "cell", value_name = "CELL")]
    cells: Vec<CellName>,

    #[command(flatten)]
    rendering: Rendering,

    #[command(flatten)]
    policy: Source,

    /// Reconcile every cell in full, once, and end: for a job that runs by the clock.
    #[arg(long)]
    once: bool,

    /// Where to serve health and metrics; port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:9090",
        env = "CODITECT_RENDERER_LISTEN"
    )]
    listen: SocketAddr,
}

#[derive(Serialize)]
struct Ready {
    health: String,
    /// Where repositories are served, if they are.
    git: Option<String>,
    cells: Vec<CellName>,
}

impl Renderer {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let metrics = observability::metrics()?;
        let health = Health::default();
        let (registry, beside) = if self.once {
            (self.data.open().await?, None)
        } else {
            let beside = Beside::start(&self.data, self.listen, &health, &metrics).await?;
            (beside.registry.clone(), Some(beside))
        };
        let (following, inputs) = self.policy.follow(&self.data, &health).await?;
        policy::has(&inputs.borrow(), &self.cells)?;
        let cells = if self.cells.is_empty() {
            inputs
                .borrow()
                .policy
                .catalogue()
                .cells
                .into_keys()
                .collect()
        } else {
            self.cells.clone()
        };
        let Some(beside) = beside else {
            return self.once(&cells, &registry, &inputs, &health, output).await;
        };
        let Beside {
            listener,
            address,
            stop,
            ..
        } = beside;
        let store = Arc::clone(registry.store());
        let renderers = Renderers {
            data: self.data.clone(),
            rendering: self.rendering.clone(),
            registry,
            inputs: inputs.clone(),
            health: health.clone(),
            place: self.policy.place(&self.data)?,
            access: self.policy.access.git(),
            known_as: None,
            cells: self.cells.clone(),
        };
        let serving = &self.rendering.serving;
        let served = serving
            .start(&self.data, inputs, self.cells.clone(), health.clone())
            .await?;
        let git = served.as_ref().map(|served| served.url.clone());
        let mut running = JoinSet::new();
        if let Some(served) = served {
            running.spawn(served.run(stop.clone()));
        }
        running.spawn(renderers.rollouts()?.run(stop.clone()));
        running.spawn(renderers.proposals()?.run(stop.clone()));
        running.spawn(renderers.run(stop.clone()));
        running.spawn(following.run(stop.clone()));
        match output {
            Output::Text => {
                output::line(&format!(
                    "renders {} cell(s); health at http://{address}/health",
                    cells.len()
                ));
                if let Some(git) = git {
                    output::line(&format!("repositories at {git}/<cell>.git"));
                }
            }
            Output::Json => output::json(&Ready {
                health: format!("http://{address}/health"),
                git,
                cells,
            })?,
        }
        let served = coditect_api::serve_router(
            listener,
            coditect_api::ops_router(health, metrics, Some(store)),
            ServeLimits::default(),
            stop.clone().cancelled_owned(),
        )
        .await;
        stop.cancel();
        running.join_all().await;
        served.map(|()| Exit::Done)
    }

    async fn once(
        &self,
        cells: &[CellName],
        registry: &Registry,
        inputs: &watch::Receiver<Arc<Inputs>>,
        health: &Health,
        output: Output,
    ) -> Result<Exit> {
        let mut done = Vec::new();
        for cell in cells {
            let bar = progress::spinner(output, format!("cell {cell}"));
            let settings = self
                .rendering
                .of(cell, &self.data, &self.policy.access.git());
            let service = Service::new(registry.clone(), settings, inputs.clone(), health.clone());
            let summary = service.once().await?;
            bar.finish_and_clear();
            let Some(summary) = summary else {
                return Err(Error::unavailable(format!(
                    "another renderer holds the lease of cell {cell}"
                )));
            };
            done.push(Reconciled {
                cell: cell.clone(),
                users: summary.users,
                files: summary.files,
                commit: summary.commit,
                load_ms: summary.load.as_millis(),
                commit_ms: summary.commits.as_millis(),
                total_ms: summary.total.as_millis(),
            });
        }
        match output {
            Output::Json => output::json(&done)?,
            Output::Text => output::table(
                [
                    "cell",
                    "users",
                    "files",
                    "commit",
                    "load",
                    "render and commit",
                    "total",
                ],
                done.into_iter().map(|cell| {
                    [
                        cell.cell.to_string(),
                        cell.users.to_string(),
                        cell.files.to_string(),
                        cell.commit.map_or_else(
                            || "nothing to commit".to_owned(),
                            |commit| commit[..12].to_owned(),
                        ),
                        format!("{} ms", cell.load_ms),
                        format!("{} ms", cell.commit_ms),
                        format!("{} ms", cell.total_ms),
                    ]
                }),
            ),
        }
        Ok(Exit::Done)
    }
}

#[derive(Serialize)]
struct Reconciled {
    cell: CellName,
    users: usize,
    files: u64,
    commit: Option<String>,
    load_ms: u128,
    commit_ms: u128,
    total_ms: u128,
}
