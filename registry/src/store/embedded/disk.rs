//! The file below redb.

use std::{
    fs::{File, OpenOptions},
    io,
    ops::Bound,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use redb::{BackendError, DatabaseError, StorageBackend, backends::FileBackend};
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

/// redb's own file access, but for one thing: the file grows by reserved blocks, not by a hole. So a full
/// disk is told before anything is written, and overwriting what exists needs no new space.
#[derive(Debug)]
pub(super) struct Disk {
    blocks: File,
    file: FileBackend,
    #[cfg(test)]
    pub(super) broken: std::sync::Arc<tests::Broken>,
}

impl Disk {
    /// Opens the file, which must exist unless `create`; readable by its owner alone, for it holds personal
    /// data.
    pub(super) fn open(path: &Path, create: bool) -> Result<Self, DatabaseError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            blocks: file.try_clone()?,
            file: FileBackend::new(file)?,
            #[cfg(test)]
            broken: tests::broken(path),
        })
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
        #[cfg(test)]
        self.broken.check(tests::Part::Grow)?;
        let now = self.file.len()?;
        if len > now {
            match fallocate(&self.blocks, FallocateFlags::empty(), now, len - now) {
                // A file system without reservations: a hole it is.
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
                Err(error) => {
                    // What was reserved in vain is given back; if not even that works, the error stands.
                    self.file.set_len(now)?;
                    return Err(error.into());
                }
            }
        }
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        #[cfg(test)]
        self.broken.check(tests::Part::Sync)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        #[cfg(test)]
        self.broken.check(tests::Part::Write)?;
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

#[cfg(test)]
pub(super) mod tests {
    //! A disk that breaks when told to, by path, so that the store above needs no door for it.

    use std::{
        collections::HashMap,
        path::PathBuf,
        sync::{Arc, LazyLock, Mutex},
    };

    use super::{Path, io};

    /// What breaks.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in super::super) enum Part {
        Grow,
        Write,
        Sync,
    }

    /// Broken parts of one file's disk: which, and after how many good operations.
    #[derive(Debug, Default)]
    pub(in super::super) struct Broken(Mutex<Option<(Part, u32)>>);

    impl Broken {
        pub(in super::super) fn breaks(&self, part: Part, after: u32) {
            *self.0.lock().unwrap() = Some((part, after));
        }

        pub(in super::super) fn heals(&self) {
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
    pub(in super::super) fn broken(path: &Path) -> Arc<Broken> {
        Arc::clone(DISKS.lock().unwrap().entry(path.to_owned()).or_default())
    }
}
