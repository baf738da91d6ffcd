//! Hands requests on to the IDE, and its answers back.

mod connection;
mod request;
mod response;
mod tunnel;

use std::{future::pending, net::SocketAddr, sync::Arc};

use coditect_core::{Error, Result};
use hyper::{
    HeaderMap, Request, StatusCode, Version, body::Incoming, header::HeaderValue,
    upgrade::OnUpgrade,
};

use self::connection::{Connections, Failed};
pub(crate) use self::{connection::InUse, request::check_form};
use crate::{
    access::logins::Presence,
    answer::{Answer, AnswerBody, problem},
    site::Site,
};

/// The way to the IDE.
#[derive(Debug)]
pub(crate) struct Proxy {
    connections: Arc<Connections>,
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
        Self {
            connections: Connections::new(ide),
        }
    }

    /// Whether somebody listens where the IDE should.
    pub(crate) async fn is_there(&self) -> bool {
        self.connections.is_there().await
    }

    /// Hands a request on. None if the IDE is not there (yet). The answer says with `policy` who may show it in a frame.
    ///
    /// # Errors
    /// `Internal` if the request cannot be written.
    pub(crate) async fn forward(
        &self,
        mut request: Request<Incoming>,
        asker: Asker,
        site: &Site,
        policy: &HeaderValue,
    ) -> Result<Option<Answer>> {
        let is_person = matches!(asker, Asker::Person(_));
        let wants_socket = is_person && request::wants_socket(&request);
        let on_person = request.extensions_mut().remove::<OnUpgrade>();
        let request = request::outgoing(request, site, wants_socket)?;
        let cut = async {
            match &asker {
                Asker::Person(presence) => presence.cut().cancelled().await,
                Asker::Anybody => pending().await,
            }
        };
        let answered = tokio::select! {
            answered = self.connections.ask(request) => answered,
            () = cut => return Ok(Some(problem(
                StatusCode::UNAUTHORIZED, "signed-out", "you were signed out; enter again from the web app",
            ))),
        };
        let (mut answer, connection) = match answered {
            Ok(answered) => answered,
            Err(Failed::NotThere) => return Ok(None),
            Err(Failed::BrokeOff(error)) => {
                let error = Error::unavailable("the IDE broke off").because(error);
                tracing::warn!(error = error.chain(), "a request was not answered");
                return Ok(Some(broken()));
            }
        };
        response::clean(answer.headers_mut(), policy.clone());
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (mut parts, body) = answer.into_parts();
            parts.extensions.clear();
            parts.version = Version::HTTP_11;
            let body = match asker {
                Asker::Person(presence) => AnswerBody::guarded(body, connection, presence),
                Asker::Anybody => AnswerBody::open(body, connection),
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
        connection.let_go();
        tokio::spawn(tunnel::join(on_person, on_ide, presence));
        Ok(Some(switched))
    }
}

/// The headers of a request as the IDE gets it; none if it cannot be written.
pub(crate) fn as_sent<B>(request: Request<B>, site: &Site) -> Option<HeaderMap> {
    let wants_socket = request::wants_socket(&request);
    let request = request::outgoing(request, site, wants_socket).ok()?;
    Some(request.into_parts().0.headers)
}

/// The headers of the IDE's answer as they go out.
pub(crate) fn as_answered(headers: &mut HeaderMap) {
    response::clean(headers, HeaderValue::from_static("frame-ancestors 'self'"));
}

fn broken() -> Answer {
    problem(
        StatusCode::BAD_GATEWAY,
        "ide-broke-off",
        "the IDE did not answer properly; try again",
    )
}
