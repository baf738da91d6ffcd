//! What stands in for the IDE where none is built: the workspace's files, one of which can be made or changed at a time.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Form, Router,
    extract::{DefaultBodyLimit, Path as InPath, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use coditect_core::Slug;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::forward;

/// Largest text, in bytes.
const LARGEST: u64 = 256 * 1024;
/// Longest name of a file.
const LONGEST_NAME: usize = 100;

/// How often the gateway is told that no terminal prints and no task runs here, as the IDE tells it.
const SPEAK: Duration = Duration::from_secs(30);

const FRAME: &str = include_str!("page.html");

#[derive(Clone)]
struct Desk(Arc<Inner>);

struct Inner {
    volume: PathBuf,
    slug: Slug,
}

/// The routes of a workspace whose files are in `volume`.
pub(crate) fn routes(volume: PathBuf, slug: Slug) -> Router {
    let desk = Desk(Arc::new(Inner { volume, slug }));
    Router::new()
        .route("/", get(list))
        .route("/files", get(list).post(write))
        .route("/files/{name}", get(edit))
        .route_layer(from_fn_with_state(desk.clone(), own_host))
        .route("/health", get(async || "ok"))
        .layer(DefaultBodyLimit::max(4 * LARGEST as usize))
        .layer(from_fn(headers))
        .with_state(desk)
}

/// Tells the gateway that there is somebody who would tell it of use, for as long as it is polled. That a person is here
/// is the page's to say.
pub(crate) async fn speak(inside: SocketAddr) {
    loop {
        if let Err(error) = forward::say_idle(inside).await {
            tracing::debug!(%error, "the gateway does not hear of use");
        }
        tokio::time::sleep(SPEAK).await;
    }
}

/// Only the workspace's own pages reach its files: no page of another host, under whatever name it finds us.
async fn own_host(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let host = text(request.headers(), "host");
    let ours = host
        .split_once('.')
        .is_some_and(|(label, _)| label.eq_ignore_ascii_case(desk.0.slug.as_str()));
    let origin = request.headers().get(header::ORIGIN).map(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        origin
            .split_once("://")
            .is_some_and(|(_, from)| from == host)
    });
    let safe = request.method().is_safe();
    if !ours || (!safe && origin == Some(false)) {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

async fn list(State(desk): State<Desk>) -> Response {
    show(desk, String::new(), String::new()).await
}

async fn edit(State(desk): State<Desk>, InPath(name): InPath<String>) -> Response {
    let Some(path) = path_of(&desk.0.volume, &name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match blocking(move || read(&path)).await {
        Ok(content) => show(desk, name, content).await,
        Err(error) => refused(&error),
    }
}

#[derive(Deserialize)]
struct Written {
    name: String,
    content: String,
}

async fn write(State(desk): State<Desk>, Form(written): Form<Written>) -> Response {
    let Some(path) = path_of(&desk.0.volume, &written.name) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    // A form sends its lines as the network does (HTML, "constructing entry list").
    let content = written.content.replace("\r\n", "\n");
    if content.len() as u64 > LARGEST {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    match blocking(move || replace(&path, &content)).await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(error) => refused(&error),
    }
}

async fn show(desk: Desk, name: String, content: String) -> Response {
    let volume = desk.0.volume.clone();
    let names = match blocking(move || names(&volume)).await {
        Ok(names) => names,
        Err(error) => return refused(&error),
    };
    let rows: String = names
        .iter()
        .map(|name| match path_of(Path::new(""), name) {
            // Names that pass hold nothing that HTML or a path would take for its own.
            Some(_) => format!("<li><a href=\"/files/{name}\">{name}</a></li>"),
            None => format!("<li>{}</li>", escaped(name)),
        })
        .collect();
    let html = FRAME
        .replace(
            "{files}",
            if rows.is_empty() {
                "<li>No files yet.</li>"
            } else {
                &rows
            },
        )
        .replace("{name}", &escaped(&name))
        .replace("{content}", &escaped(&content));
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

/// Where a file of that name is: a plain name in the volume itself, so that nothing leads out of it.
fn path_of(volume: &Path, name: &str) -> Option<PathBuf> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fine = (1..=LONGEST_NAME).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(plain);
    fine.then(|| volume.join(name))
}

fn names(volume: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(volume)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read(path: &Path) -> io::Result<String> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() || found.len() > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    fs::read_to_string(path)
}

/// Whole or not at all; takes the place of a link instead of following it.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    let half = path.with_file_name(format!(".{}.half", uuid::Uuid::new_v4()));
    fs::write(&half, content)?;
    fs::rename(&half, path).inspect_err(|_| {
        // Only a leftover stays if this fails too.
        let _ = fs::remove_file(&half);
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

fn refused(error: &io::Error) -> Response {
    let status = match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
        io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory => StatusCode::CONFLICT,
        _ => {
            tracing::error!(%error, "the workspace's files cannot be used");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    status.into_response()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '{' => escaped.push_str("&#123;"),
            c => escaped.push(c),
        }
    }
    escaped
}
