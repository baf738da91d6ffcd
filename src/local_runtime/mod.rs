//! The local runtime of `dev`: in the place of a cluster it reads the rendered StatefulSets from the cells'
//! repositories and, as the registry's power says, runs their containers as processes of this machine.
//!
//! ```text
//! repository's head ──▶ Head ──┐
//!                              ├──▶ Cell ──▶ Worker (one a workspace) ──▶ Runner ──▶ process
//! registry's power ────────────┘     │            └──▶ Doors ◀── Front (before the API)
//!                                    └──▶ status, by the observer's own rules
//! ```

mod backoff;
mod cell;
mod doors;
mod forward;
mod front;
mod head;
pub(crate) mod ide;
mod manifest;
mod processes;
mod runner;
mod said;
pub(crate) mod stand_in;
mod tokens;
mod usage;
mod volumes;
mod worker;

use std::{collections::BTreeSet, sync::Arc};

use coditect_core::{Catalogue, health::Health};
use coditect_registry::Registry;
use coditect_renderer::inputs::Inputs;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::{
    cell::{Cell, Parts},
    volumes::Volumes,
};
pub(crate) use self::{
    doors::Doors,
    front::before,
    processes::{FAILED, Pods, Processes, READY},
    runner::Runner,
    tokens::Tokens,
};
use crate::data::Data;

/// The runtime of all cells.
pub(crate) struct LocalRuntime {
    pub(crate) data: Data,
    pub(crate) registry: Registry,
    pub(crate) inputs: watch::Receiver<Arc<Inputs>>,
    pub(crate) health: Health,
    pub(crate) doors: Doors,
    /// How many workspaces may run at a time.
    pub(crate) most: usize,
    /// What runs them.
    pub(crate) runner: Arc<dyn Runner>,
}

impl LocalRuntime {
    /// Runs every cell of the policy, also those it comes to have later, until `stop`; leaves nothing running.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let catalogue = |inputs: &Inputs| Arc::new(inputs.policy.catalogue());
        let (newest, policies) = watch::channel(catalogue(&self.inputs.borrow()));
        let parts = Parts {
            registry: self.registry.clone(),
            catalogue: policies,
            health: self.health.clone(),
            runner: Arc::clone(&self.runner),
            volumes: Volumes::new(self.data.volumes()),
            doors: self.doors.clone(),
            places: Arc::new(Semaphore::new(self.most)),
        };
        let mut started = BTreeSet::new();
        let mut cells = JoinSet::new();
        loop {
            let policy: Arc<Catalogue> = Arc::clone(&newest.borrow());
            for name in policy.cells.keys().filter(|name| !started.contains(*name)) {
                let repository = self.data.repository(name);
                let cell = Cell::new(name.clone(), repository, parts.clone(), stop.clone());
                cells.spawn(cell.run());
            }
            started.extend(policy.cells.keys().cloned());
            tokio::select! {
                Ok(()) = self.inputs.changed() => {
                    newest.send_replace(catalogue(&self.inputs.borrow_and_update()));
                }
                () = stop.cancelled() => break,
            }
        }
        cells.join_all().await;
    }
}
