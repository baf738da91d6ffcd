//! The renderers of this process: one for each cell, with its mirror and the upkeep of its packs.

use std::{sync::Arc, time::Duration};

use clap::Args;
use coditect_core::{CellName, Error, Result, health::Health};
use coditect_registry::Registry;
use coditect_renderer::{
    git::{CellRepository, Maintenance, MaintenanceConfig, Mirror, MirrorConfig},
    inputs::Inputs,
    service::{Beside, Service, Settings},
};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::data::Data;

/// How cells are rendered, and where else commits go.
#[derive(Clone, Debug, Args)]
pub(crate) struct Rendering {
    /// How long a renderer's lease lasts without renewal: how soon another one takes over after a crash.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600), env = "CODITECT_LEASE_SECONDS")]
    pub(crate) lease_seconds: u64,

    /// A Git remote that every cell's branch is pushed to in the background; `{cell}` stands for the cell's
    /// name. Credentials belong into git's own configuration, not here.
    #[arg(long, value_name = "URL", env = "CODITECT_MIRROR")]
    pub(crate) mirror: Option<String>,

    /// Overwrite the mirror's branch if somebody else changed it.
    #[arg(long, requires = "mirror", env = "CODITECT_MIRROR_FORCE")]
    pub(crate) mirror_force: bool,
}

/// What the renderers of a process share.
pub(crate) struct Renderers<'a> {
    pub(crate) data: &'a Data,
    pub(crate) rendering: &'a Rendering,
    pub(crate) registry: &'a Registry,
    pub(crate) inputs: &'a watch::Receiver<Arc<Inputs>>,
    pub(crate) health: &'a Health,
    /// The process's lasting id as a lease's holder, if it has one.
    pub(crate) known_as: Option<Uuid>,
}

/// Starts rendering the cells.
///
/// # Errors
/// `Unavailable` if a repository can be neither opened nor made.
pub(crate) async fn start(
    cells: &[CellName],
    shared: Renderers<'_>,
    stop: &CancellationToken,
) -> Result<JoinSet<()>> {
    let Renderers {
        data,
        rendering,
        registry,
        inputs,
        health,
        known_as,
    } = shared;
    let mut running = JoinSet::new();
    for cell in cells {
        let path = data.repository(cell);
        let opened = tokio::task::spawn_blocking(move || CellRepository::open_or_create(path));
        let repository = opened
            .await
            .map_err(|error| Error::internal("a background task panicked").because(error))??;
        let maintenance = Maintenance::start(
            repository.clone(),
            MaintenanceConfig::new(cell.clone()),
            health.clone(),
        );
        let mirror = rendering.mirror.as_ref().map(|url| {
            let mut config = MirrorConfig::new(cell.clone(), url.replace("{cell}", cell.as_str()));
            config.force = rendering.mirror_force;
            Mirror::start(repository.clone(), config, health.clone())
        });
        let mut settings = Settings::new(cell.clone(), data.repository(cell));
        settings.lease = Duration::from_secs(rendering.lease_seconds);
        let beside = Beside {
            maintenance: Some(maintenance),
            mirror,
            told: None,
        };
        let service = Service::new(registry.clone(), settings, inputs.clone(), health.clone());
        let mut service = service.beside(beside);
        if let Some(holder) = known_as {
            service = service.known_as(holder);
        }
        running.spawn(service.run(stop.clone()));
    }
    Ok(running)
}
