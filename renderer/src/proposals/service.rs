//! The loop that brings what waits before people. Any number may run: branches are written by compare-and-swap, and so are
//! the registry's records.

use std::{sync::Arc, time::Duration};

use coditect_core::{CellName, Result, health::Health};
use coditect_registry::Registry;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::pass::{Passed, due, pass};
use crate::{inputs::Inputs, place::PolicyPlace};

/// The name under which its state is posted.
const PART: &str = "approvals";
/// How often it looks: at the registry alone while nobody waits.
const LOOK: Duration = Duration::from_secs(2);

/// Puts what waits for an approval before people, as branches of the policy's repository, and notes what they do with
/// them.
pub struct ProposalService {
    registry: Registry,
    place: PolicyPlace,
    inputs: watch::Receiver<Arc<Inputs>>,
    health: Health,
}

impl ProposalService {
    /// For a policy that is reviewed at `place`. `inputs` names the cells.
    #[must_use]
    pub fn new(
        registry: Registry,
        place: PolicyPlace,
        inputs: watch::Receiver<Arc<Inputs>>,
        health: Health,
    ) -> Self {
        Self {
            registry,
            place,
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
        pass(&self.registry, &requests, &self.place.remote().await?, None).await
    }
}
