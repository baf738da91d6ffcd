//! The side that talks to the store of another process.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use coditect_core::Version;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixStream, unix::OwnedReadHalf},
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::timeout,
};

use super::{
    super::{
        KeyRange, Page, Store, StoreError, Transaction, Value,
        optimistic::{self, CommitRequest, Engine, Snapshot},
    },
    message::{Request, Response},
    wire::{HELLO, malformed, read_frame},
};

/// How often a lost connection is tried before the caller is told that the store does not answer. With the
/// pauses below, a restart of up to a second and a half passes unnoticed.
const ATTEMPTS: u32 = 8;
/// The pause after the first attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(6);
/// A server that accepts and does not greet for this long is not one.
const GREETING: Duration = Duration::from_secs(5);
/// Questions that wait for the socket to take them.
const QUESTIONS: usize = 256;

/// The store that another process of this machine serves.
pub struct RemoteStore {
    engine: Arc<RemoteEngine>,
}

impl RemoteStore {
    /// Connects to the store served at `path`.
    ///
    /// # Errors
    /// `NotOpened` if nobody serves there, or one of another version; the message names the path.
    pub async fn connect(path: impl AsRef<Path>) -> Result<Arc<Self>, StoreError> {
        let path = path.as_ref().to_owned();
        let connection = Connection::open(&path).await.map_err(|error| {
            StoreError::NotOpened(format!(
                "nobody serves the registry at {}: {error}; start the process that does, of the same version",
                path.display()
            ))
        })?;
        let engine = RemoteEngine {
            path,
            connection: tokio::sync::Mutex::new(connection),
        };
        Ok(Arc::new(Self {
            engine: Arc::new(engine),
        }))
    }
}

#[async_trait]
impl Store for RemoteStore {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        let engine = Arc::clone(&self.engine) as Arc<dyn Engine>;
        Ok(Box::new(optimistic::Transaction::begin(engine).await?))
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        self.engine.changed(key, seen).await
    }

    fn description(&self) -> String {
        format!("served at {}", self.engine.path.display())
    }
}

struct RemoteEngine {
    path: PathBuf,
    connection: tokio::sync::Mutex<Arc<Connection>>,
}

impl RemoteEngine {
    /// The connection, made anew if it was lost.
    async fn connection(&self) -> Result<Arc<Connection>, StoreError> {
        let mut connection = self.connection.lock().await;
        if !connection.is_lost() {
            return Ok(Arc::clone(&connection));
        }
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match Connection::open(&self.path).await {
                Ok(fresh) => {
                    *connection = fresh;
                    return Ok(Arc::clone(&connection));
                }
                Err(error) if attempt == ATTEMPTS => {
                    return Err(StoreError::Unavailable(format!(
                        "nobody serves it at {}: {error}",
                        self.path.display()
                    )));
                }
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause *= 2;
        }
        Err(lost())
    }

    /// Asks what changes nothing: once more if the connection turns out to be lost, which often shows only
    /// when it is used.
    async fn ask_again(&self, request: &Request) -> Result<(Response, Lease), StoreError> {
        for _ in 0..2 {
            let connection = self.connection().await?;
            let lease = Lease {
                id: connection.number(),
                connection,
            };
            if let Ok(response) = lease.connection.ask(lease.id, request).await {
                return Ok((response, lease));
            }
        }
        Err(lost())
    }
}

#[async_trait]
impl Engine for RemoteEngine {
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let (response, lease) = self.ask_again(&Request::Snapshot).await?;
        match response {
            Response::Version(version) => Ok(Arc::new(RemoteSnapshot { lease, version })),
            other => Err(unexpected(other)),
        }
    }

    async fn commit(&self, request: CommitRequest) -> Result<Version, StoreError> {
        let connection = self.connection().await?;
        match connection
            .ask(connection.number(), &Request::Commit(request))
            .await
        {
            Ok(Response::Version(version)) => Ok(version),
            Ok(other) => Err(unexpected(other)),
            Err(Lost::Unsent) => Err(lost()),
            Err(Lost::Unanswered) => Err(StoreError::UnknownResult),
        }
    }

    async fn changed(&self, key: &[u8], seen: Option<&[u8]>) -> Result<(), StoreError> {
        let request = Request::Changed {
            key: key.to_vec(),
            seen: seen.map(<[u8]>::to_vec),
        };
        match self.ask_again(&request).await?.0 {
            Response::Changed => Ok(()),
            other => Err(unexpected(other)),
        }
    }
}

/// A snapshot that the server holds, until this is dropped or a few seconds have passed.
struct Lease {
    id: u64,
    connection: Arc<Connection>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection
            .tell(&Request::Release { snapshot: self.id });
    }
}

struct RemoteSnapshot {
    lease: Lease,
    version: Version,
}

