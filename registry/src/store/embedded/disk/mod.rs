//! A disk for tests that breaks when told to, and knows what a power cut would leave. It is found by its
//! path, so that the store above needs no door for it.

mod group;
mod tests;

use std::{
    collections::HashMap,
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, LazyLock, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use redb::{BackendError, StorageBackend};

use super::log;

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Grow,
    Write,
    Sync,
}

/// One file's disk: what of it breaks after how many good operations, and what a power cut would leave.
#[derive(Debug, Default)]
struct State {
    trouble: Mutex<Option<(Part, u32, io::ErrorKind)>>,
    unsynced: Mutex<Option<Unsynced>>,
    /// While true, every sync waits.
    stuck: Mutex<bool>,
    loose: Condvar,
    /// How many syncs have been asked for.
    syncs: AtomicU32,
}

/// What is certain to be on disk, and what was written since.
#[derive(Debug, Default)]
struct Unsynced {
    durable: Vec<u8>,
    length: u64,
    writes: Vec<(u64, Vec<u8>)>,
}

impl Unsynced {
    /// The file as a power cut might leave it: of what is not synced, `stays` says for each sector whether it got
    /// there. A sector of 512 bytes is written whole or not at all.
    fn after_power_cut(&self, stays: &mut impl FnMut() -> bool) -> Vec<u8> {
        let mut image = self.durable.clone();
        if stays() {
            image.resize(usize::try_from(self.length).unwrap(), 0);
        }
        for (offset, data) in &self.writes {
            let mut at = usize::try_from(*offset).unwrap();
            let mut rest = data.as_slice();
            while !rest.is_empty() {
                let (sector, behind) = rest.split_at(rest.len().min(512 - at % 512));
                if stays() {
                    put(&mut image, at, sector);
                }
                at += sector.len();
                rest = behind;
            }
        }
        image
    }
}

/// The files as a power cut at this moment, one for all of them, might leave them.
fn after_power_cut(disks: &[Arc<State>], mut stays: impl FnMut() -> bool) -> Vec<Vec<u8>> {
    let still: Vec<_> = disks
        .iter()
        .map(|disk| disk.unsynced.lock().unwrap())
        .collect();
    still
        .iter()
        .map(|unsynced| unsynced.as_ref().unwrap().after_power_cut(&mut stays))
        .collect()
}

impl State {
    fn breaks(&self, part: Part, after: u32, says: io::ErrorKind) {
        *self.trouble.lock().unwrap() = Some((part, after, says));
    }

    fn heals(&self) {
        *self.trouble.lock().unwrap() = None;
    }

    fn check(&self, part: Part) -> Result<(), io::Error> {
        match &mut *self.trouble.lock().unwrap() {
            Some((broken, 0, says)) if *broken == part => Err((*says).into()),
            Some((broken, after, _)) if *broken == part => {
                *after -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Makes every sync wait, until the result is dropped.
    fn sticks(&self) -> Stuck<'_> {
        *self.stuck.lock().unwrap() = true;
        Stuck(self)
    }

    /// Keeps account of what is not yet synced, from now on, of a file that is, or is yet to be.
    fn keeps_account(&self, path: &Path) {
        let durable = std::fs::read(path).unwrap_or_default();
        let length = durable.len() as u64;
        *self.unsynced.lock().unwrap() = Some(Unsynced {
            durable,
            length,
            writes: Vec::new(),
        });
    }

    fn account(&self, change: impl FnOnce(&mut Unsynced)) {
        if let Some(unsynced) = &mut *self.unsynced.lock().unwrap() {
            change(unsynced);
        }
    }
}

struct Stuck<'a>(&'a State);

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        *self.0.stuck.lock().unwrap() = false;
        self.0.loose.notify_all();
    }
}

fn put(image: &mut Vec<u8>, at: usize, data: &[u8]) {
    if image.len() < at + data.len() {
        image.resize(at + data.len(), 0);
    }
    image[at..at + data.len()].copy_from_slice(data);
}

static DISKS: LazyLock<Mutex<HashMap<PathBuf, Arc<State>>>> = LazyLock::new(Mutex::default);

/// The disk below a path.
fn below(path: &Path) -> Arc<State> {
    Arc::clone(DISKS.lock().unwrap().entry(path.to_owned()).or_default())
}

/// The disks below a store: of its file, and of its log's two.
fn disks(path: &Path) -> [Arc<State>; 3] {
    let [first, second] = log::beside(path);
    [below(path), below(&first), below(&second)]
}

/// The disk below the log's file that is written first.
fn log_of(path: &Path) -> Arc<State> {
    let [_, first, _] = disks(path);
    first
}

/// A file of the store, with its state.
#[derive(Debug)]
pub(super) struct Disk {
    file: Box<dyn StorageBackend>,
    state: Arc<State>,
}

impl Disk {
    pub(super) fn new(file: impl StorageBackend, path: &Path) -> Self {
        Self {
            file: Box::new(file),
            state: below(path),
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
            self.state.check(Part::Grow)?;
        }
        self.file.set_len(len)?;
        self.state.account(|unsynced| unsynced.length = len);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.state.check(Part::Sync)?;
        self.state.syncs.fetch_add(1, Ordering::SeqCst);
        drop(
            self.state
                .loose
                .wait_while(self.state.stuck.lock().unwrap(), |stuck| *stuck)
                .unwrap(),
        );
        self.file.sync_data()?;
        self.state.account(|unsynced| {
            unsynced
                .durable
                .resize(usize::try_from(unsynced.length).unwrap(), 0);
            for (offset, data) in unsynced.writes.drain(..) {
                put(
                    &mut unsynced.durable,
                    usize::try_from(offset).unwrap(),
                    &data,
                );
            }
        });
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.state.check(Part::Write)?;
        self.state
            .account(|unsynced| unsynced.writes.push((offset, data.to_vec())));
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
