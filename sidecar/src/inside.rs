//! What the pod's other containers say, on a port that nobody outside reaches. They are hostile: each word is bounded.

use std::{sync::Arc, time::Duration};

use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request, StatusCode, body::Incoming, header};
use serde::de::DeserializeOwned;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};

use crate::{
    activity::Word,
    answer::{Answer, empty, json, problem},
    app::App,
    server::{self, Acceptor},
    stop,
};

/// Largest body.
const LARGEST: usize = 1024;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the pod's other containers for as long as it is polled.
pub(crate) async fn serve(app: Arc<App>, listener: TcpListener) {
    let acceptor = Acceptor::new(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = acceptor.next() => {
                let app = Arc::clone(&app);
                connections.spawn(server::serve(accepted, move |request| {
                    answer(Arc::clone(&app), request)
                }));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(app: Arc<App>, request: Request<Incoming>) -> Answer {
    // A page, whatever led it here, has no business with us.
    let headers = request.headers();
    let is_page = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    let is_named = headers.get(header::HOST).is_none_or(|host| {
        let host = host.as_bytes();
        [&b"127.0.0.1"[..], b"localhost", b"[::1]"]
            .iter()
            .any(|name| {
                host.strip_prefix(*name)
                    .is_some_and(|port| port.is_empty() || port.starts_with(b":"))
            })
    });
    if is_page || !is_named {
        return problem(StatusCode::FORBIDDEN, "foreign-page", "not for pages");
    }
    match (request.method().clone(), request.uri().path()) {
        (Method::GET, "/health") => json(StatusCode::OK, &serde_json::json!({"status": "ok"})),
        (Method::PUT, "/activity") => match body::<Word>(request).await {
            Some(word) => {
                if app.activity.say(word) {
                    app.news.notify_one();
                }
                empty(StatusCode::NO_CONTENT)
            }
            None => unreadable(),
        },
        (Method::POST, "/stop") => match serde_json::to_value(stop::prepare(&app).await) {
            Ok(prepared) => json(StatusCode::OK, &prepared),
            Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
        },
        _ => problem(StatusCode::NOT_FOUND, "not-found", "there is nothing here"),
    }
}

fn unreadable() -> Answer {
    problem(
        StatusCode::BAD_REQUEST,
        "bad-request",
        "the body is not what this path takes",
    )
}

async fn body<T: DeserializeOwned>(request: Request<Incoming>) -> Option<T> {
    let body = timeout(
        PATIENCE,
        Limited::new(request.into_body(), LARGEST).collect(),
    );
    let body = body.await.ok()?.ok()?.to_bytes();
    serde_json::from_slice(&body).ok()
}
