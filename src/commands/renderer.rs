use std::net::SocketAddr;

use clap::Args;
use coditect_api::ServeLimits;
use coditect_core::{CellName, Error, Result, health::Health};
use coditect_renderer::watch::PolicyWatch;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::{
    cells::{self, MirrorArgs},
    cli::Output,
    data::Data,
    exit::Exit,
    observability, output, stop,
};

/// Render cells: keep their repositories what the registry wants.
///
/// Any number may run for one cell: one holds the lease and works, the others stand by. The registry is the
/// one of the installation in `--data`, through the socket of the process that has it open.
#[derive(Debug, Args)]
pub(crate) struct Renderer {
    #[command(flatten)]
    data: Data,

    /// Which cells; all of the policy's if none is named.
    #[arg(long = "cell", value_name = "CELL")]
    cells: Vec<CellName>,

    #[command(flatten)]
    mirror: MirrorArgs,

    /// Where to serve health and metrics; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9090", env = "CODITECT_RENDERER_LISTEN")]
    listen: SocketAddr,
}

#[derive(Serialize)]
struct Ready {
    health: String,
    cells: Vec<CellName>,
}

impl Renderer {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let metrics = observability::metrics()?;
        let health = Health::default();
        let registry = self.data.open().await?;
        let (watch, inputs) = PolicyWatch::open(self.data.policy(), health.clone()).await?;
        let cells = if self.cells.is_empty() {
            inputs.borrow().policy.catalogue().cells.keys().cloned().collect()
        } else {
            self.cells.clone()
        };
        let stop = stop::on_signal();
        let mut running = cells::start(&cells, &self.data, &self.mirror, &registry, &inputs, &health, &stop).await?;
        running.spawn(watch.run(stop.clone()));
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(|error| Error::unavailable(format!("cannot listen on {}; choose another with --listen", self.listen)).because(error))?;
        let address = listener.local_addr().map_err(|error| Error::internal("no address").because(error))?;
        match output {
            Output::Text => output::line(&format!("renders {} cell(s); health at http://{address}/health", cells.len())),
            Output::Json => output::json(&Ready { health: format!("http://{address}/health"), cells })?,
        }
        let served = coditect_api::serve_router(
            listener,
            coditect_api::ops_router(health, metrics),
            ServeLimits::default(),
            stop.clone().cancelled_owned(),
        )
        .await;
        stop.cancel();
        running.join_all().await;
        served.map(|()| Exit::Done)
    }
}
