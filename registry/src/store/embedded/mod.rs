//! The store of one machine: one file and its log, durable, many commits to one fsync.
//!
//! One thread writes ([`committer`]). Everyone else reads the version that it published last and never
//! waits for it. The file is redb's: copy-on-write B-trees with checksums, so that a kill or a power cut
//! leaves the last checkpoint, or the one before; what was acknowledged since stands in the [`log`].

mod behind;
mod cache;
mod committer;
#[cfg(test)]
mod disk;
mod durable;
mod file;
mod format;
mod holder;
mod log;
mod room;
mod snapshot;
#[cfg(test)]
mod tests;
mod watermark;
mod write;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, mpsc},
    thread::{self, JoinHandle},
    time::Instant,
};

use async_trait::async_trait;
use coditect_core::Version;
use tokio::sync::{Semaphore, oneshot};

use self::{
    committer::{Command, Committer, Pending},
    snapshot::EmbeddedSnapshot,
};
use super::{
    Store, StoreError,
    optimistic::{self, CommitRequest, Engine, Mutation, Snapshot},
    watches::Watches,
};

/// How many bytes of commits may wait. Who comes later waits before the queue instead.
const QUEUE_BYTES: u32 = 64 << 20;
/// What a commit counts in the queue beside its keys and values.
const COMMIT_OVERHEAD: usize = 1024;

/// The durable store of one machine. Dropped, it finishes what waits and closes its file.
pub struct EmbeddedStore {
    engine: Arc<EmbeddedEngine>,
    thread: Mutex<Option<JoinHandle<()>>>,
    path: PathBuf,
}

struct EmbeddedEngine {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
}

/// How a store's file is used, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// What the file takes on disk.
    pub file_bytes: u64,
    /// Keys and values.
    pub stored_bytes: u64,
    /// What the pages that hold them take beside: numbers, lengths, gaps.
    pub overhead_bytes: u64,
    /// What is left: pages that are free to be used again, and those of versions that may still be read.
    /// [`EmbeddedStore::compact`] gives nearly all of it back.
    pub unused_bytes: u64,
    /// How many keys there are.
    pub keys: u64,
}

/// What a store takes on disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskUse {
    /// Its file, without the hole at the file's end.
    pub file: u64,
    /// The log beside it, with the room made ahead; none while the store is closed.
    pub log: u64,
}

/// What the store at `path` takes on disk, whoever has it open. Files that cannot be asked count nothing.
#[must_use]
pub fn disk_use(path: &Path) -> DiskUse {
    DiskUse {
        file: file::size(path),
        log: log::size(path),
    }
}

/// What the committer shares with everyone.
struct Shared {
    newest: RwLock<Result<Arc<EmbeddedSnapshot>, String>>,
    watches: Watches,
}

impl Shared {
    fn newest(&self) -> Result<Arc<EmbeddedSnapshot>, StoreError> {
        match &*self.newest.read().unwrap_or_else(PoisonError::into_inner) {
            Ok(snapshot) => Ok(Arc::clone(snapshot)),
            Err(why) => Err(StoreError::Unavailable(why.clone())),
        }
    }

    fn publish(&self, newest: Result<Arc<EmbeddedSnapshot>, String>) {
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = newest;
    }
}

impl EmbeddedStore {
    /// Opens the store in the file at `path`, making an empty one if there is none. Its folder must exist.
    ///
    /// # Errors
    /// `NotOpened` if another process has it open, a newer program wrote it, it is something else, or the
    /// file system refuses; `Corrupt` if it is damaged. Both name the file and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Arc<Self>, StoreError> {
        let path = path.as_ref().to_owned();
        let opened = file::open(&path)?;
        let shared = Arc::new(Shared {
            newest: RwLock::new(Err("it is being opened".to_owned())),
            watches: Watches::default(),
        });
        let committer = Committer::new(path.clone(), Arc::clone(&shared), opened)?;
        let (commands, received) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("registry-commit".to_owned())
            .spawn(move || committer.run(&received))
            .map_err(|error| {
                StoreError::Unavailable(format!("no thread for its commits: {error}"))
            })?;
        let engine = EmbeddedEngine {
            shared,
            commands,
            room: Arc::new(Semaphore::new(QUEUE_BYTES as usize)),
        };
        Ok(Arc::new(Self {
            engine: Arc::new(engine),
            thread: Mutex::new(Some(thread)),
            path,
        }))
    }

    /// Where the store is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size of the store's file in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        file::size(&self.path)
    }

    /// How the file is used. Reads all of it, blocking: for an operator's question, not for a dashboard.
    ///
    /// # Errors
    /// As a read of the store.
    pub fn figures(&self) -> Result<Figures, StoreError> {
        let (keys, stored_bytes, overhead_bytes) = self.engine.shared.newest()?.usage()?;
        let file_bytes = self.size_bytes();
        Ok(Figures {
            file_bytes,
            stored_bytes,
            overhead_bytes,
            unused_bytes: file_bytes.saturating_sub(stored_bytes + overhead_bytes),
            keys,
        })
    }

    /// Gives space that is no longer used back to the file system. Transactions that are open become too
    /// old, new ones are refused until it is done: for maintenance.
    ///
    /// # Errors
    /// `Unavailable` if it could not be done; nothing is lost.
    pub async fn compact(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.engine
            .commands
            .send(Command::Compact(answer))
            .map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// The engine below, to be served to other processes.
    #[must_use]
    pub fn engine(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.engine) as Arc<dyn Engine>
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        let _ = self.engine.commands.send(Command::Stop);
        if let Some(thread) = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            && thread.join().is_err()
        {
            tracing::error!("the registry's committing thread has failed");
        }
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn begin(&self) -> Result<Box<dyn super::Transaction>, StoreError> {
        Ok(Box::new(
            optimistic::Transaction::begin(self.engine()).await?,
        ))
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.engine.changed(key, seen).await
    }

    fn description(&self) -> String {
        format!("embedded, {:.1} MB", self.size_bytes() as f64 / 1e6)
    }
}

#[async_trait]
impl Engine for EmbeddedEngine {
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(self.shared.newest()?)
    }

    async fn commit(&self, request: CommitRequest) -> Result<Version, StoreError> {
        let began = Instant::now();
        let bytes = u32::try_from(size(&request))
            .unwrap_or(u32::MAX)
            .min(QUEUE_BYTES);
        let room = Arc::clone(&self.room)
            .acquire_many_owned(bytes)
            .await
            .map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let pending = Pending {
            request,
            bytes,
            answer,
            _room: room,
        };
        self.commands
            .send(Command::Commit(pending))
            .map_err(|_| closed())?;
        // The thread ended with the commit in its hands: nobody knows how far it came.
        let result = answered.await.unwrap_or(Err(StoreError::UnknownResult));
        metrics::histogram!("coditect_registry_commit_seconds").record(began.elapsed());
        result
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        let read = || async { self.snapshot().await?.get(key).await };
        match self.shared.watches.changed(key, seen, read).await {
            // The version that was to be read has just been let go: something has changed.
            Err(StoreError::TooOld) => Ok(()),
            done => done,
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".to_owned())
}

fn size(request: &CommitRequest) -> usize {
    let reads: usize = request
        .reads
        .iter()
        .map(|range| range.begin.len() + range.end.len())
        .sum();
    let writes: usize = request.mutations.iter().map(Mutation::bytes).sum();
    COMMIT_OVERHEAD + reads + writes
}
