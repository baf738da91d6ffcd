//! The loop that brings what waits before people. Any number may run: branches are written by compare-and-swap, and so are
//! the registry's records.

use std::{sync::Arc, time::Duration};

use coditect_core::{CellName, ChangeId, Result, health::Health};
use coditect_registry::Registry;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    host::PolicyHost,
    pages::Pages,
    pass::{Passed, due, pass},
};
use crate::{inputs::Inputs, place::PolicyPlace};

/// The name under which its state is posted.
const PART: &str = "approvals";
/// How often it looks: at the registry alone while nobody waits.
const LOOK: Duration = Duration::from_secs(2);
/// How long a host is left alone at most while nothing changes, neither there nor in the registry.
const LONGEST: Duration = Duration::from_secs(30);

/// Puts what waits for an approval before people, as branches of the policy's repository and, if its host has such, as
/// pages there; notes what they do with them.
pub struct ProposalService {
    registry: Registry,
    place: PolicyPlace,
    pages: Option<Pages>,
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
            pages: None,
            inputs,
            health,
        }
    }

    /// With the pages of the host that the policy's repository is on.
    #[must_use]
    pub fn on(mut self, host: Arc<dyn PolicyHost>) -> Self {
        self.pages = Some(Pages::new(host, self.inputs.clone()));
        self
    }

    /// Carries on until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = LOOK;
        loop {
            let known = self.known().await.ok();
            let passed = self.look().await;
            // A repository without a host's pages is looked at steadily.
            pause = match self.pages.is_some() && passed.steps == 0 {
                true => LONGEST.min(pause * 2),
                false => LOOK,
            };
            match passed.failed.map_or(Ok(passed.open), Err) {
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
                () = self.rest(pause, known) => {}
            }
        }
    }

    /// Waits so long, or until the registry has something new, or the policy changed.
    async fn rest(&self, pause: Duration, known: Option<Vec<(ChangeId, u64)>>) {
        let until = Instant::now() + pause;
        let mut inputs = self.inputs.clone();
        inputs.mark_unchanged();
        loop {
            sleep(LOOK).await;
            let changed = inputs.has_changed().unwrap_or_default();
            if changed || Instant::now() >= until || self.known().await.ok() != known {
                return;
            }
        }
    }

    /// What the registry has of changes that a look may bring further.
    async fn known(&self) -> Result<Vec<(ChangeId, u64)>> {
        let mut known = Vec::new();
        for cell in self.cells() {
            let requests = due(&self.registry, &cell).await?;
            known.extend(
                requests
                    .iter()
                    .map(|request| (request.change, request.revision)),
            );
        }
        Ok(known)
    }

    fn cells(&self) -> Vec<CellName> {
        let inputs = self.inputs.borrow();
        inputs.policy.cells().keys().cloned().collect()
    }

    /// Looks at every cell once and does what is to be done. Says the first failure; what could be done was done all the
    /// same.
    async fn look(&self) -> Passed {
        let mut all = Passed::default();
        for cell in self.cells() {
            match self.cell(&cell).await {
                Ok(passed) => {
                    all.open += passed.open;
                    all.steps += passed.steps;
                    all.failed = all.failed.or(passed.failed);
                }
                Err(error) => all.failed = all.failed.or(Some(error)),
            }
        }
        all
    }

    async fn cell(&self, cell: &CellName) -> Result<Passed> {
        let requests = due(&self.registry, cell).await?;
        if requests.is_empty() {
            return Ok(Passed::default());
        }
        let remote = self.place.remote().await?;
        pass(&self.registry, &requests, &remote, self.pages.as_ref()).await
    }
}
