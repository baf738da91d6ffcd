//! What runs a pod's containers on this machine.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use async_trait::async_trait;
use coditect_core::{CellName, Result};
use tokio::sync::watch;

use super::manifest::Pod;

/// Who a pod is to the API: what the token that a cluster projects into it would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// In whose cluster it is.
    pub(crate) cell: CellName,
    pub(crate) namespace: String,
    pub(crate) service_account: String,
    pub(crate) pod: String,
}

impl Identity {
    /// Who the pod of a StatefulSet is.
    pub(crate) fn of(cell: &CellName, pod: &Pod) -> Self {
        Self {
            cell: cell.clone(),
            namespace: pod.user.namespace(),
            service_account: pod.service_account.clone(),
            // The first and only pod of its StatefulSet.
            pod: format!("{}-0", pod.workspace.object_name()),
        }
    }
}

/// Where a workspace's files are on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    /// The folder that the pod mounts.
    pub(crate) folder: PathBuf,
    /// The folder of what a pod has beside it: its token, and what its gateway has not handed over yet.
    pub(crate) beside: PathBuf,
    /// Held locked by whoever has the volume mounted: two pods must never write to one volume, not even while
    /// one of them is on its way out.
    pub(crate) lock: PathBuf,
}

/// Starts pods.
#[async_trait]
pub(crate) trait Runner: Send + Sync + 'static {
    /// Starts the containers of a pod with its volume. They end when this process does, however it ends.
    ///
    /// # Errors
    /// `Unavailable` with what keeps them from starting.
    async fn start(
        &self,
        pod: &Pod,
        volume: &Volume,
        identity: &Identity,
    ) -> Result<Box<dyn Running>>;
}

/// A pod that was started.
#[async_trait]
pub(crate) trait Running: Send {
    /// Where its gateway listens.
    fn address(&self) -> SocketAddr;

    /// Whether its IDE answers, as it says itself.
    fn is_ready(&self) -> watch::Receiver<bool>;

    /// Whether its gateway answers.
    async fn is_healthy(&self) -> bool;

    /// Waits until it has ended by itself, and says how. May be dropped and called again.
    async fn ended(&mut self) -> String;

    /// Asks it to end, and ends it if it has not within `grace`.
    async fn stop(&mut self, grace: Duration);
}
