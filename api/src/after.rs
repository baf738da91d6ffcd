//! Work that a request leaves behind: what depends on something that the answer's time must not tell.
//!
//! It begins after a while of its own, by chance: right after the answer it would hold up the next request of whoever
//! asks, who would learn by that what the answer kept to itself (`cargo bench --bench api -- alike` tries both).

use std::{sync::Arc, time::Duration};

use coditect_core::{Error, Result};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How much may be left behind at a time; with more, requests are refused, all alike.
const PLACES: usize = 4_096;
/// The longest that work waits before it begins.
const LATEST: Duration = Duration::from_secs(1);

/// Runs such work, and knows when all of it is done.
pub(crate) struct AfterAnswers {
    places: Arc<Semaphore>,
    running: TaskTracker,
    /// From then on nothing waits: it is to be done.
    hurry: CancellationToken,
}

impl AfterAnswers {
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
            running: TaskTracker::new(),
            hurry: CancellationToken::new(),
        }
    }

    /// Begins the work and returns at once. What fails of it is for the log: nobody waits for it.
    ///
    /// # Errors
    /// `Unavailable` if too much is under way.
    pub(crate) fn spawn(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Error::unavailable("too much is under way right now; try again in a moment")
        })?;
        let pause = LATEST.mul_f64(rand::random());
        let hurry = self.hurry.clone();
        self.running.spawn(async move {
            // Both ends of the wait mean the same.
            let _ = tokio::time::timeout(pause, hurry.cancelled()).await;
            if let Err(error) = work.await {
                tracing::error!(what, error = error.chain(), "work after an answer failed");
            }
            drop(place);
        });
        Ok(())
    }

    /// Waits until all of it is done: called when nothing more is left behind.
    pub(crate) async fn drain(&self) {
        self.hurry.cancel();
        self.running.close();
        self.running.wait().await;
    }
}
