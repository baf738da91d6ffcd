//! A stand-in for GitHub: the part of its REST API that is used, over a real bare repository, and stricter than the
//! original. Other test crates use it too. <https://docs.github.com/en/rest/pulls/pulls>, <https://docs.github.com/en/rest/issues/comments>

#![allow(dead_code, reason = "each test crate uses its part")]

pub(crate) mod answers;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http_body_util::BodyExt;
use hyper::{
    Request, Response,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// Coditect's token, and the account behind it.
pub(crate) const TOKEN: &str = "github_pat_11AAAA_a-secret-that-nobody-reads";
pub(crate) const COMMENT_LIMIT: usize = 65_536;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The connection is cut before anything was done.
    CutBefore,
    /// What was asked is done, and the connection is cut before the answer.
    CutAfter,
    /// What was asked is done, and the answer breaks off in its middle.
    CutWithin,
    /// Nothing is done; this is the answer.
    Answer(u16, Vec<(&'static str, String)>, &'static str),
}

#[derive(Clone, Debug)]
pub(crate) struct Pull {
    pub(crate) number: u64,
    pub(crate) head: String,
    /// The repository of the head; the base's is 1. None: it was deleted.
    pub(crate) from: Option<u64>,
    pub(crate) base: String,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) open: bool,
    pub(crate) merged: Option<String>,
    /// Where the branch was last.
    pub(crate) at: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) pull: u64,
    /// The account; 1 is Coditect's.
    pub(crate) by: u64,
    pub(crate) text: String,
    pub(crate) edits: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) status: u16,
}

/// What GitHub knows.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) repository: PathBuf,
    pub(crate) pulls: Vec<Pull>,
    pub(crate) comments: BTreeMap<u64, Comment>,
    pub(crate) asked: Vec<Asked>,
    /// By the number of the request, from when they were set.
    pub(crate) faults: BTreeMap<usize, Fault>,
    /// Tokens that are accepted; others are not.
    pub(crate) tokens: Vec<String>,
    /// The token is that of an app's installation.
    pub(crate) app: bool,
    next: u64,
    seen: usize,
}

/// A running stand-in.
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl StandIn {
    pub(crate) async fn start(repository: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            repository,
            tokens: vec![TOKEN.to_owned()],
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| serve(request, Arc::clone(&state)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    /// From now on, this goes wrong with the request of this number, counted from zero.
    pub(crate) fn fails(&self, number: usize, fault: Fault) {
        self.with(|state| {
            state.faults.insert(state.seen + number, fault);
        });
    }

    /// The one pull request of Coditect's that is open.
    pub(crate) fn open_pull(&self) -> Pull {
        let mut open = self.with(|state| state.pulls.clone());
        open.retain(|pull| pull.open && pull.from == Some(1));
        assert_eq!(open.len(), 1, "{open:?}");
        open.remove(0)
    }

    /// Somebody closes a pull request.
    pub(crate) fn close(&self, number: u64) {
        self.with(|state| {
            let mut pulls = state.pulls.iter_mut();
            pulls.find(|it| it.number == number).unwrap().open = false;
        });
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.with(|state| state.asked.len())
    }
}

/// Cuts the connection: what a service's error does.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("cut")
    }
}

impl std::error::Error for Cut {}

/// An answer's body, which may break off.
struct Said {
    bytes: Option<Bytes>,
    length: u64,
    breaks_off: bool,
    /// What there is was handed over, and must leave before the connection goes.
    left: bool,
}

impl Body for Said {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.bytes.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None if self.breaks_off && !self.left => {
                self.left = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            None if self.breaks_off => Poll::Ready(Some(Err(Cut))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && !self.breaks_off
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// What is answered.
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply {
    fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: value.to_string(),
        }
    }

    fn refusal(status: u16, message: &str, reason: Option<Value>) -> Self {
        let errors: Vec<Value> = reason.into_iter().collect();
        Self::json(
            status,
            &serde_json::json!({ "message": message, "errors": errors }),
        )
    }
}

async fn serve(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Said>, Cut> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let fault = {
        let mut state = state.lock().unwrap();
        let number = state.seen;
        state.seen += 1;
        state.faults.remove(&number)
    };
    let made: Result<Reply, Infallible> = match &fault {
        Some(Fault::CutBefore) => return Err(Cut),
        Some(Fault::Answer(status, headers, said)) => Ok(Reply {
            status: *status,
            headers: headers.clone(),
            body: (*said).to_owned(),
        }),
        // Git is asked: not on a thread that others wait for.
        _ => {
            let (shared, head, body) = (Arc::clone(&state), head.clone(), body.clone());
            let answered =
                tokio::task::spawn_blocking(move || shared.lock().unwrap().answer(&head, &body));
            Ok(answered.await.unwrap())
        }
    };
    let Ok(reply) = made;
    state.lock().unwrap().asked.push(Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        status: reply.status,
    });
    if matches!(fault, Some(Fault::CutAfter)) {
        return Err(Cut);
    }
    let breaks_off = matches!(fault, Some(Fault::CutWithin)) && !reply.body.is_empty();
    let mut bytes = Bytes::from(reply.body);
    let length = bytes.len() as u64;
    if breaks_off {
        bytes.truncate(bytes.len() / 2);
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let said = Said {
        bytes: (!bytes.is_empty()).then_some(bytes),
        length,
        breaks_off,
        left: false,
    };
    Ok(response.body(said).unwrap())
}
