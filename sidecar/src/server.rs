//! Accepts connections.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
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

/// Serves connections for as long as it is polled; those that are open end with it, but sockets.
pub(crate) async fn serve<A, F>(listener: TcpListener, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(MOST));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%error, "a connection is not as wished");
        }
        let answer = answer.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
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
        });
    }
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
    Ok(())
}
