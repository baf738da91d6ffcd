//! `/coditect/ws`: what the tabs of a workspace share, what happens to its files, and questions to language models.

pub(crate) mod hub;
mod keep;
pub(crate) mod limits;
mod llm;
pub mod protocol;

use std::{sync::Arc, time::Duration};

use futures::{SinkExt, StreamExt};
use hyper::{
    Request, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Bytes, Error, Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

pub(crate) use self::keep::{flush, keep};
use self::{
    hub::Seat,
    limits::Pace,
    protocol::{Close, Said},
};
use crate::{
    access::logins::Presence,
    answer::{Answer, empty, problem},
    app::App,
};

/// How much is read of one that was let go, and for how long.
const MOST_REST: usize = 1024 * 1024;
const REST: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// How long a tab may take to say hello.
const HELLO: Duration = Duration::from_secs(10);
/// How often it is asked whether it is there, and how long it may say nothing at all.
const PING: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(90);
/// How long it may take to read a message.
const READING: Duration = Duration::from_secs(10);

/// Answers a handshake (RFC 6455 section 4.2).
pub(crate) fn open(app: &Arc<App>, mut request: Request<Incoming>, presence: Presence) -> Answer {
    let headers = request.headers();
    let is = |name, value: &str| {
        headers.get(name).is_some_and(|header| {
            let header = header.to_str().unwrap_or_default();
            header
                .split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(value))
        })
    };
    let whole = is(header::UPGRADE, "websocket")
        && is(header::CONNECTION, "upgrade")
        && is(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).cloned();
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (true, Some(key), Some(on_upgrade)) = (whole, key, on_upgrade) else {
        let mut answer = problem(
            StatusCode::UPGRADE_REQUIRED,
            "websocket-only",
            "this is a WebSocket, version 13",
        );
        let headers = answer.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        );
        return answer;
    };
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) else {
        return empty(StatusCode::BAD_REQUEST);
    };
    let app = Arc::clone(app);
    tokio::spawn(async move {
        match on_upgrade.await {
            Ok(upgraded) => {
                let io = TokioIo::new(upgraded);
                let config = Some(limits::config());
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, config).await;
                serve(&app, socket, presence).await;
            }
            Err(error) => tracing::debug!(%error, "a socket was not opened"),
        }
    });
    let mut answer = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    answer
}

/// Serves a tab until it goes, is shut out, or does what it may not.
async fn serve(app: &Arc<App>, mut socket: Socket, presence: Presence) {
    let ended = tokio::select! {
        ended = talk(app, &mut socket) => ended,
        () = presence.cut().cancelled() => Err(Close::ShutOut),
    };
    let frame = match ended {
        Ok(()) => None,
        Err(close) => {
            tracing::debug!(?close, "a tab is let go");
            Some(CloseFrame {
                code: CloseCode::from(close.code()),
                reason: "".into(),
            })
        }
    };
    // It may not be there to hear it.
    let _ = timeout(READING, socket.close(frame)).await;
    // What was sent meanwhile is read and forgotten: a connection that is closed on unread bytes is reset, and the code
    // is lost with it (RFC 9112 section 9.6 says the same of HTTP).
    let mut buffer = [0; 4 * 1024];
    let rest = async {
        let io = socket.get_mut();
        let mut left = MOST_REST;
        while let Ok(read) = io.read(&mut buffer).await {
            left = left.saturating_sub(read);
            if read == 0 || left == 0 {
                return;
            }
        }
    };
    let _ = timeout(REST, rest).await;
}

/// Until the tab goes, or why it is let go.
async fn talk(app: &Arc<App>, socket: &mut Socket) -> Result<(), Close> {
    let mut pace = Pace::new();
    let hello = async {
        loop {
            match next(socket, &mut pace).await? {
                Heard::Said(Said::Hello { tab, .. }) => return Ok(Some(tab)),
                Heard::Said(_) => return Err(Close::Order),
                Heard::Sign => {}
                Heard::End => return Ok(None),
            }
        }
    };
    let Some(tab) = timeout(HELLO, hello).await.unwrap_or(Err(Close::Silent))? else {
        return Ok(());
    };
    let mut seat = app.hub.join(tab)?;
    let mut questions = llm::Questions::new(Arc::clone(app), seat.out.clone());
    let mut ping = tokio::time::interval(PING);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            () = seat.slow.cancelled() => return Err(Close::Slow),
            text = seat.told.recv() => match text {
                Some(text) => tell(socket, Message::Text(text)).await?,
                None => return Ok(()),
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE {
                    return Err(Close::Silent);
                }
                tell(socket, Message::Ping(Bytes::new())).await?;
            }
            said = next(socket, &mut pace) => {
                heard = Instant::now();
                match said? {
                    Heard::Said(said) => obey(app, &seat, &mut questions, said)?,
                    Heard::Sign => {}
                    Heard::End => return Ok(()),
                }
            }
        }
    }
}

fn obey(
    app: &App,
    seat: &Seat<'_>,
    questions: &mut llm::Questions,
    said: Said,
) -> Result<(), Close> {
    match said {
        Said::Hello { .. } => return Err(Close::Order),
        Said::Put { key, base, value } => seat.put(key, base, &value),
        Said::Input {} => {
            if app.activity.input() {
                app.news.notify_one();
            }
        }
        Said::Saved {} => seat.saved(),
        Said::Llm { id, request } => questions.ask(id, request),
        Said::LlmCancel { id } => questions.cancel(id),
    }
    Ok(())
}

enum Heard {
    Said(Said),
    /// It is there, and says nothing.
    Sign,
    End,
}

async fn next(socket: &mut Socket, pace: &mut Pace) -> Result<Heard, Close> {
    let message = match socket.next().await {
        None => return Ok(Heard::End),
        Some(Ok(message)) => message,
        Some(Err(Error::Capacity(_))) => return Err(Close::TooLarge),
        Some(Err(Error::Protocol(_) | Error::Utf8(_) | Error::AttackAttempt)) => {
            return Err(Close::Malformed);
        }
        Some(Err(_)) => return Ok(Heard::End),
    };
    if !pace.take() {
        return Err(Close::TooMany);
    }
    match message {
        Message::Text(text) => limits::read(&text).map(Heard::Said),
        Message::Binary(_) => Err(Close::Binary),
        Message::Close(_) => Ok(Heard::End),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(Heard::Sign),
    }
}

async fn tell(socket: &mut Socket, message: Message) -> Result<(), Close> {
    match timeout(READING, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        // It went; the next read says so.
        Ok(Err(_)) => Ok(()),
        Err(_) => Err(Close::Slow),
    }
}
