//! Which request is answered by whom. Every request passes here, and each rule stands once.

use std::sync::Arc;

use coditect_core::Result;
use hyper::{Method, Request, StatusCode, body::Incoming};

use crate::{
    access::{Refused, origin::From},
    answer::{Answer, empty, json, problem, see_other},
    app::App,
    entry, page,
    proxy::{self, Asker, Proxy},
    site::Host,
    socket,
};

/// Where the cluster and whoever watches us ask whether we are there. Answered under every name.
const HEALTH: &str = "/health";
/// What begins with this is ours; no IDE has it.
const OURS: &str = "/coditect/";
/// What webviews load under their own hosts: files of the IDE's program, the same for everybody.
const WEBVIEW_FILES: &str = "/webview/";

/// Answers a request.
pub(crate) async fn answer(app: Arc<App>, proxy: Arc<Proxy>, request: Request<Incoming>) -> Answer {
    decide(&app, &proxy, request).await.unwrap_or_else(|error| {
        tracing::error!(error = error.chain(), "a request could not be answered");
        problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "defect",
            "something is wrong with the workspace's gateway; try again",
        )
    })
}

async fn decide(app: &Arc<App>, proxy: &Proxy, request: Request<Incoming>) -> Result<Answer> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if let Err(shape) = proxy::check_form(method, uri, headers) {
        let mut answer = problem(shape.status, "bad-request", shape.why);
        // Whatever follows on this connection was written by somebody who reads requests otherwise.
        answer.headers_mut().insert(
            hyper::header::CONNECTION,
            hyper::header::HeaderValue::from_static("close"),
        );
        return Ok(answer);
    }
    if uri.path() == HEALTH {
        return Ok(match *method {
            Method::GET | Method::HEAD => {
                json(StatusCode::OK, &serde_json::json!({"status": "ok"}))
            }
            _ => empty(StatusCode::METHOD_NOT_ALLOWED),
        });
    }
    match app.site.host(headers) {
        Host::Own => {}
        Host::Webview => return Box::pin(webview(app, proxy, request)).await,
        Host::Foreign => {
            return Ok(problem(
                StatusCode::MISDIRECTED_REQUEST,
                "not-here",
                "this is not the workspace of that address",
            ));
        }
        Host::Malformed => {
            return Ok(problem(
                StatusCode::BAD_REQUEST,
                "bad-request",
                "the request must name one host",
            ));
        }
    }
    if headers.contains_key("service-worker") {
        // One would stand between the browser and every later page of this origin, our own among them.
        return Ok(problem(
            StatusCode::FORBIDDEN,
            "no-service-worker",
            "a workspace's own address has no service worker",
        ));
    }
    let navigation = From::of(method, headers, app.site.origin()) == From::Navigation;
    let Some(rules) = app.door.rules() else {
        return if navigation {
            page::wait(
                "Your workspace is starting",
                "It is about to hear who may enter.",
                "'none'",
            )
        } else {
            Ok(entry::unknown())
        };
    };
    match (method.clone(), uri.path()) {
        (Method::GET, "/coditect/enter") => return page::enter(&rules.web_app),
        (Method::POST, "/coditect/enter") => return Box::pin(entry::enter(app, request)).await,
        _ => {}
    }
    let lasting = headers.contains_key(hyper::header::UPGRADE);
    let admitted = app
        .door
        .admit(method, headers, lasting, &app.site, &app.platform);
    let admitted = match admitted.await {
        Ok(admitted) => admitted,
        Err(Refused::NotIn) if navigation => return see_other("/coditect/enter"),
        Err(Refused::NotIn) => {
            return Ok(problem(
                StatusCode::UNAUTHORIZED,
                "not-in",
                "enter the workspace from the web app first",
            ));
        }
        Err(Refused::Elsewhere) => {
            return Ok(problem(
                StatusCode::FORBIDDEN,
                "foreign-page",
                "only pages of the workspace itself may ask for this",
            ));
        }
        Err(Refused::Unknown) if navigation => {
            return page::wait(
                "One moment",
                "Who may enter cannot be asked now. This page tries again by itself.",
                &rules.web_app,
            );
        }
        Err(Refused::Unknown) => return Ok(entry::unknown()),
    };
    let ours = uri.path().strip_prefix(OURS).map(str::to_owned);
    if let Some(ours) = ours {
        return Ok(match (request.method().clone(), ours.as_str()) {
            (Method::GET, "session") => {
                let now = jiff::Timestamp::now().as_second();
                let left = admitted.claims.exp.saturating_sub(now);
                let session = serde_json::json!({ "expires_in": left, "web_app": rules.web_app });
                json(StatusCode::OK, &session)
            }
            (Method::GET, "ide") => {
                let state = if Box::pin(proxy.is_there()).await {
                    "ready"
                } else {
                    "starting"
                };
                json(StatusCode::OK, &serde_json::json!({ "state": state }))
            }
            (Method::GET, "ws") => socket::open(app, request, admitted.presence),
            (Method::GET, "activity") => {
                let answer = serde_json::to_value(app.activity.answer()).unwrap_or_default();
                json(StatusCode::OK, &answer)
            }
            _ => problem(StatusCode::NOT_FOUND, "not-found", "there is nothing here"),
        });
    }
    let asker = Asker::Person(admitted.presence);
    let forwarded = proxy
        .forward(request, asker, &app.site, &rules.ide_policy)
        .await?;
    match forwarded {
        Some(answer) => Ok(answer),
        None if navigation => page::wait(
            "Your workspace is starting",
            "This page opens it as soon as it answers.",
            &rules.web_app,
        ),
        None => Ok(starting()),
    }
}

/// A webview's host: no cookie of ours ever comes here, and nothing but the program's own files is to be had.
async fn webview(app: &App, proxy: &Proxy, request: Request<Incoming>) -> Result<Answer> {
    let is_file = matches!(*request.method(), Method::GET | Method::HEAD)
        && request.uri().path().starts_with(WEBVIEW_FILES)
        && !request.uri().path().contains("..")
        && !request.uri().path().contains('%');
    let Some(rules) = app.door.rules().filter(|_| is_file) else {
        return Ok(problem(
            StatusCode::NOT_FOUND,
            "not-found",
            "there is nothing here",
        ));
    };
    let forwarded = proxy
        .forward(request, Asker::Anybody, &app.site, &rules.webview_policy)
        .await?;
    Ok(forwarded.unwrap_or_else(starting))
}

fn starting() -> Answer {
    let mut answer = problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "starting",
        "the workspace's IDE does not answer yet; try again in a second",
    );
    let again = hyper::header::HeaderValue::from_static("1");
    answer
        .headers_mut()
        .insert(hyper::header::RETRY_AFTER, again);
    answer
}
