//! An IDE on loopback that says what it got, and does on request what a hostile one could.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Bytes, Frame, Incoming},
    header::{self, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{Notify, mpsc},
    task::JoinSet,
    time::timeout,
};

type Body = BoxBody<Bytes, std::io::Error>;

/// What the IDE got of one request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Got {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            method,
            target,
            headers,
            body,
        } = self;
        write!(out, "{method} {target} {headers:?} {}", short(body))
    }
}

/// Bytes as a person can read them when a test fails.
pub(crate) fn short(bytes: &[u8]) -> String {
    let (shown, more) = bytes.split_at(bytes.len().min(60));
    let more = if more.is_empty() {
        String::new()
    } else {
        format!(" and {} more", more.len())
    };
    format!("\"{}\"{more}", shown.escape_ascii())
}

pub(crate) struct Ide {
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<State>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) got: Mutex<Vec<Got>>,
    /// Bytes of `/sink` read so far.
    pub(crate) sunk: Mutex<u64>,
    /// Lets `/sink` read on.
    pub(crate) go: Notify,
    /// Lets `/drip` send the next piece.
    pub(crate) drip: Notify,
    /// Said when a `/drip` or `/sink` was given up by whoever asked.
    pub(crate) given_up: Notify,
}

impl Ide {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener, false)
    }

    /// One that answers also those who have said that they will say no more.
    pub(crate) async fn patient() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener, true)
    }

    pub(crate) fn serve(listener: TcpListener, half_close: bool) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let state = Arc::clone(&state);
                        async move { Ok::<_, Infallible>(state.answer(request).await) }
                    });
                    let served = http1::Builder::new()
                        .half_close(half_close)
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades();
                    // A connection that was given up is no defect.
                    let _ = served.await;
                });
            }
        });
        Self {
            address,
            state,
            _tasks: tasks,
        }
    }
}

pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

/// What `/file` holds.
pub(crate) fn file() -> Vec<u8> {
    (0..100_000_u32).map(|at| (at % 251) as u8).collect()
}

impl State {
    pub(crate) fn last(&self) -> Got {
        self.got.lock().unwrap().last().unwrap().clone()
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/socket" => return socket(request).await,
            "/sink" => return self.sink(request).await,
            "/drip" => return self.drip(),
            "/mirror" => {
                let body = request.into_body().map_err(std::io::Error::other);
                return Response::new(body.boxed());
            }
            _ => {}
        }
        let (parts, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes().to_vec(),
            // It broke off: nothing was asked.
            Err(_) => return Response::new(whole("")),
        };
        let length = body.len();
        self.got.lock().unwrap().push(Got {
            method: parts.method,
            target: parts.uri.to_string(),
            headers: parts.headers.clone(),
            body,
        });
        match path.as_str() {
            "/file" => ranged(&parts.headers),
            "/evil" => evil(),
            "/switch" => {
                let mut answer = Response::new(whole(""));
                *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                let headers = answer.headers_mut();
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                answer
            }
            _ => Response::new(whole(format!("{length}"))),
        }
    }

    /// Reads its body only when it is let.
    async fn sink(&self, request: Request<Incoming>) -> Response<Body> {
        let mut body = request.into_body();
        self.go.notified().await;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                self.given_up.notify_one();
                return Response::new(whole(""));
            };
            let length = frame.into_data().map_or(0, |data| data.len() as u64);
            *self.sunk.lock().unwrap() += length;
        }
        Response::new(whole("done"))
    }

    /// Sends a piece whenever it is let.
    fn drip(self: Arc<Self>) -> Response<Body> {
        let (send, receive) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
        tokio::spawn(async move {
            for piece in 0..1_000 {
                tokio::select! {
                    () = self.drip.notified() => {}
                    () = send.closed() => break,
                }
                let piece = Bytes::from(format!("piece {piece}\n"));
                if send.send(Ok(Frame::data(piece))).await.is_err() {
                    break;
                }
            }
            self.given_up.notify_one();
        });
        let stream = futures::stream::unfold(receive, |mut receive| async {
            receive.recv().await.map(|piece| (piece, receive))
        });
        Response::new(BodyExt::boxed(StreamBody::new(stream)))
    }
}

/// Echoes bytes after a handshake.
async fn socket(mut request: Request<Incoming>) -> Response<Body> {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let mut stream = TokioIo::new(upgraded);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match timeout(Duration::from_secs(60), stream.read(&mut buffer)).await {
                Ok(Ok(read)) if read > 0 => {
                    if stream.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
                _ => break,
            }
        }
        let _ = stream.shutdown().await;
    });
    let mut answer = Response::new(whole(""));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(
        header::SEC_WEBSOCKET_ACCEPT,
        HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    );
    answer
}

/// One range of the file (RFC 9110 section 14).
fn ranged(headers: &HeaderMap) -> Response<Body> {
    let file = file();
    let range = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok())
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
        .and_then(|(from, to)| Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?)));
    let Some((from, to)) = range else {
        return Response::new(whole(file));
    };
    Response::builder()
        .status(StatusCode::PARTIAL_CONTENT)
        .header(
            header::CONTENT_RANGE,
            format!("bytes {from}-{to}/{}", file.len()),
        )
        .body(whole(file[from..=to].to_vec()))
        .unwrap()
}

fn evil() -> Response<Body> {
    let mut answer = Response::new(whole("evil"));
    for (name, value) in [
        (
            "set-cookie",
            "__Host-coditect-workspace=evil; Path=/; Secure",
        ),
        ("set-cookie", "theia=1; Path=/"),
        ("set-cookie", "tossed=1; Domain=ws.test"),
        ("content-security-policy", "frame-ancestors *"),
        ("content-security-policy", "default-src *"),
        ("content-security-policy-report-only", "default-src *"),
        ("x-frame-options", "ALLOWALL"),
        ("clear-site-data", "\"*\""),
        ("strict-transport-security", "max-age=0; includeSubDomains"),
        ("alt-svc", "h3=\"evil.test:443\""),
        ("reporting-endpoints", "a=\"https://evil.test\""),
        ("nel", "{}"),
        ("keep-alive", "timeout=1"),
        ("proxy-authenticate", "Basic"),
        ("x-kept", "1"),
    ] {
        answer.headers_mut().append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    answer
}
