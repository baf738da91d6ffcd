use std::{net::SocketAddr, sync::Arc};

use clap::Args;
use coditect_api::ServeLimits;
use coditect_core::{CellName, Result, health::Health};
use serde::Serialize;
use tokio::task::JoinSet;

use super::{Beside, api::catalogues};
use crate::{
    cli::Output, clusters::Clusters, data::Data, exit::Exit, observability, output, policy::Source,
    stop,
};

/// Watch cells' clusters: say what stands there, set power, suspend what nobody uses.
///
/// Its only right to write is the scale of workspaces, 0 or 1 (deploy/access). A second one for the same cell does
/// no harm and no good. The registry is the one of the installation in `--data`, through the socket of the process
/// that has it open, or a cluster's.
#[derive(Debug, Args)]
pub(crate) struct Observer {
    #[command(flatten)]
    data: Data,

    #[command(flatten)]
    clusters: Clusters,

    #[command(flatten)]
    policy: Source,

    /// The namespace of Argo CD's Applications.
    #[arg(
        long,
        value_name = "NAMESPACE",
        default_value = "argocd",
        env = "CODITECT_ARGOCD_NAMESPACE"
    )]
    argocd_namespace: String,

    /// Where to serve health and metrics; port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:9091",
        env = "CODITECT_OBSERVER_LISTEN"
    )]
    listen: SocketAddr,
}

#[derive(Serialize)]
struct Ready {
    health: String,
    cells: Vec<CellName>,
}

impl Observer {
    pub(crate) async fn run(self, output: Output) -> Result<Exit> {
        let metrics = observability::metrics()?;
        let health = Health::default();
        let Beside {
            registry,
            listener,
            address,
            stop,
        } = Beside::start(&self.data, self.listen, &health, &metrics).await?;
        let (following, inputs) = self.policy.follow(&self.data, &health).await?;
        let (catalogue, follow) = catalogues(inputs);
        let policy: Vec<CellName> = catalogue.borrow().cells.keys().cloned().collect();
        let cells = self.clusters.cells(policy)?;
        let mut running = JoinSet::new();
        for cell in &cells {
            let client = self.clusters.client(cell).await?;
            let mut settings = coditect_observer::Settings::new(cell.clone());
            settings.argocd_namespace.clone_from(&self.argocd_namespace);
            let observer = coditect_observer::Observer::new(
                settings,
                registry.clone(),
                client,
                catalogue.clone(),
                health.clone(),
            );
            running.spawn(observer.run(stop.clone()));
        }
        running.spawn(following.run(stop.clone()));
        running.spawn(stop::or(stop.clone(), follow));
        match output {
            Output::Text => output::line(&format!(
                "observes {} cell(s); health at http://{address}/health",
                cells.len()
            )),
            Output::Json => output::json(&Ready {
                health: format!("http://{address}/health"),
                cells,
            })?,
        }
        let served = coditect_api::serve_router(
            listener,
            coditect_api::ops_router(health, metrics, Some(Arc::clone(registry.store()))),
            ServeLimits::default(),
            stop.clone().cancelled_owned(),
        )
        .await;
        stop.cancel();
        running.join_all().await;
        served.map(|()| Exit::Done)
    }
}
