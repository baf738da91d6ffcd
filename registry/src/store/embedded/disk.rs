//! A disk that breaks when told to, for tests: by path, so that the store above needs no door for it.

use std::{
    collections::HashMap,
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};

use redb::{BackendError, StorageBackend, backends::FileBackend};

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Grow,
    Write,
    Sync,
}

/// Broken parts of one file's disk: which, and after how many good operations.
#[derive(Debug, Default)]
pub(super) struct Broken(Mutex<Option<(Part, u32)>>);

impl Broken {
    pub(super) fn breaks(&self, part: Part, after: u32) {
        *self.0.lock().unwrap() = Some((part, after));
    }

    pub(super) fn heals(&self) {
        *self.0.lock().unwrap() = None;
    }

    pub(super) fn check(&self, part: Part) -> Result<(), io::Error> {
        match &mut *self.0.lock().unwrap() {
            Some((broken, 0)) if *broken == part => Err(io::ErrorKind::StorageFull.into()),
            Some((broken, after)) if *broken == part => {
                *after -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

static DISKS: LazyLock<Mutex<HashMap<PathBuf, Arc<Broken>>>> = LazyLock::new(Mutex::default);

/// The disk below a path.
pub(super) fn broken(path: &Path) -> Arc<Broken> {
    Arc::clone(DISKS.lock().unwrap().entry(path.to_owned()).or_default())
}

/// The file below redb, as long as nothing is broken.
#[derive(Debug)]
pub(super) struct Disk {
    file: FileBackend,
    broken: Arc<Broken>,
}

impl Disk {
    pub(super) fn new(file: FileBackend, path: &Path) -> Self {
        Self {
            file,
            broken: broken(path),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let now = self.file.len()?;
        if len > now {
            self.broken.check(Part::Grow)?;
        }
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.broken.check(Part::Sync)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.broken.check(Part::Write)?;
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
