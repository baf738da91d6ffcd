//! The lock under which a cell's branch is moved.
//!
//! The kernel lets go of it when its holder dies, even by kill -9, so it can never be left behind. It
//! excludes other renderers; other Git processes are excluded by Git's own lock file ([`super::reference`]).

use std::{
    fs::{File, TryLockError},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::error::{Error, Result};

/// The lock's file in the repository.
const FILE: &str = "coditect.lock";

/// A publication holds the lock for a few milliseconds. A holder that was stopped inside (SIGSTOP) keeps
/// it until it goes on or ends: then nobody can publish, which is safe, and this says so.
const PATIENCE: Duration = Duration::from_secs(10);

/// Held until dropped.
pub(super) struct Lock(File);

impl Lock {
    /// Waits for the lock of the repository at `path`, at most ten seconds.
    ///
    /// # Errors
    /// `Busy` after that; otherwise if the file cannot be made.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let place = path.join(FILE);
        let file = File::options()
            .create(true)
            .append(true)
            .open(&place)
            .map_err(|error| Error::io(&place, error))?;
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_micros(200);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => return Err(Error::Busy { place }),
                Err(TryLockError::Error(error)) => return Err(Error::io(&place, error)),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do while a child that was just forked still shares the descriptor.
        let _ = self.0.unlock();
    }
}
