//! Carries out orders: patches of `statefulsets/scale`.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use coditect_core::WorkspaceId;
use futures::{StreamExt, stream::FuturesUnordered};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use tokio::{
    sync::Notify,
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::queue::{Order, Queue};
use crate::cell::Cell;

/// Most patches under way at once: fifty people who wake at nine o'clock are three rounds, and the API server's
/// priority and fairness grants a service account this much.
const AT_ONCE: usize = 16;
/// How long one patch may take before it is tried again.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who writes, in the object's `managedFields`.
const MANAGER: &str = "coditect-observer";

/// The orders of a cell.
#[derive(Debug, Default)]
pub(crate) struct Scaler {
    queue: Mutex<Queue>,
    wake: Notify,
}

impl Scaler {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has this scale set as soon as possible.
    pub(crate) fn order(&self, order: Order) {
        self.queue().put(order, Instant::now());
        self.wake.notify_one();
    }

    /// Ends all pauses.
    pub(crate) fn hurry(&self) {
        self.queue().hurry();
        self.wake.notify_one();
    }

    /// True if a person's wish was ordered for the workspace at `since` or later.
    pub(crate) fn was_asked_since(&self, workspace: WorkspaceId, since: Instant) -> bool {
        self.queue().was_asked_since(workspace, since)
    }

    /// True while an order of the workspace waits or is under way.
    pub(crate) fn holds(&self, workspace: WorkspaceId) -> bool {
        self.queue().holds(workspace)
    }

    /// Carries out orders until `stop`.
    pub(crate) async fn run(cell: Arc<Cell>, stop: CancellationToken) {
        let scaler = &cell.scaler;
        let mut flying = FuturesUnordered::new();
        loop {
            while flying.len() < AT_ONCE
                && let Some((order, failures)) = { scaler.queue().next(Instant::now()) }
            {
                flying.push(patch(&cell, order, failures));
            }
            let (depth, wakes_at) = {
                let queue = scaler.queue();
                (queue.len(), queue.wakes_at())
            };
            metrics::gauge!("coditect_observer_queue_depth", "cell" => cell.name(), "queue" => "scale")
                .set(f64::from(u32::try_from(depth).unwrap_or(u32::MAX)));
            let full = flying.len() >= AT_ONCE;
            tokio::select! {
                Some(()) = flying.next(), if !flying.is_empty() => {}
                () = scaler.wake.notified(), if !full => {}
                () = until(wakes_at), if !full => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

async fn patch(cell: &Cell, order: Order, failures: u32) {
    let (user, workspace) = order.id;
    let sets = Api::<StatefulSet>::namespaced(cell.client.clone(), &user.namespace());
    let name = workspace.object_name();
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let scale = Patch::Merge(serde_json::json!({"spec": {"replicas": order.replicas}}));
    let result = match timeout(PATIENCE, sets.patch_scale(&name, &parameters, &scale)).await {
        Ok(Ok(_)) => Ok("accepted"),
        // Not there yet, or gone: the watch tells when it comes, with whatever scale it has.
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok("absent"),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    match result {
        Ok(result) => {
            metrics::counter!("coditect_observer_patches_total", "cell" => cell.name(), "result" => result)
                .increment(1);
            if let Some(asked) = order.asked.filter(|_| result == "accepted") {
                let took = Timestamp::now()
                    .duration_since(asked)
                    .as_secs_f64()
                    .max(0.0);
                metrics::histogram!("coditect_observer_power_patch_seconds", "cell" => cell.name())
                    .record(took);
            }
            cell.scaler.queue().done(&order);
        }
        Err(error) => {
            metrics::counter!("coditect_observer_patches_total", "cell" => cell.name(), "result" => "failed")
                .increment(1);
            let replicas = order.replicas;
            let pause = cell.scaler.queue().failed(order, failures, Instant::now());
            tracing::warn!(cell = %cell.settings.cell, %workspace, replicas, %error, retry_in = ?pause, "a scale was not set");
        }
    }
}
