//! Connections to the IDE: those that are open and free are used again.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, timeout},
};

/// How long a connection to the IDE is kept that nothing goes over: shorter than the 5 s after which Node closes one
/// (`server.keepAliveTimeout`), so that no request meets a closing door.
const KEPT: Duration = Duration::from_secs(4);
/// Most connections that are kept so: what a few windows ask for at once.
const MOST_KEPT: usize = 64;
/// How long connecting may take: it is the same machine.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most headers of an answer.
const MOST_HEADERS: usize = 200;

/// The connections to one IDE.
#[derive(Debug)]
pub(super) struct Connections {
    ide: SocketAddr,
    free: Mutex<Vec<Free>>,
}

#[derive(Debug)]
struct Free {
    sender: SendRequest<Incoming>,
    since: Instant,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// Nobody listens where the IDE should.
    NotThere,
    /// It began and did not end properly.
    BrokeOff(hyper::Error),
}

/// A connection on which an answer comes. Given back once the answer was read to its end; closed if it is dropped.
#[derive(Debug)]
pub(crate) struct InUse {
    sender: SendRequest<Incoming>,
    connections: Arc<Connections>,
}

impl InUse {
    /// The exchange is over: the connection is free.
    pub(crate) fn give_back(self) {
        let Self {
            sender,
            connections,
        } = self;
        let mut free = connections.lock();
        if free.len() >= MOST_KEPT {
            free.retain(Free::is_good);
        }
        if free.len() < MOST_KEPT {
            let since = Instant::now();
            free.push(Free { sender, since });
        }
    }
}

impl Free {
    fn is_good(&self) -> bool {
        !self.sender.is_closed() && self.since.elapsed() < KEPT
    }
}

impl Connections {
    pub(super) fn new(ide: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            ide,
            free: Mutex::default(),
        })
    }

    /// Whether somebody listens where the IDE should.
    pub(super) async fn is_there(&self) -> bool {
        self.connect().await.is_ok()
    }

    /// Asks the IDE.
    pub(super) async fn ask(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
    ) -> Result<(Response<Incoming>, InUse), Failed> {
        let in_use = |sender| InUse {
            sender,
            connections: Arc::clone(self),
        };
        while let Some(mut sender) = self.take() {
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok((answer, in_use(sender))),
                Err(mut error) => match error.take_message() {
                    // The connection had ended before anything was written.
                    Some(unsent) => request = unsent,
                    None => return Err(Failed::BrokeOff(error.into_error())),
                },
            }
        }
        let stream = self.connect().await.map_err(|_| Failed::NotThere)?;
        let io = TokioIo::new(stream);
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(MOST_HEADERS)
            .handshake(io)
            .await
            .map_err(Failed::BrokeOff)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to the IDE ended early");
            }
        });
        let answer = sender.send_request(request).await;
        Ok((answer.map_err(Failed::BrokeOff)?, in_use(sender)))
    }

    fn take(&self) -> Option<SendRequest<Incoming>> {
        let mut free = self.lock();
        // The one that was used last is the least likely to be closing. One whose upload still goes on is not ready.
        let at = free
            .iter()
            .rposition(|free| free.sender.is_ready() && free.is_good())?;
        Some(free.swap_remove(at).sender)
    }

    async fn connect(&self) -> io::Result<IdeStream> {
        let connect = TcpStream::connect(self.ide);
        let stream = timeout(PATIENCE, connect).await??;
        stream.set_nodelay(true)?;
        Ok(IdeStream {
            stream,
            is_deaf: false,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Free>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket to the IDE. An IDE may answer early and close, without reading an upload to its end (RFC 9112 section 9.5):
/// what it no longer takes is let go, so that its answer is read and not the failure of our writing.
#[derive(Debug)]
pub(super) struct IdeStream {
    stream: TcpStream,
    is_deaf: bool,
}

impl IdeStream {
    /// The bare socket.
    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// A write's outcome: if the other side has gone, everything counts as written.
    fn heard(
        &mut self,
        written: Poll<io::Result<usize>>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(Err(error)) = &written else {
            return written;
        };
        let has_gone = matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        );
        if !has_gone {
            return written;
        }
        self.is_deaf = true;
        Poll::Ready(Ok(length))
    }
}

impl AsyncRead for IdeStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for IdeStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.heard(written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.is_deaf {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.heard(written, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
