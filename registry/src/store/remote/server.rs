//! The side that has the store.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, mpsc, watch},
    task::{AbortHandle, JoinHandle, JoinSet},
    time::timeout,
};

use super::{
    super::{
        StoreError, limits,
        optimistic::{Engine, Snapshot},
    },
    message::{Request, Response},
    wire::{HELLO, read_frame},
};

/// How long a snapshot is held for a client: a transaction's age, and a little more.
const LEASE: Duration = limits::TRANSACTION_AGE.saturating_add(Duration::from_secs(2));
/// Most snapshots held for one client.
const LEASES: usize = 10_000;
/// Most reads and commits of one client in work at once: beyond, its socket is not read.
const QUESTIONS: usize = 256;
/// Most keys that one client waits for.
const WATCHES: usize = 10_000;
/// Answers that wait for the socket to take them.
const ANSWERS: usize = 64;
/// A client that takes no byte for this long has been stopped or is broken: its connection is closed.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a shutdown waits for what is in work.
const GOODBYE: Duration = Duration::from_secs(5);

/// A store that is being served. Dropped, it stops at once.
pub struct Server {
    path: PathBuf,
    /// Which file at the path is ours.
    inode: u64,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Serves `engine` at the socket `path` to processes of the same operating-system user, until the server is shut down or
/// dropped. A socket left behind by a process that was killed is replaced.
///
/// # Errors
/// `NotOpened` if another process serves there, or the socket cannot be made; the message names the path.
pub async fn serve(engine: Arc<dyn Engine>, path: impl AsRef<Path>) -> Result<Server, StoreError> {
    let path = path.as_ref().to_owned();
    if UnixStream::connect(&path).await.is_ok() {
        return Err(StoreError::NotOpened(format!(
            "another process serves the registry at {}; stop it first",
            path.display()
        )));
    }
    let (listener, inode) = bind(&path).map_err(|error| {
        StoreError::NotOpened(format!(
            "the registry cannot be served at {}: {error}",
            path.display()
        ))
    })?;
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, engine, stopped));
    Ok(Server {
        path,
        inode,
        stop,
        task,
    })
}

/// A socket that only its owner may open, put in its place when it is ready.
fn bind(path: &Path) -> io::Result<(UnixListener, u64)> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push("~");
    let fresh = PathBuf::from(fresh);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&fresh)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
    let inode = fs::metadata(&fresh)?.ino();
    fs::rename(&fresh, path)?;
    Ok((listener, inode))
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes no more questions, answers those that are in work (for five seconds at most), and removes the
    /// socket.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        if fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

