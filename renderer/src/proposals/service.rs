//! The loop that brings what waits before people. Any number may run: branches are written by compare-and-swap, and so are
//! the registry's records.

use std::{path::PathBuf, sync::Arc, time::Duration};

use coditect_core::{CellName, Error, Result, health::Health};
use coditect_registry::Registry;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::pass::{Passed, due, pass};
use crate::{
    git::{PolicyRemote, PolicyRemoteConfig, PolicyRepository},
    inputs::Inputs,
    reconcile::blocking,
};

/// The name under which its state is posted.
const PART: &str = "approvals";
/// How often it looks: at the registry alone while nobody waits.
const LOOK: Duration = Duration::from_secs(2);
/// How long one command of git may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Puts what waits for an approval before people, as branches of the policy folder's repository, and notes what they do
/// with them.
pub struct ProposalService {
    registry: Registry,
    policy: PathBuf,
    copy: PathBuf,
    inputs: watch::Receiver<Arc<Inputs>>,
    health: Health,
}

impl ProposalService {
    /// For the policy folder `policy`; `copy` is a folder of its own, made if it is missing. `inputs` names the cells.
    #[must_use]
    pub fn new(
        registry: Registry,
        policy: PathBuf,
        copy: PathBuf,
        inputs: watch::Receiver<Arc<Inputs>>,
        health: Health,
    ) -> Self {
        Self {
            registry,
            policy,
            copy,
            inputs,
            health,
        }
    }

    /// Carries on until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            match self.look().await {
                Ok(0) => self.health.ok(PART, "nothing waits for an approval"),
                Ok(open) => {
                    let said = format!("{open} change(s) wait for people: coditect approvals list");
                    self.health.ok(PART, said);
                }
                Err(error) => {
                    let why = error.chain();
                    tracing::warn!(why, "what waits for an approval is not put before people");
                    let said = format!("{why}; what waits goes on waiting and is looked at again");
                    self.health.degraded(PART, said);
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Looks at every cell once and does what is to be done. Gives how many changes people are to decide about.
    ///
    /// # Errors
    /// The first failure; what could be done was done all the same.
    async fn look(&self) -> Result<usize> {
        let cells: Vec<CellName> = {
            let inputs = self.inputs.borrow();
            inputs.policy.cells().keys().cloned().collect()
        };
        let (mut open, mut failed) = (0, None);
        for cell in cells {
            match self.cell(&cell).await {
                Ok(passed) => {
                    open += passed.open;
                    failed = failed.or(passed.failed);
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(open), Err)
    }

    async fn cell(&self, cell: &CellName) -> Result<Passed> {
        let requests = due(&self.registry, cell).await?;
        if requests.is_empty() {
            return Ok(Passed::default());
        }
        pass(&self.registry, &requests, &self.remote().await?).await
    }

    /// The policy folder's repository on the branch that is checked out now: people merge into that.
    async fn remote(&self) -> Result<PolicyRemote> {
        let (policy, copy) = (self.policy.clone(), self.copy.clone());
        blocking(move || {
            let branch = PolicyRepository::open_or_init(&policy)?.branch()?;
            let branch = branch.ok_or_else(|| {
                let message = "the policy folder has no branch checked out, into which an approval could be merged: check one out";
                Error::unavailable(message)
            })?;
            PolicyRemote::open(PolicyRemoteConfig {
                url: policy.display().to_string(),
                branch,
                copy,
                limit: LIMIT,
            })
        })
        .await
    }
}
