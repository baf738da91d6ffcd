//! Hands requests on to the IDE, and its answers back.

mod request;
mod response;
mod tunnel;

use std::{net::SocketAddr, time::Duration};

use coditect_core::{Error, Result};
use hyper::{Request, StatusCode, Version, body::Incoming, upgrade::OnUpgrade};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

pub(crate) use self::request::check_form;
use crate::{
    access::logins::Presence,
    answer::{Answer, AnswerBody, problem},
    site::Site,
};

/// How long a connection to the IDE is kept that nothing goes over: shorter than the 5 s after which Node closes one
/// (`server.keepAliveTimeout`), so that no request meets a closing door.
const KEPT: Duration = Duration::from_secs(4);
/// Most connections that are kept so.
const MOST_KEPT: usize = 16;
/// How long connecting may take: it is the same machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way to the IDE.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    client: Client<HttpConnector, Incoming>,
    ide: SocketAddr,
}

/// Who asks.
pub(crate) enum Asker {
    /// A person who is in, for as long as they are.
    Person(Presence),
    /// Anybody: what is asked for is public.
    Anybody,
}

impl Proxy {
    pub(crate) fn new(ide: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(PATIENCE));
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(MOST_KEPT)
            .pool_timer(TokioTimer::new())
            .set_host(false)
            .http1_max_headers(200)
            .build(connector);
        Self { client, ide }
    }

    /// Whether somebody listens where the IDE should.
    pub(crate) async fn is_there(&self) -> bool {
        let there = tokio::net::TcpStream::connect(self.ide);
        matches!(tokio::time::timeout(PATIENCE, there).await, Ok(Ok(_)))
    }

    /// Hands a request on. None if the IDE is not there (yet).
    ///
    /// # Errors
    /// `Internal` if the request cannot be written.
    pub(crate) async fn forward(
        &self,
        mut request: Request<Incoming>,
        asker: Asker,
        site: &Site,
        ancestors: &str,
    ) -> Result<Option<Answer>> {
        let is_person = matches!(asker, Asker::Person(_));
        let wants_socket = is_person && request::wants_socket(&request);
        let on_person = request.extensions_mut().remove::<OnUpgrade>();
        let request = request::outgoing(request, self.ide, site, wants_socket)?;
        let cut = match &asker {
            Asker::Person(presence) => presence.cut().clone(),
            Asker::Anybody => tokio_util::sync::CancellationToken::new(),
        };
        let answered = tokio::select! {
            answered = self.client.request(request) => answered,
            () = cut.cancelled() => return Ok(Some(problem(
                StatusCode::UNAUTHORIZED, "signed-out", "you were signed out; enter again from the web app",
            ))),
        };
        let mut answer = match answered {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Ok(None),
            Err(error) => {
                let error = Error::unavailable("the IDE broke off").because(error);
                tracing::warn!(error = error.chain(), "a request was not answered");
                return Ok(Some(broken()));
            }
        };
        response::clean(answer.headers_mut(), ancestors)?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (mut parts, body) = answer.into_parts();
            parts.extensions.clear();
            parts.version = Version::HTTP_11;
            let body = match asker {
                Asker::Person(presence) => AnswerBody::guarded(body, presence),
                Asker::Anybody => AnswerBody::open(body),
            };
            return Ok(Some(Answer::from_parts(parts, body)));
        }
        let (Some(on_person), Asker::Person(presence), true) = (on_person, asker, wants_socket)
        else {
            tracing::warn!("the IDE changes the protocol without being asked");
            return Ok(Some(broken()));
        };
        let on_ide = hyper::upgrade::on(&mut answer);
        let mut switched = crate::answer::empty(StatusCode::SWITCHING_PROTOCOLS);
        *switched.headers_mut() = std::mem::take(answer.headers_mut());
        request::ask_for_socket(switched.headers_mut());
        tokio::spawn(tunnel::join(on_person, on_ide, presence));
        Ok(Some(switched))
    }
}

fn broken() -> Answer {
    problem(
        StatusCode::BAD_GATEWAY,
        "ide-broke-off",
        "the IDE did not answer properly; try again",
    )
}
