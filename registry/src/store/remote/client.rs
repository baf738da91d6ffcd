//! The side that talks to the store of another process.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use coditect_core::Version;

use super::{
    super::{
        KeyRange, Page, Store, StoreError, Transaction, Value,
        optimistic::{self, CommitRequest, Engine, Snapshot},
    },
    connection::{Connection, Lost},
    message::{Request, Response},
    wire::malformed,
};

/// How often a lost connection is tried before the caller is told that the store does not answer. With the
/// pauses below, a restart of about a second passes unnoticed.
const ATTEMPTS: u32 = 8;
/// The pause after the first attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
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
            .map_err(|_| lost())
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

fn lost() -> StoreError {
    StoreError::Unavailable("the connection to the process that has it was lost".to_owned())
}

fn unexpected(response: Response) -> StoreError {
    match response {
        Response::Failed(error) => error,
        _ => StoreError::Unavailable(malformed().to_string()),
    }
}
