//! The observer of one cell, put together from its tasks.

use std::sync::Arc;

use coditect_core::{Catalogue, health::Health};
use coditect_registry::Registry;
use kube::Client;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    anew,
    cell::{Cell, Settings},
    decide, gateway, power, quarantine, report, restart, tell, watch as watches,
};

/// Observes one cell: follows its cluster and the registry's power feed, sets scales, tells statuses, decides who
/// is idle.
///
/// Two of one cell do no harm: what each writes follows from what both see, and every write says the same however
/// often it is made. They only do the work twice.
pub struct Observer {
    cell: Arc<Cell>,
}

impl Observer {
    /// An observer of a cell through a client of its cluster. `catalogue` gives the newest valid policy; the
    /// state is posted at `observer/<cell>` of `health`.
    #[must_use]
    pub fn new(
        settings: Settings,
        registry: Registry,
        client: Client,
        catalogue: watch::Receiver<Arc<Catalogue>>,
        health: Health,
    ) -> Self {
        Self {
            cell: Arc::new(Cell::new(settings, registry, client, catalogue, health)),
        }
    }

    /// Works until `stop`. Whatever does not answer is tried again; nothing ends it but `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let cell = self.cell;
        let mut tasks = JoinSet::new();
        watches::all(&cell, &mut tasks, &stop);
        tasks.spawn(power::follow(Arc::clone(&cell), stop.clone()));
        tasks.spawn(power::Scaler::run(Arc::clone(&cell), stop.clone()));
        tasks.spawn(tell::run(Arc::clone(&cell), stop.clone()));
        tasks.spawn(decide::run(Arc::clone(&cell), stop.clone()));
        tasks.spawn(quarantine::run(Arc::clone(&cell), stop.clone()));
        tasks.spawn(anew::run(Arc::clone(&cell), stop.clone()));
        tasks.spawn(restart::run(Arc::clone(&cell), stop.clone()));
        tasks.spawn(gateway::run(Arc::clone(&cell), stop.clone()));
        tasks.spawn(report::run(Arc::clone(&cell), stop.clone()));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                // A defect: what is left would work on half of the picture.
                tracing::error!(cell = %cell.settings.cell, %error, "a part of the observer ended");
                cell.health.failing(
                    format!("observer/{}", cell.settings.cell),
                    "a part of it ended for a defect; start the process again",
                );
                stop.cancel();
            }
        }
    }
}
