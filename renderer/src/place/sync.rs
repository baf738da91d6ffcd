//! Keeps the copy of a hosted policy what the host has. What was read last stays in force while the host is silent.

use std::time::Duration;

use coditect_core::{Error, Kind, Result, health::Health};
use git2::Oid;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    git::{PolicyRemote, PolicyRepository, jittered},
    reconcile::blocking,
};

/// The name under which its state is posted.
const PART: &str = "policy-remote";

/// Reads a hosted policy again and again. Any number may run over one copy.
pub struct PolicySync {
    remote: PolicyRemote,
    every: Duration,
    health: Health,
    newest: Option<Oid>,
}

impl PolicySync {
    /// Reads it once, so that there is a policy; then `every` so often by [`PolicySync::run`].
    ///
    /// # Errors
    /// `Unavailable` if the host does not answer, or has no such branch, and nothing of an earlier time is here.
    pub async fn start(remote: PolicyRemote, every: Duration, health: Health) -> Result<Self> {
        let mut sync = Self {
            remote,
            every,
            health,
            newest: None,
        };
        let Err(error) = sync.read().await else {
            return Ok(sync);
        };
        let copy = sync.remote.copy().to_owned();
        sync.newest = blocking(move || Ok(PolicyRepository::open_or_init(copy)?.head()?)).await?;
        match sync.newest {
            Some(_) => Ok(sync),
            None => {
                let place = sync.remote.place();
                let message = format!(
                    "{place} gives no policy to begin with: push one there (coditect policy init writes a sample)"
                );
                Err(Error::new(Kind::Unavailable, message).because(error))
            }
        }
    }

    /// Reads on until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(jittered(self.every)) => {}
            }
            // Said by health; what is here stays in force.
            let _ = self.read().await;
        }
    }

    async fn read(&mut self) -> Result<()> {
        let place = self.remote.place();
        match self.remote.look().await {
            Ok(seen) => {
                let main = seen.main;
                if self
                    .newest
                    .replace(main)
                    .is_some_and(|before| before != main)
                {
                    tracing::info!(%main, place, "the hosted policy moved");
                }
                self.health.ok(PART, format!("{place} is at {main}"));
                Ok(())
            }
            Err(error) => {
                let why = error.chain();
                tracing::warn!(place, why, "the hosted policy cannot be read");
                metrics::counter!("coditect_renderer_policy_reads_failed_total").increment(1);
                let said =
                    format!("{why}; what was read last stays in force, and it is read again");
                self.health.degraded(PART, said);
                Err(error)
            }
        }
    }
}
