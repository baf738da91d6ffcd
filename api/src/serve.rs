//! Serving connections until told to stop, then letting what is in flight finish.

use std::{convert::Infallible, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use coditect_core::{Error, Result};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{rate::sharing, revoked, router, state::ApiState};

/// How often the signing keys are read again: a revoked one must be worth nothing within seconds, at the gateways too.
const RELOAD_KEYS: Duration = Duration::from_secs(2);

/// How often the clusters' keys are read again: they are published long before they sign.
const RELOAD_CELL_KEYS: Duration = Duration::from_secs(30);

/// Longest time until HTTP is spoken on a new connection.
const OPENING: Duration = Duration::from_secs(10);

/// What is agreed on a new connection before HTTP is spoken.
pub trait Opening: Clone + Send + Sync + 'static {
    /// What HTTP is spoken over.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Agrees on it.
    ///
    /// # Errors
    /// If it cannot be agreed on; the connection ends.
    fn open(&self, stream: TcpStream) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Nothing is agreed on: HTTP as it is.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Opening for Plain {
    type Stream = TcpStream;

    async fn open(&self, stream: TcpStream) -> io::Result<TcpStream> {
        Ok(stream)
    }
}

/// How connections are served.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// How many at a time.
    pub connections: usize,
    /// Longest time a connection may wait for a request and its headers.
    pub idle_timeout: Duration,
    /// How long requests in flight may take to finish after `shutdown`.
    pub drain: Duration,
}

impl Default for ServeLimits {
    /// For a process that only answers health and metrics.
    fn default() -> Self {
        Self {
            connections: 256,
            idle_timeout: Duration::from_secs(75),
            drain: Duration::from_secs(5),
        }
    }
}

/// Serves the API on `listener` until `shutdown` is cancelled; then accepts nothing more, ends event streams,
/// lets requests in flight finish within the configured time, and returns.
///
/// # Errors
/// `Unavailable` if the listener is not usable.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    shutdown: CancellationToken,
) -> Result<()> {
    serve_behind(listener, Plain, state, |api, _| api, shutdown).await
}

/// As [`serve`], over what `opening` agrees on and with something before the API: `front` is given the API and what it
/// knows, and gives back what is served.
///
/// # Errors
/// As [`serve`].
pub async fn serve_behind(
    listener: TcpListener,
    opening: impl Opening,
    state: ApiState,
    front: impl FnOnce(Router, &ApiState) -> Router,
    shutdown: CancellationToken,
) -> Result<()> {
    let config = &state.config;
    let limits = ServeLimits {
        connections: config.connections,
        idle_timeout: config.idle_timeout,
        drain: config.drain,
    };
    let stopping = state.stopping.clone();
    let reloading = reload_keys(state.clone(), shutdown.clone());
    let following = revoked::run(state.clone(), shutdown.clone());
    let sharing = sharing::run(state.clone(), shutdown.clone());
    let router = front(router(state.clone()), &state);
    let ended = state.clone();
    let serving = serve_over(listener, opening, router, limits, async move {
        shutdown.cancelled().await;
        stopping.cancel();
    });
    let ((), (), (), served) = tokio::join!(reloading, following, sharing, serving);
    ended.settled().await;
    ended.mail.drain().await;
    served
}

/// As [`serve`], for any router; stops when `shutdown` is ready.
///
/// # Errors
/// As [`serve`].
pub async fn serve_router(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    serve_over(listener, Plain, router, limits, shutdown).await
}

async fn serve_over(
    listener: TcpListener,
    opening: impl Opening,
    router: Router,
    limits: ServeLimits,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let address = listener
        .local_addr()
        .map_err(|error| Error::unavailable("the listening socket is gone").because(error))?;
    tracing::info!(%address, "listening");
    let places = Arc::new(Semaphore::new(limits.connections.max(1)));
    let closing = CancellationToken::new();
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = async {
            // A place first: what cannot be served waits in the listener's queue, not in our memory.
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accepted => accepted,
            // Finished connections are taken off the list while we wait.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Small answers go out at once; only speed is lost if the socket refuses.
                let _ = stream.set_nodelay(true);
                let (opening, router, closing) = (opening.clone(), router.clone(), closing.clone());
                connections.spawn(async move {
                    let _place = place;
                    let opened = tokio::time::timeout(OPENING, opening.open(stream));
                    let stream = match closing.run_until_cancelled(opened).await {
                        Some(Ok(Ok(stream))) => stream,
                        Some(Ok(Err(error))) => {
                            tracing::debug!(%error, "a connection was not opened");
                            return;
                        }
                        Some(Err(_)) | None => return,
                    };
                    let connection = connection(stream, peer, router, limits);
                    if let Err(error) = until_closing(connection, closing).await {
                        tracing::debug!(%error, "a connection ended early");
                    }
                });
            }
            // Out of file descriptors, or the peer gave up: the listener itself is sound.
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    let open = connections.len();
    closing.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, ended).await.is_err() {
        tracing::warn!(
            open,
            seconds = limits.drain.as_secs(),
            "some requests did not finish in time and were cut off"
        );
    }
    connections.shutdown().await;
    tracing::info!(%address, "stopped");
    Ok(())
}

/// The router as hyper calls it, with the peer's address in each request.
struct Answerer {
    router: Router,
    peer: SocketAddr,
}

impl hyper::service::Service<hyper::Request<Incoming>> for Answerer {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        Box::pin(self.router.clone().oneshot(request))
    }
}

/// Serves a connection; once `closing` is cancelled, what is in flight finishes and nothing more is taken.
async fn until_closing<S>(
    connection: http1::UpgradeableConnection<TokioIo<S>, Answerer>,
    closing: CancellationToken,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::pin!(connection);
    tokio::select! {
        ended = &mut connection => return ended,
        () = closing.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

fn connection<S>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    limits: ServeLimits,
) -> http1::UpgradeableConnection<TokioIo<S>, Answerer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        // Above what the outermost layer allows, so that it can answer with a problem document.
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), Answerer { router, peer })
        // For what stands before the API: the API itself changes no protocol.
        .with_upgrades()
}

async fn pause_after(error: &io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset => {}
        _ => {
            tracing::error!(%error, "cannot accept a connection; trying again in a second");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

async fn reload_keys(state: ApiState, shutdown: CancellationToken) {
    let keys = state.tokens.keys.clone();
    let cells = state.cells.clone();
    tokio::join!(
        again(&state, &shutdown, "keys", RELOAD_KEYS, move || keys
            .reload()),
        again(
            &state,
            &shutdown,
            "cell-keys",
            RELOAD_CELL_KEYS,
            move || { cells.reload() }
        ),
    );
}

/// Reads files again and again, and says in health whether they can be read.
async fn again(
    state: &ApiState,
    shutdown: &CancellationToken,
    part: &'static str,
    every: Duration,
    read: impl Fn() -> Result<()> + Clone + Send + 'static,
) {
    let mut ticks = tokio::time::interval(every);
    ticks.tick().await;
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        match tokio::task::spawn_blocking(read.clone()).await {
            Err(error) => tracing::error!(%error, part, "reading keys again failed"),
            Ok(Err(error)) => {
                tracing::error!(part, error = error.chain(), "cannot be read again");
                state.health.degraded(part, error.to_string());
            }
            Ok(Ok(())) => state.health.ok(part, "read"),
        }
    }
}
