//! Serves cells' bare repositories, read-only, over smart HTTP (`gitprotocol-http(5)`): what Argo CD fetches.
//!
//! `http://ADDR/<cell>.git`, for whoever knows a token. The `git` command does the protocol; this bounds it: so
//! many processes at a time, so many bytes of a request, so much time, and none whose client is gone.
//! `docs/adr/0008-serving-git.md` has the reasons.

mod answer;
mod body;
mod feed;
mod route;
mod tokens;
mod upload;

use std::{
    convert::Infallible,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use coditect_core::{CellName, health::Health};
use hyper::{Request, body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::{
    answer::{Answer, Recorder},
    route::{Asked, Refusal},
    upload::Upload,
};

pub use self::tokens::{SHORTEST_TOKEN, TOKENS, Tokens};

/// Finds a cell's bare repository; none if the cell is not served here.
pub type FindRepository = Arc<dyn Fn(&CellName) -> Option<PathBuf> + Send + Sync>;

/// What one server may take at most.
#[derive(Clone, Copy, Debug)]
pub struct GitServeLimits {
    /// How many `git` processes run at a time.
    pub processes: usize,
    /// How many more requests wait for one; further ones are told to come again.
    pub queue: usize,
    /// How long a request waits for a process.
    pub wait: Duration,
    /// How many connections are open at a time; further ones wait in the listener's queue.
    pub connections: usize,
    /// How many bytes a request's body may have, unpacked.
    pub body: usize,
    /// How long a client may neither send nor take anything.
    pub stall: Duration,
    /// How long one request may take in all.
    pub request: Duration,
    /// How long running requests may take to end when the server stops.
    pub drain: Duration,
}

impl Default for GitServeLimits {
    /// 16 processes: Argo CD's repo server fetches a repository once at a time, so each is another reader. A
    /// fetch's request names commits, 50 bytes each, so 8 MiB are plenty. Ten minutes for a clone of years of
    /// history over a slow line.
    fn default() -> Self {
        Self {
            processes: 16,
            queue: 128,
            wait: Duration::from_secs(30),
            connections: 256,
            body: 8 << 20,
            stall: Duration::from_secs(30),
            request: Duration::from_secs(600),
            drain: Duration::from_secs(10),
        }
    }
}

/// A read-only Git server over HTTP.
pub struct GitServer {
    find: FindRepository,
    tokens: Tokens,
    limits: GitServeLimits,
    /// Everybody who runs or waits.
    admitted: Arc<Semaphore>,
    /// Everybody who runs.
    processes: Arc<Semaphore>,
}

/// The right to run one process.
struct Slot {
    _admitted: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

impl GitServer {
    /// A server of what `find` finds, for whoever shows one of `tokens`.
    #[must_use]
    pub fn new(find: FindRepository, tokens: Tokens, limits: GitServeLimits) -> Self {
        Self {
            find,
            tokens,
            limits,
            admitted: Arc::new(Semaphore::new(limits.processes + limits.queue)),
            processes: Arc::new(Semaphore::new(limits.processes)),
        }
    }

    /// Serves until `stop`; then running requests get [`GitServeLimits::drain`] to end.
    pub async fn run(self, listener: TcpListener, health: Health, stop: CancellationToken) {
        let address = listener
            .local_addr()
            .map_or_else(|_| "a closed socket".to_owned(), |addr| addr.to_string());
        tracing::info!(address, "serving Git");
        health.ok(PART, format!("serves at http://{address}"));
        let limits = self.limits;
        let server = Arc::new(self);
        let places = Arc::new(Semaphore::new(limits.connections));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            let accepted = async {
                // A place first: what cannot be served waits in the listener's queue, not in our memory.
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = accepted => accepted,
                // Ended connections are taken off the list while we wait.
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    let connection = Arc::clone(&server).connection(stream, graceful.watcher());
                    connections.spawn(async move {
                        let _place = place;
                        connection.await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    // Out of file descriptors: the listener itself is sound.
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        drop(listener);
        if timeout(limits.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!(
                open = connections.len(),
                "some fetches did not end in time and were cut off"
            );
        }
        connections.shutdown().await;
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, watcher: Watcher) {
        // Small answers go out at once; only speed is lost if the socket refuses.
        let _ = stream.set_nodelay(true);
        let cut = CancellationToken::new();
        let timer = self.limits.stall;
        let service = hyper::service::service_fn({
            let cut = cut.clone();
            move |request| {
                let (server, cut) = (Arc::clone(&self), cut.clone());
                async move { Ok::<_, Infallible>(server.answer(request, cut).await) }
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(timer)
            .max_buf_size(64 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            ended = watcher.watch(connection) => if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            },
            // A client that takes nothing: nobody but us would ever close it.
            () = cut.cancelled() => {}
        }
    }

    async fn answer(&self, request: Request<Incoming>, cut: CancellationToken) -> Answer {
        let mut record = Recorder::begin();
        let answer = match self.serve(request, cut, &mut record).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.answer(),
        };
        record.answered(answer)
    }

    async fn serve(
        &self,
        request: Request<Incoming>,
        cut: CancellationToken,
        record: &mut Recorder,
    ) -> Result<Answer, Refusal> {
        // Before anything else, so that nobody learns which cells there are.
        if !self.tokens.admit(request.headers()).await {
            return Err(Refusal::Unauthorised);
        }
        let asked = Asked::of(&request)?;
        let repository = (self.find)(&asked.cell).ok_or(Refusal::NoSuchCell)?;
        record.known(&asked);
        let slot = self.slot().await?;
        let deadline = Instant::now() + self.limits.request;
        let protocol = request
            .headers()
            .get("git-protocol")
            .and_then(|value| value.to_str().ok());
        let upload = Upload::start(&repository, protocol, asked.service, deadline, slot)?;
        upload.answer(request, self.limits, cut, record).await
    }

    /// A process's place: at once, after a wait, or not at all.
    async fn slot(&self) -> Result<Slot, Refusal> {
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_| Refusal::Busy)?;
        let process = timeout(
            self.limits.wait,
            Arc::clone(&self.processes).acquire_owned(),
        )
        .await;
        match process {
            Ok(Ok(process)) => Ok(Slot {
                _admitted: admitted,
                _process: process,
            }),
            _ => Err(Refusal::Busy),
        }
    }
}

/// The name under which the server posts its health.
const PART: &str = "git";
/// How long until a listener that could not accept is asked again.
const AGAIN: Duration = Duration::from_millis(200);
