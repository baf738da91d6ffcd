//! The pages: the web app or what says that it is not here, documentation, problem types. Self-contained, so that they work under a strict policy.

use std::sync::LazyLock;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use crate::{
    mail,
    openapi::openapi,
    problem::{NOT_FOUND, PROBLEM_TYPES, Problem, ProblemType},
    state::ApiState,
};

/// Scripts, styles and calls from here only; nothing inline, no frames, no forms that leave.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| openapi().to_pretty_json().unwrap_or_default());

pub(crate) fn router() -> Router<ApiState> {
    let html = |text: &'static str| get(async move || page(text.to_owned()));
    let asset = |kind: &'static str, text: &'static str| get(async move || cached(kind, text));
    Router::new()
        .route("/", get(root))
        .route("/docs", html(include_str!("../static/docs.html")))
        .route(
            "/assets/docs.js",
            asset(
                "text/javascript; charset=utf-8",
                include_str!("../static/docs.js"),
            ),
        )
        .route(
            "/assets/style.css",
            asset(
                "text/css; charset=utf-8",
                include_str!("../static/style.css"),
            ),
        )
        .route(
            "/openapi.json",
            get(async || cached("application/json", DOCUMENT.as_str())),
        )
        .route(mail::MAILBOX, get(mail::show_mailbox))
        .route("/problems", get(problems))
        .route("/problems/{slug}", get(problem))
        .fallback(elsewhere)
}

/// The web app's own page, or one that says where it is.
async fn root(State(state): State<ApiState>, headers: HeaderMap) -> Response {
    let without = || page(include_str!("../static/no-app.html").to_owned());
    index(&state, &headers).unwrap_or_else(without)
}

fn index(state: &ApiState, headers: &HeaderMap) -> Option<Response> {
    let web = state.web.as_ref()?;
    let template = &state.config.workspace_url_template;
    Some(web.index(headers, &state.policy(), template))
}

/// Where something else than the web app is, or nothing.
const NOT_THE_APPS: [&str; 8] = [
    "api",
    ".well-known",
    "assets",
    "docs",
    "health",
    "metrics",
    "openapi.json",
    "problems",
];

/// A file of the web app, or its page for whoever navigates to one of the app's own addresses.
async fn elsewhere(
    State(state): State<ApiState>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    let reads = method == Method::GET || method == Method::HEAD;
    let found = state.web.as_ref().filter(|_| reads).and_then(|web| {
        web.file(path, &headers).or_else(|| {
            let is_apps = !NOT_THE_APPS.contains(&first) && !wants_json(&headers);
            is_apps.then(|| index(&state, &headers)).flatten()
        })
    });
    found.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

pub(crate) fn page(html: String) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(PAGE_POLICY),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, html).into_response()
}

fn cached(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}

/// A type of problem, explained.
#[derive(Serialize)]
struct TypeBody {
    #[serde(rename = "type")]
    uri: String,
    status: u16,
    title: &'static str,
    remedy: &'static str,
}

impl From<&ProblemType> for TypeBody {
    fn from(of: &ProblemType) -> Self {
        Self {
            uri: of.uri(),
            status: of.status.as_u16(),
            title: of.title,
            remedy: of.remedy,
        }
    }
}

async fn problems(headers: HeaderMap) -> Response {
    if wants_json(&headers) {
        return Json(
            PROBLEM_TYPES
                .iter()
                .map(|of| TypeBody::from(*of))
                .collect::<Vec<_>>(),
        )
        .into_response();
    }
    let rows: String = PROBLEM_TYPES
        .iter()
        .map(|of| {
            format!(
                "<tr><td>{}</td><td><a href=\"{}\">{}</a></td><td>{}</td></tr>",
                of.status.as_u16(),
                of.uri(),
                of.slug,
                of.title
            )
        })
        .collect();
    page(frame(
        "Problem types",
        &format!(
            "<table><thead><tr><th>Status</th><th>Type</th><th>Title</th></tr></thead><tbody>{rows}</tbody></table>"
        ),
    ))
}

async fn problem(Path(slug): Path<String>, headers: HeaderMap) -> Response {
    let Some(of) = PROBLEM_TYPES.iter().find(|of| of.slug == slug) else {
        return Problem::new(
            &NOT_FOUND,
            "There is no problem type of that name; see /problems.",
        )
        .into_response();
    };
    if wants_json(&headers) {
        return Json(TypeBody::from(*of)).into_response();
    }
    let body = format!(
        "<p>Status {}.</p><p>{}</p><p><a href=\"/problems\">All problem types</a></p>",
        of.status.as_u16(),
        of.remedy
    );
    page(frame(of.title, &body))
}

/// Both texts hold nothing that HTML would take for markup but what is meant to be.
pub(crate) fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} · Coditect</title><link rel=\"stylesheet\" href=\"/assets/style.css\"></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    )
}

pub(crate) fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default();
    accept.contains("json") || !accept.contains("text/html")
}
