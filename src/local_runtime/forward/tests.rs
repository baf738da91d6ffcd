use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes};
use coditect_api::{ServeLimits, serve_router};
use futures::StreamExt;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::mpsc,
};

use super::*;

/// Serves on a free port.
async fn serving(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ServeLimits::default();
    tokio::spawn(serve_router(listener, router, limits, pending()));
    address
}

/// Something that hands everything on to `workspace`.
async fn proxy(workspace: SocketAddr) -> SocketAddr {
    serving(Router::new().fallback(async move |request: Request| {
        let connection = connect(workspace).await.unwrap();
        let client = Some("192.0.2.7".parse().unwrap());
        Ok::<_, Infallible>(forward(connection, request, client).await.unwrap())
    }))
    .await
}

fn sent(pairs: &[(&'static str, &'static str)], target: &str) -> HeaderMap {
    let mut request = Request::builder().uri(target);
    for (name, value) in pairs {
        request = request.header(*name, *value);
    }
    let (parts, body) = request.body(Body::empty()).unwrap().into_parts();
    let upgrade = protocol(&parts.headers);
    let client = Some("192.0.2.7".parse().unwrap());
    let request = outgoing(parts, body, upgrade.as_ref(), client);
    assert_eq!(request.uri().to_string(), "/a?b=c");
    request.into_parts().0.headers
}

#[test]
fn what_concerns_one_connection_or_claims_too_much_is_not_handed_on() {
    let headers = sent(
        &[
            ("host", "calm-lake-2abcd.workspaces.localhost:8080"),
            ("connection", "keep-alive, X-Secret, Host, content-length"),
            ("keep-alive", "timeout=5"),
            ("x-secret", "s"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic eDp5"),
            ("upgrade", "h2c"),
            ("x-forwarded-for", "203.0.113.9"),
            ("forwarded", "for=203.0.113.9"),
            ("content-length", "3"),
            ("cookie", "a=b"),
        ],
        "/a?b=c",
    );
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "content-length",
            "cookie",
            "host",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
        ]
    );
    assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
    assert_eq!(headers["host"], "calm-lake-2abcd.workspaces.localhost:8080");
}

#[test]
fn a_target_in_absolute_form_becomes_a_host_and_a_path() {
    let headers = sent(&[], "http://calm-lake-2abcd.workspaces.localhost/a?b=c");
    assert_eq!(headers["host"], "calm-lake-2abcd.workspaces.localhost");
}

#[test]
fn an_upgrade_is_asked_for_only_where_the_connection_names_it() {
    let asks = [("connection", "Upgrade"), ("upgrade", "websocket")];
    let headers = sent(&asks, "/a?b=c");
    assert_eq!(headers["connection"], "upgrade");
    assert_eq!(headers["upgrade"], "websocket");
    assert!(!sent(&asks[1..], "/a?b=c").contains_key("upgrade"));
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece() {
    let (pieces, said) = mpsc::channel::<Bytes>(1);
    let said = Arc::new(Mutex::new(Some(said)));
    let workspace = serving(Router::new().fallback(async move || {
        let said = said.lock().unwrap().take();
        let stream = futures::stream::unfold(said.unwrap(), |mut said| async {
            let piece = said.recv().await?;
            Some((Ok::<_, Infallible>(piece), said))
        });
        Body::from_stream(stream)
    }))
    .await;
    let answer = reqwest::get(format!("http://{}", proxy(workspace).await))
        .await
        .unwrap();
    let mut body = answer.bytes_stream();
    // Each piece is said only after the one before it has arrived.
    for piece in ["one", "two", "three"] {
        pieces.send(Bytes::from(piece)).await.unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), piece);
    }
    drop(pieces);
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_socket_passes_both_ways_until_either_side_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let workspace = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut asked = String::new();
        while !asked.ends_with("\r\n\r\n") {
            stream.read_line(&mut asked).await.unwrap();
        }
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello")
            .await
            .unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        (asked, heard)
    });
    let mut client = BufReader::new(TcpStream::connect(proxy(workspace).await).await.unwrap());
    client
        .write_all(b"GET /ws HTTP/1.1\r\nHost: a.workspaces.localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n") {
        client.read_line(&mut answer).await.unwrap();
    }
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let lower = answer.to_ascii_lowercase();
    assert!(lower.contains("upgrade: websocket") && lower.contains("sec-websocket-accept: x"));
    let mut hello = [0; 5];
    client.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    client.write_all(b"and back").await.unwrap();
    client.shutdown().await.unwrap();
    let (asked, heard) = served.await.unwrap();
    assert_eq!(heard, b"and back");
    let asked = asked.to_ascii_lowercase();
    assert!(asked.contains("connection: upgrade") && asked.contains("sec-websocket-key: k"));
    assert!(!asked.contains("keep-alive"), "{asked}");
}

#[tokio::test]
async fn a_body_reaches_the_workspace_and_a_refusal_to_upgrade_comes_back() {
    let workspace =
        serving(Router::new().fallback(async |request: Request| request.into_body())).await;
    let address = proxy(workspace).await;
    let text = "x".repeat(1_000_000);
    let sent = reqwest::Client::new()
        .post(format!("http://{address}/files"))
        .body(text.clone());
    assert_eq!(sent.send().await.unwrap().text().await.unwrap(), text);
    let refused = reqwest::Client::new()
        .get(format!("http://{address}/ws"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    assert_eq!(refused.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn nobody_there_is_an_error_before_anything_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert!(connect(address).await.is_err());
    assert!(is_healthy(address).await.is_err());
}
