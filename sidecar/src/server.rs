//! Accepts connections.

use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

use crate::answer::Answer;

/// Most connections at once. Each costs a few kilobytes; a person's tabs need some dozen.
const MOST: usize = 4_096;
/// How long the head of a request may take to arrive, and how long a connection may lie idle: longer than routers keep
/// theirs (Google's load balancers: 600 s), so that none sends a request into a closing one.
const HEAD: Duration = Duration::from_secs(620);
/// Largest head of a request: twice what Node takes.
const LARGEST_HEAD: usize = 32 * 1024;
/// Largest piece of a body that is held.
const PIECE: usize = 64 * 1024;
/// When a peer that says nothing is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Pause when no connection can be accepted, as when no descriptor is left.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection, and its place among the most there may be.
#[derive(Debug)]
pub(crate) struct Accepted {
    stream: std::net::TcpStream,
    place: OwnedSemaphorePermit,
}

/// Where connections come in.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Acceptor {
    pub(crate) fn new(listener: TcpListener) -> Self {
        let places = Arc::new(Semaphore::new(MOST));
        Self { listener, places }
    }

    /// The next connection. None is lost if this is dropped before.
    pub(crate) async fn next(&self) -> Accepted {
        loop {
            let accepted = async {
                let places = Arc::clone(&self.places);
                let place = places.acquire_owned().await.map_err(io::Error::other)?;
                let (stream, _) = self.listener.accept().await?;
                if let Err(error) = prepare(&stream) {
                    tracing::debug!(%error, "a connection is not as wished");
                }
                let stream = stream.into_std()?;
                Ok::<_, io::Error>(Accepted { stream, place })
            };
            match accepted.await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Serves a connection to its end; one that is dropped before ends, but for a socket that it became.
pub(crate) async fn serve<A, F>(accepted: Accepted, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let Accepted { stream, place } = accepted;
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, "a connection cannot be served");
            return;
        }
    };
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // Copying a small body behind its head costs less than the kernel's way through several pieces.
        .writev(false)
        .header_read_timeout(HEAD)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(PIECE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(place);
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
    Ok(())
}
