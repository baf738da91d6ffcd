//! The outermost layer: request ids, logs, metrics, security headers, and problem documents for whatever
//! failed within.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::Instrument;

use crate::problem::{HEADERS_TOO_LARGE, Problem};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Marks an answer of a workspace's host: it is no answer of the API, so never a problem document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkspaceHost;

/// Most bytes of headers that a request may have. Browsers send two or three KiB.
const HEADER_BYTES: usize = 16 * 1024;

/// What the layer needs to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observe {
    /// True if people reach the API over TLS, so that browsers may be told to come by TLS only.
    pub(crate) over_tls: bool,
}

/// Watches over one request.
pub(crate) async fn observe(
    State(settings): State<Observe>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = known_method(request.method());
    // The template, never the path: paths hold ids, and a mistyped one may hold anything.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let trace = trace_parent(request.headers());
    let span = tracing::info_span!(
        "request",
        method,
        route,
        request_id = id,
        trace_id = trace.as_ref().map(|(trace, _)| trace.as_str()),
        parent_span_id = trace.as_ref().map(|(_, parent)| parent.as_str()),
    );
    let in_flight = InFlight::enter();
    let response = if header_bytes(request.headers()) > HEADER_BYTES {
        Problem::new(
            &HEADERS_TOO_LARGE,
            "All headers together are larger than 16 KiB.",
        )
        .into_response()
    } else {
        next.run(request).instrument(span.clone()).await
    };
    drop(in_flight);
    let _entered = span.enter();
    let elsewhere = response.extensions().get::<WorkspaceHost>().is_some();
    let route = if elsewhere {
        "workspace host".to_owned()
    } else {
        route
    };
    let response = finish(response, &id, settings);
    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    let labels = [
        ("method", method.to_owned()),
        ("route", route),
        ("status", status.to_string()),
    ];
    metrics::counter!("coditect_api_requests_total", &labels).increment(1);
    metrics::histogram!("coditect_api_request_seconds", &labels[..2]).record(seconds);
    tracing::info!(status, milliseconds = seconds * 1_000.0, "answered");
    response
}

/// Writes the problem document, if the response is one, and the headers that every response has.
fn finish(mut response: Response, id: &str, settings: Observe) -> Response {
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => Some(problem),
        // What the router and its libraries answer: a status with plain text or nothing.
        _ if response.extensions().get::<WorkspaceHost>().is_some() => None,
        None if is_bare_failure(&response) => Some(Problem::of_status(response.status())),
        None => None,
    };
    if let Some(problem) = problem {
        problem.log();
        problem.write(&mut response, id);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    // An API answer is never a page: nothing in it may load, frame or run anything. Pages bring their own.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(HeaderName::from_static("cross-origin-opener-policy"))
        .or_insert(HeaderValue::from_static("same-origin"));
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if settings.over_tls {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=63072000"),
        );
    }
    response
}

fn is_bare_failure(response: &Response) -> bool {
    let status = response.status();
    let kind = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    (status.is_client_error() || status.is_server_error())
        && kind.is_none_or(|kind| kind.starts_with("text/plain"))
}

/// What a panic within becomes.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    // The panic's own message is not logged here: it may hold what a person sent. The process's panic hook
    // names the place.
    metrics::counter!("coditect_api_panics_total").increment(1);
    tracing::error!("a handler panicked");
    Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// The caller's request id, if it is one that may stand in a log; otherwise a fresh one.
pub(crate) fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let safe = |id: &&str| {
        (8..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given
        .filter(safe)
        .map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// Trace id and parent id of a valid `traceparent` (W3C Trace Context, version 00).
pub(crate) fn trace_parent(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            && text.bytes().any(|byte| byte != b'0')
    };
    match parts[..] {
        ["00", trace, parent, flags] if hex(trace, 32) && hex(parent, 16) && flags.len() == 2 => {
            Some((trace.to_owned(), parent.to_owned()))
        }
        _ => None,
    }
}

/// A method's name for labels: those we serve, so that nobody can make labels of their own.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}

/// Counts a request while it is being answered, also if the client goes away.
struct InFlight;

impl InFlight {
    fn enter() -> Self {
        metrics::gauge!("coditect_api_requests_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("coditect_api_requests_in_flight").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )])
    }

    #[test]
    fn a_request_id_that_could_forge_a_log_line_is_replaced() {
        assert_eq!(
            request_id(&headers("x-request-id", "abc-12345_6.7")),
            "abc-12345_6.7"
        );
        for id in ["short", "spaces are out", "a\"b\"c\"d\"e", &"x".repeat(65)] {
            assert_ne!(request_id(&headers("x-request-id", id)), id);
        }
    }

    #[test]
    fn only_a_valid_trace_parent_is_taken_over() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(
            trace_parent(&headers("traceparent", valid)).unwrap().1,
            "00f067aa0ba902b7"
        );
        for text in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            &valid[..50],
            &valid.to_uppercase(),
            &format!("{valid}-x"),
        ] {
            assert!(
                trace_parent(&headers("traceparent", text)).is_none(),
                "{text}"
            );
        }
    }
}
