//! Connections to the IDE: those that are open and free are used again.

use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
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

/// What reads and writes a connection while it is polled.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// The connections to one IDE.
#[derive(Debug)]
pub(super) struct Connections {
    ide: SocketAddr,
    free: Mutex<Vec<(Connection, Instant)>>,
}

/// A connection. Where nothing is uploaded, whoever waits for the answer drives it, without a task between the two: head
/// and body of a small answer then go out together. An upload goes on while nobody asks for more of the answer: there
/// it has a task of its own.
struct Connection {
    sender: SendRequest<Incoming>,
    driver: Option<Driver>,
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
    connection: Connection,
    connections: Arc<Connections>,
}

impl InUse {
    /// Moves what there is to move.
    pub(crate) fn drive(&mut self, context: &mut Context<'_>) {
        self.connection.drive(context);
    }

    /// Goes on by itself, as after the protocol was changed.
    pub(super) fn let_go(mut self) {
        self.connection.spawn();
    }

    /// The exchange is over: the connection is free.
    pub(crate) fn give_back(self) {
        let Self {
            connection,
            connections,
        } = self;
        let mut free = connections.lock();
        if free.len() >= MOST_KEPT {
            free.retain(|(connection, since)| connection.is_good(*since));
        }
        if free.len() < MOST_KEPT {
            free.push((connection, Instant::now()));
        }
    }
}

impl Connection {
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && let Poll::Ready(ended) = driver.as_mut().poll(context)
        {
            self.driver = None;
            log(ended);
        }
    }

    fn spawn(&mut self) {
        if let Some(driver) = self.driver.take() {
            tokio::spawn(async move { log(driver.await) });
        }
    }

    fn is_good(&self, since: Instant) -> bool {
        !self.sender.is_closed() && since.elapsed() < KEPT
    }

    /// Asks, and gives the head of the answer; the request back if nothing of it was written.
    async fn ask(
        &mut self,
        request: Request<Incoming>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Incoming>>> {
        if !request.body().is_end_stream() {
            self.spawn();
        }
        let mut answer = pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        poll_fn(|context| {
            if let Some(driving) = driver
                && let Poll::Ready(ended) = driving.as_mut().poll(context)
            {
                *driver = None;
                log(ended);
            }
            answer.as_mut().poll(context)
        })
        .await
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sender.fmt(out)
    }
}

fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the IDE ended early");
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
        let in_use = |connection| InUse {
            connection,
            connections: Arc::clone(self),
        };
        while let Some(mut connection) = self.take().await {
            match connection.ask(request).await {
                Ok(answer) => return Ok((answer, in_use(connection))),
                Err(mut error) => match error.take_message() {
                    // The connection had ended before anything was written.
                    Some(unsent) => request = unsent,
                    None => return Err(Failed::BrokeOff(error.into_error())),
                },
            }
        }
        let mut connection = Box::pin(self.open()).await?;
        match connection.ask(request).await {
            Ok(answer) => Ok((answer, in_use(connection))),
            Err(error) => Err(Failed::BrokeOff(error.into_error())),
        }
    }

    /// A free connection, the one that was used last: it is the least likely to be closing. Those that are not good any
    /// more, or whose upload still goes on, are let go.
    async fn take(&self) -> Option<Connection> {
        poll_fn(|context| {
            loop {
                let Some((mut connection, since)) = self.lock().pop() else {
                    return Poll::Ready(None);
                };
                // It says only now whether it was closed meanwhile.
                connection.drive(context);
                if connection.is_good(since) && connection.sender.is_ready() {
                    return Poll::Ready(Some(connection));
                }
            }
        })
        .await
    }

    async fn open(&self) -> Result<Connection, Failed> {
        let stream = self.connect().await.map_err(|_| Failed::NotThere)?;
        let (sender, driver) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Failed::BrokeOff)?;
        Ok(Connection {
            sender,
            driver: Some(Box::pin(driver.with_upgrades())),
        })
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

    fn lock(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket to the IDE. An IDE may answer early and close, without reading an upload to its end (RFC 9112 section 9.5):
/// what it no longer takes is let go, so that its answer is read and not the failure of our writing. It takes one piece at
/// a time: for small requests that costs less than the kernel's way through several.
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
