//! The lock under which a cell's branch is moved, and those under which its packs are joined.
//!
//! The kernel lets go of them when their holder dies, even by kill -9, so they can never be left behind. They
//! exclude other renderers; other Git processes are excluded by Git's own lock file ([`super::reference`]).

use std::{
    fs::{File, TryLockError},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::error::{Error, Result};

/// The branch's lock, a file in the repository.
const FILE: &str = "coditect.lock";
/// The lock under which small packs are joined.
pub(super) const SMALL_PACKS: &str = "coditect-small-packs.lock";
/// The lock under which large packs are joined.
pub(super) const LARGE_PACKS: &str = "coditect-large-packs.lock";

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
        let file = open(&place)?;
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

    /// The lock named `file` of the repository at `path`, unless another process or thread has it.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub(super) fn unless_held(path: &Path, file: &str) -> Result<Option<Self>> {
        let place = path.join(file);
        let file = open(&place)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io(&place, error)),
        }
    }
}

fn open(place: &Path) -> Result<File> {
    let mut options = File::options();
    let opened = options.create(true).append(true).open(place);
    opened.map_err(|error| Error::io(place, error))
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do while a child that was just forked still shares the descriptor.
        let _ = self.0.unlock();
    }
}
