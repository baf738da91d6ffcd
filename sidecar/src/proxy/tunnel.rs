//! Sockets: after the handshake, bytes go both ways as they come. Nothing looks into frames, so nothing can be lost,
//! joined or reordered; what waits in a socket's buffers stops its sender.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use super::connection::IdeStream;
use crate::access::logins::Presence;

/// How long one side may go on sending after the other has ended: a closing handshake takes a round trip.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// How much is read at once.
const PIECE: usize = 64 * 1024;

thread_local! {
    /// Where bytes are between two sockets. Each thread has one, however many sockets there are: what the other side does
    /// not take at once is all that a socket holds.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into());
}

/// Joins a person's socket with the IDE's until both have ended or the person is shut out.
pub(super) async fn join(person: OnUpgrade, ide: OnUpgrade, presence: Presence) {
    let joined = async {
        let (person, ide) = tokio::try_join!(person, ide).map_err(io::Error::other)?;
        let (person, first) = open::<TcpStream>(person)?;
        let (ide, second) = open::<IdeStream>(ide)?;
        let (from_person, to_person) = person.into_split();
        let (from_ide, to_ide) = ide.into_inner().into_split();
        both(
            pump(from_person, to_ide, first),
            pump(from_ide, to_person, second),
        )
        .await
    };
    tokio::select! {
        ended = joined => if let Err(error) = ended {
            tracing::debug!(%error, "a socket broke off");
        },
        () = presence.cut().cancelled() => tracing::info!("a socket was cut off"),
    }
}

/// Until both are done; the second one has little time once the first is. An error of one ends both.
async fn both(
    one: impl Future<Output = io::Result<()>>,
    two: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let (mut one, mut two) = (Box::pin(one), Box::pin(two));
    let rest = tokio::select! {
        ended = &mut one => { ended?; two }
        ended = &mut two => { ended?; return finish(one).await; }
    };
    finish(rest).await
}

async fn finish(rest: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(LAST_WORDS, rest).await.unwrap_or(Ok(()))
}

/// The socket, and what was read of it too early.
fn open<S>(upgraded: Upgraded) -> io::Result<(S, Vec<u8>)>
where
    TokioIo<S>: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let parts = upgraded
        .downcast::<TokioIo<S>>()
        .map_err(|_| io::Error::other("another kind of socket"))?;
    Ok((parts.io.into_inner(), parts.read_buf.into()))
}

/// Moves bytes until `from` ends, and says so to `to`.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, first: Vec<u8>) -> io::Result<()> {
    to.write_all(&first).await?;
    drop(first);
    loop {
        match poll_fn(|context| piece(&mut from, &to, context)).await? {
            Moved::All => {}
            Moved::Part(rest) => to.write_all(&rest).await?,
            Moved::End => return to.shutdown().await,
        }
    }
}

enum Moved {
    All,
    /// What the other side did not take yet.
    Part(Vec<u8>),
    End,
}

fn piece(
    from: &mut OwnedReadHalf,
    to: &OwnedWriteHalf,
    context: &mut Context<'_>,
) -> Poll<io::Result<Moved>> {
    BUFFER.with_borrow_mut(|buffer| {
        let mut read = ReadBuf::new(buffer);
        ready!(Pin::new(from).poll_read(context, &mut read))?;
        let mut rest = read.filled();
        if rest.is_empty() {
            return Poll::Ready(Ok(Moved::End));
        }
        while !rest.is_empty() {
            match to.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Ok(Moved::Part(rest.to_vec())));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(Moved::All))
    })
}