async fn accept(listener: UnixListener, engine: Arc<dyn Engine>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = Connection::new(Arc::clone(&engine));
                let stop = stop.clone();
                connections.spawn(async move {
                    if let Err(error) = connection.serve(stream, stop).await {
                        tracing::warn!(%error, "a client of the registry's socket was turned away");
                    }
                });
            }
            Err(error) => {
                // No more file descriptors, most likely: those who hang up free some.
                tracing::warn!(%error, "the registry's socket takes nobody");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = timeout(GOODBYE, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

/// Snapshots held for a client, and since when.
type Leases = HashMap<u64, (Instant, Arc<dyn Snapshot>)>;

/// One client.
struct Connection {
    engine: Arc<dyn Engine>,
    leases: Mutex<Leases>,
    watches: Mutex<HashMap<u64, AbortHandle>>,
    room: Arc<Semaphore>,
}

impl Connection {
    fn new(engine: Arc<dyn Engine>) -> Arc<Self> {
        Arc::new(Self {
            engine,
            leases: Mutex::default(),
            watches: Mutex::default(),
            room: Arc::new(Semaphore::new(QUESTIONS)),
        })
    }

    /// Answers until the client hangs up or `stop` is true. Everything begun for the client ends with it.
    async fn serve(
        self: Arc<Self>,
        mut stream: UnixStream,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut hello = [0; HELLO.len()];
        let greeted = async {
            stream.write_all(HELLO).await?;
            stream.read_exact(&mut hello).await
        };
        // A client of another version has been told ours, and will say so to its person.
        if timeout(SILENCE, greeted).await.is_err() || hello != *HELLO {
            return Ok(());
        }
        let (reader, writer) = stream.into_split();
        let (answers, taken) = mpsc::channel(ANSWERS);
        let mut work = JoinSet::new();
        work.spawn(Arc::clone(&self).forget_old_leases());
        let mut writes = tokio::spawn(write(writer, taken));
        let read = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => Ok(()),
            _ = &mut writes => return Ok(()),
            read = Arc::clone(&self).read(reader, &answers, &mut work) => { work.abort_all(); read }
        };
        // On shutdown: all permits are back when all questions are answered.
        if let Ok(Ok(_)) = timeout(GOODBYE, self.room.acquire_many(QUESTIONS as u32)).await {
            work.abort_all();
        }
        drop((answers, work));
        let _ = timeout(GOODBYE, writes).await;
        read
    }

    async fn read(
        self: Arc<Self>,
        mut reader: OwnedReadHalf,
        answers: &mpsc::Sender<Vec<u8>>,
        work: &mut JoinSet<()>,
    ) -> io::Result<()> {
        while let Some(frame) = read_frame(&mut reader).await? {
            let (question, request) = Request::decode(&frame)?;
            while work.try_join_next().is_some() {}
            match request {
                Request::Release { snapshot } => drop(self.leases().remove(&snapshot)),
                Request::Forget { question } => {
                    if let Some(watch) = self.watches().remove(&question) {
                        watch.abort();
                    }
                }
                Request::Changed { key, seen } => {
                    let mut watches = self.watches();
                    let full = watches.len() >= WATCHES;
                    let (this, answers) = (Arc::clone(&self), answers.clone());
                    let watch = work.spawn(async move {
                        let changed = if full {
                            Err(too_many("keys waited for"))
                        } else {
                            this.engine.changed(&key, seen.as_deref()).await
                        };
                        this.watches().remove(&question);
                        let response =
                            changed.map_or_else(Response::Failed, |()| Response::Changed);
                        let _ = answers.send(response.encode(question)).await;
                    });
                    // The task cannot end before it is listed: it needs the lock for that.
                    if !full {
                        watches.insert(question, watch);
                    }
                }
                request => {
                    let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else {
                        return Ok(());
                    };
                    let (this, answers) = (Arc::clone(&self), answers.clone());
                    work.spawn(async move {
                        let response = this
                            .answer(question, request)
                            .await
                            .unwrap_or_else(Response::Failed);
                        let _ = answers.send(response.encode(question)).await;
                        drop(permit);
                    });
                }
            }
        }
        Ok(())
    }

    async fn answer(&self, question: u64, request: Request) -> Result<Response, StoreError> {
        match request {
            Request::Snapshot => {
                let snapshot = self.engine.snapshot().await?;
                let version = snapshot.version();
                let mut leases = self.leases();
                if leases.len() >= LEASES {
                    return Err(too_many("open transactions"));
                }
                leases.insert(question, (Instant::now(), snapshot));
                Ok(Response::Version(version))
            }
            Request::Get { snapshot, key } => {
                Ok(Response::Value(self.lease(snapshot)?.get(&key).await?))
            }
            Request::Range {
                snapshot,
                range,
                limit,
                reverse,
            } => {
                let limit = usize::try_from(limit)
                    .unwrap_or(usize::MAX)
                    .clamp(1, limits::PAGE_ENTRIES);
                Ok(Response::Page(
                    self.lease(snapshot)?.range(&range, limit, reverse).await?,
                ))
            }
            Request::Commit(request) => Ok(Response::Version(self.engine.commit(request).await?)),
            // Handled where they are read.
            Request::Release { .. } | Request::Forget { .. } | Request::Changed { .. } => {
                Ok(Response::Changed)
            }
        }
    }

    fn lease(&self, snapshot: u64) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.leases()
            .get(&snapshot)
            .map(|(_, snapshot)| Arc::clone(snapshot))
            .ok_or(StoreError::TooOld)
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watches(&self) -> MutexGuard<'_, HashMap<u64, AbortHandle>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of what a client holds too long, also if it never says another word.
    async fn forget_old_leases(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.leases()
                .retain(|_, (since, _)| since.elapsed() < LEASE);
        }
    }
}

fn too_many(what: &str) -> StoreError {
    StoreError::Unavailable(format!("this process has too many {what}"))
}

async fn write(mut writer: OwnedWriteHalf, mut answers: mpsc::Receiver<Vec<u8>>) {
    while let Some(answer) = answers.recv().await {
        let mut rest = answer.as_slice();
        while !rest.is_empty() {
            match timeout(SILENCE, writer.write(rest)).await {
                Ok(Ok(taken)) if taken > 0 => rest = &rest[taken..],
                _ => return,
            }
        }
    }
}
