//! The renderers of this process: one for each cell, with its mirror and the upkeep of its packs.

use std::sync::Arc;

use clap::Args;
use coditect_core::{CellName, Error, Result, health::Health};
use coditect_registry::Registry;
use coditect_renderer::{
    git::{CellRepository, Maintenance, MaintenanceConfig, Mirror, MirrorConfig},
    inputs::Inputs,
    service::{Service, Settings},
};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::data::Data;

/// Where else commits go.
#[derive(Clone, Debug, Args)]
pub(crate) struct MirrorArgs {
    /// A Git remote that every cell's branch is pushed to in the background; `{cell}` stands for the cell's
    /// name. Credentials belong into git's own configuration, not here.
    #[arg(long, value_name = "URL", env = "CODITECT_MIRROR")]
    pub(crate) mirror: Option<String>,

    /// Overwrite the mirror's branch if somebody else changed it.
    #[arg(long, requires = "mirror", env = "CODITECT_MIRROR_FORCE")]
    pub(crate) mirror_force: bool,
}

/// Starts rendering the cells.
///
/// # Errors
/// `Unavailable` if a repository can be neither opened nor made.
pub(crate) async fn start(
    cells: &[CellName],
    data: &Data,
    mirror: &MirrorArgs,
    registry: &Registry,
    inputs: &watch::Receiver<Arc<Inputs>>,
    health: &Health,
    stop: &CancellationToken,
) -> Result<JoinSet<()>> {
    let mut running = JoinSet::new();
    for cell in cells {
        let path = data.repository(cell);
        let opened = tokio::task::spawn_blocking(move || CellRepository::open_or_create(path));
        let repository = opened.await.map_err(|error| Error::internal("a background task panicked").because(error))??;
        let maintenance = Maintenance::start(repository.clone(), MaintenanceConfig::new(cell.clone()), health.clone());
        let mirror = mirror.mirror.as_ref().map(|url| {
            let mut config = MirrorConfig::new(cell.clone(), url.replace("{cell}", cell.as_str()));
            config.force = mirror.mirror_force;
            Mirror::start(repository.clone(), config, health.clone())
        });
        let service =
            Service::new(registry.clone(), Settings::new(cell.clone(), data.repository(cell)), inputs.clone(), health.clone()).on_publish(
                move || {
                    maintenance.published();
                    if let Some(mirror) = &mirror {
                        mirror.published();
                    }
                },
            );
        running.spawn(service.run(stop.clone()));
    }
    Ok(running)
}
