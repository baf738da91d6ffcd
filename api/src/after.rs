//! Work that a request leaves behind: what depends on something that the answer's time must not tell.

use std::sync::Arc;

use coditect_core::{Error, Result};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// How much may be left behind at a time; with more, requests are refused, all alike.
const PLACES: usize = 256;

/// Runs such work, and knows when all of it is done.
pub(crate) struct AfterAnswers {
    places: Arc<Semaphore>,
    running: TaskTracker,
}

impl AfterAnswers {
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
            running: TaskTracker::new(),
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
        self.running.spawn(async move {
            if let Err(error) = work.await {
                tracing::error!(what, error = error.chain(), "work after an answer failed");
            }
            drop(place);
        });
        Ok(())
    }

    /// Waits until all of it is done: called when nothing more is left behind.
    pub(crate) async fn drain(&self) {
        self.running.close();
        self.running.wait().await;
    }
}