impl RemoteSnapshot {
    async fn ask(&self, request: &Request) -> Result<Response, StoreError> {
        let connection = &self.lease.connection;
        connection
            .ask(connection.number(), request)
            .await
            .map_err(Lost::unavailable)
    }
}

#[async_trait]
impl Snapshot for RemoteSnapshot {
    fn version(&self) -> Version {
        self.version
    }

    async fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        match self
            .ask(&Request::Get {
                snapshot: self.lease.id,
                key: key.to_vec(),
            })
            .await?
        {
            Response::Value(value) => Ok(value),
            other => Err(unexpected(other)),
        }
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
    ) -> Result<Page, StoreError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        match self
            .ask(&Request::Range {
                snapshot: self.lease.id,
                range: range.clone(),
                limit,
                reverse,
            })
            .await?
        {
            Response::Page(page) => Ok(page),
            other => Err(unexpected(other)),
        }
    }
}

/// The connection was lost.
enum Lost {
    /// Before the question was sent.
    Unsent,
    /// Before the answer came.
    Unanswered,
}

impl Lost {
    fn unavailable(self) -> StoreError {
        lost()
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("the connection to the process that has it was lost".to_owned())
}

fn unexpected(response: Response) -> StoreError {
    match response {
        Response::Failed(error) => error,
        _ => StoreError::Unavailable(malformed().to_string()),
    }
}

type Waiting = HashMap<u64, oneshot::Sender<Response>>;

/// One connection, shared by all questions; its tasks end with it.
struct Connection {
    next: AtomicU64,
    questions: mpsc::Sender<Vec<u8>>,
    /// Who waits for which answer; `None` once the connection is lost.
    waiting: Arc<Mutex<Option<Waiting>>>,
    tasks: [AbortHandle; 2],
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Connection {
    async fn open(path: &Path) -> io::Result<Arc<Self>> {
        let mut stream = UnixStream::connect(path).await?;
        let mut hello = [0; HELLO.len()];
        timeout(GREETING, async {
            stream.write_all(HELLO).await?;
            stream.read_exact(&mut hello).await
        })
        .await??;
        if hello != *HELLO {
            return Err(malformed());
        }
        let (reader, mut writer) = stream.into_split();
        let (questions, mut taken) = mpsc::channel::<Vec<u8>>(QUESTIONS);
        let waiting = Arc::new(Mutex::new(Some(Waiting::new())));
        let reads = tokio::spawn(read(reader, Arc::clone(&waiting)));
        let cut = Arc::clone(&waiting);
        let writes = tokio::spawn(async move {
            while let Some(question) = taken.recv().await {
                if writer.write_all(&question).await.is_err() {
                    break;
                }
            }
            hang_up(&cut);
        });
        let tasks = [reads.abort_handle(), writes.abort_handle()];
        Ok(Arc::new(Self {
            next: AtomicU64::new(0),
            questions,
            waiting,
            tasks,
        }))
    }

    fn is_lost(&self) -> bool {
        self.waiting().is_none()
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for the next question.
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks, and waits for the answer. Dropped before that, the server is told to forget the question.
    async fn ask(&self, question: u64, request: &Request) -> Result<Response, Lost> {
        let frame = request.encode(question);
        let (answer, answered) = oneshot::channel();
        match &mut *self.waiting() {
            Some(waiting) => waiting.insert(question, answer),
            None => return Err(Lost::Unsent),
        };
        let mut asked = Asked {
            connection: self,
            question,
            answered: false,
        };
        self.questions.send(frame).await.map_err(|_| Lost::Unsent)?;
        let response = answered.await.map_err(|_| Lost::Unanswered)?;
        asked.answered = true;
        Ok(response)
    }

    /// Says something that has no answer; if the socket is busy, not at all.
    fn tell(&self, request: &Request) {
        let _ = self.questions.try_send(request.encode(self.number()));
    }
}

struct Asked<'a> {
    connection: &'a Connection,
    question: u64,
    answered: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.answered
            && self
                .connection
                .waiting()
                .as_mut()
                .and_then(|waiting| waiting.remove(&self.question))
                .is_some()
        {
            self.connection.tell(&Request::Forget {
                question: self.question,
            });
        }
    }
}

/// Hands every answer to who waits for it, until the connection ends.
async fn read(mut reader: OwnedReadHalf, waiting: Arc<Mutex<Option<Waiting>>>) {
    while let Ok(Some(frame)) = read_frame(&mut reader).await {
        let Ok((question, response)) = Response::decode(&frame) else {
            break;
        };
        let waits = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .and_then(|waiting| waiting.remove(&question));
        if let Some(waits) = waits {
            let _ = waits.send(response);
        }
    }
    hang_up(&waiting);
}

/// Everyone who waits learns that no answer comes.
fn hang_up(waiting: &Mutex<Option<Waiting>>) {
    drop(
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(),
    );
}
