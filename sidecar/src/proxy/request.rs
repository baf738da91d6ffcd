//! Requests on their way to the IDE: which are handed on, and what is taken out of them.

use coditect_core::{Error, Result};
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri, Version,
    header::{self, HeaderName, HeaderValue},
};

use crate::{access::cookie, site::Site};

/// Headers that concern one connection only (RFC 9110 section 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What `Connection` may not name: taking one of these out would make another request of it.
const NEVER_NAMED: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::COOKIE,
    header::HOST,
    header::ORIGIN,
    header::TRANSFER_ENCODING,
];

/// What only we may say, or nobody: where a request comes from, for whom it is meant, who makes it.
const CLAIMS: [HeaderName; 10] = [
    header::AUTHORIZATION,
    header::FORWARDED,
    header::VIA,
    // An answer to it would have to be awaited before the body is sent on; we answer it ourselves.
    header::EXPECT,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("x-host"),
    // CGI programs take it for a setting (CVE-2016-5385).
    HeaderName::from_static("proxy"),
];
const CLAIMED: [&str; 4] = ["x-forwarded-", "x-original-", "x-rewrite-", "coditect-"];

/// What is wrong with the form of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) status: StatusCode,
    pub(crate) why: &'static str,
}

/// Refuses what one reader could take for another request than the next one. What HTTP's grammar forbids was refused
/// before; a length beside a chunked body was taken out, and the connection ends with that request (RFC 9112 section
/// 6.1), so that nothing can follow it.
pub(crate) fn check_form(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Shape> {
    let bad = |why| {
        Err(Shape {
            status: StatusCode::BAD_REQUEST,
            why,
        })
    };
    if *method == Method::CONNECT || *method == Method::TRACE {
        return Err(Shape {
            status: StatusCode::METHOD_NOT_ALLOWED,
            why: "no such method here",
        });
    }
    if uri.scheme().is_some() || uri.authority().is_some() || !uri.path().starts_with('/') {
        return bad("the request target must be a path");
    }
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => {}
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => {}
        _ => return bad("the only transfer encoding here is chunked, once"),
    }
    if named_by_connection(headers).any(|name| {
        NEVER_NAMED
            .iter()
            .any(|never| name.eq_ignore_ascii_case(never.as_str().as_bytes()))
    }) {
        return bad("Connection names a header that is not the connection's");
    }
    Ok(())
}

/// Whether a request asks for a WebSocket (RFC 6455 section 4.1). Any other protocol is not offered: the request is
/// answered in HTTP/1.1, as RFC 9110 section 7.8 allows; h2c above all would go past every rule here.
pub(super) fn wants_socket<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let mut upgrades = headers.get_all(header::UPGRADE).iter();
    let one = match (upgrades.next(), upgrades.next()) {
        (Some(one), None) => one.as_bytes().eq_ignore_ascii_case(b"websocket"),
        _ => false,
    };
    one && *request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && named_by_connection(headers).any(|name| name.eq_ignore_ascii_case(b"upgrade"))
        && headers.contains_key(header::SEC_WEBSOCKET_KEY)
        && !headers.contains_key(header::TRANSFER_ENCODING)
        && headers
            .get(header::CONTENT_LENGTH)
            .is_none_or(|length| length == "0")
}

/// The request as the IDE gets it.
pub(super) fn outgoing<B>(request: Request<B>, site: &Site, socket: bool) -> Result<Request<B>> {
    let (mut parts, body) = request.into_parts();
    let unwritable = || Error::internal("a request cannot be written");
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let headers = &mut parts.headers;
    let is_chunked = headers.contains_key(header::TRANSFER_ENCODING);
    take_out(headers, is_claim);
    if is_chunked {
        // Said outright: a GET's body would be left out otherwise, and whoever counts bytes would be wrong.
        headers.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
    cookie::strip(headers);
    let host = headers.get(header::HOST).cloned().ok_or_else(unwritable)?;
    headers.insert(HeaderName::from_static("x-forwarded-host"), host);
    headers.insert(
        HeaderName::from_static("x-forwarded-proto"),
        HeaderValue::from_static(site.scheme()),
    );
    if socket {
        ask_for_socket(headers);
    }
    Ok(Request::from_parts(parts, body))
}

/// Says that the protocol changes to WebSocket.
pub(super) fn ask_for_socket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

fn is_claim(name: &HeaderName) -> bool {
    let begins = |prefix: &&str| name.as_str().starts_with(*prefix);
    CLAIMS.contains(name) || CLAIMED.iter().any(begins)
}

/// Takes out what concerns one connection only, and what else is not to be handed on.
pub(super) fn take_out(headers: &mut HeaderMap, is_else: impl Fn(&HeaderName) -> bool) {
    let is_named = |name: &HeaderName| {
        // Both ends of the handshake name it with these.
        !name.as_str().starts_with("sec-websocket-")
            && named_by_connection(headers)
                .any(|named| named.eq_ignore_ascii_case(name.as_str().as_bytes()))
    };
    let out: Vec<HeaderName> = headers
        .keys()
        .filter(|name| HOP_BY_HOP.contains(name) || is_else(name) || is_named(name))
        .cloned()
        .collect();
    for name in out {
        headers.remove(name);
    }
}

fn named_by_connection(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        headers
    }

    fn form(method: Method, target: &str, pairs: &[(&'static str, &'static str)]) -> u16 {
        check_form(&method, &target.parse().unwrap(), &headers(pairs))
            .map_or_else(|shape| shape.status.as_u16(), |()| 200)
    }

    #[test]
    fn what_could_be_taken_for_another_request_is_refused() {
        let get = Method::GET;
        assert_eq!(form(get.clone(), "/a?b", &[]), 200);
        assert_eq!(form(get.clone(), "http://x/a", &[]), 400);
        assert_eq!(form(Method::OPTIONS, "*", &[]), 400);
        assert_eq!(form(Method::CONNECT, "x:80", &[]), 405);
        assert_eq!(form(Method::TRACE, "/", &[]), 405);
        for (pairs, status) in [
            (&[("transfer-encoding", "chunked")][..], 200),
            (&[("transfer-encoding", "Chunked")], 200),
            (&[("transfer-encoding", "gzip, chunked")], 400),
            (&[("transfer-encoding", "chunked, chunked")], 400),
            (
                &[
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                400,
            ),
            (&[("connection", "close, X-Mine")], 200),
            (&[("connection", "close, Content-Length")], 400),
            (
                &[("connection", "keep-alive"), ("connection", "cookie")],
                400,
            ),
        ] {
            assert_eq!(form(Method::POST, "/", pairs), status, "{pairs:?}");
        }
    }

    #[test]
    fn only_a_whole_websocket_handshake_changes_the_protocol() {
        let wants = |pairs: &[(&'static str, &'static str)]| {
            let mut request = Request::new(());
            *request.headers_mut() = headers(pairs);
            wants_socket(&request)
        };
        let whole = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-key", "x"),
        ];
        assert!(wants(&whole));
        for without in 0..whole.len() {
            let mut pairs = whole.to_vec();
            pairs.remove(without);
            assert!(!wants(&pairs), "{pairs:?}");
        }
        for more in [
            ("upgrade", "h2c"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
        ] {
            assert!(!wants(&[whole[0], whole[1], whole[2], more]), "{more:?}");
        }
        assert!(!wants(&[whole[0], ("upgrade", "h2c"), whole[2]]));
    }
}
