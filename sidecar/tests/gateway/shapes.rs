//! Requests that one reader could take for others than the next one: refused, or made plain; never two of one.

use crate::world::{HOST, World, raw};

/// The status of the first answer.
fn status(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    text.get(9..12).unwrap_or_default().to_owned()
}

async fn send(world: &World, line: &str, more: &str, body: &str) -> Vec<u8> {
    let mut text = format!("{line}\r\n{more}");
    for (name, value) in world.own() {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("connection: close\r\n\r\n");
    text.push_str(body);
    raw(world.sidecar.address(), text.as_bytes()).await
}

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let world = World::new().await;
    let host = format!("host: {HOST}\r\n");
    for (line, more, body, expected) in [
        (
            "POST /x HTTP/1.1",
            "content-length: 5\r\ncontent-length: 6\r\n",
            "hello!",
            "400",
        ),
        ("POST /x HTTP/1.1", "content-length: +5\r\n", "hello", "400"),
        (
            "POST /x HTTP/1.1",
            "content-length: 5, 5, 6\r\n",
            "hello!",
            "400",
        ),
        (
            "POST /x HTTP/1.1",
            "content-length: 0x5\r\n",
            "hello",
            "400",
        ),
        (
            "POST /x HTTP/1.1",
            "content-length: 99999999999999999999\r\n",
            "",
            "400",
        ),
        (
            "POST /x HTTP/1.1",
            "transfer-encoding: xchunked\r\n",
            "0\r\n\r\n",
            "400",
        ),
        (
            "POST /x HTTP/1.1",
            "transfer-encoding: chunked, identity\r\n",
            "0\r\n\r\n",
            "400",
        ),
        (
            "POST /x HTTP/1.1",
            "transfer-encoding: gzip, chunked\r\n",
            "0\r\n\r\n",
            "400",
        ),
        (
            "POST /x HTTP/1.1",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n",
            "400",
        ),
        (
            "POST /x HTTP/1.0",
            "transfer-encoding: chunked\r\n",
            "0\r\n\r\n",
            "400",
        ),
        ("POST /x HTTP/1.1", "content-length : 5\r\n", "hello", "400"),
        ("POST /x HTTP/1.1", "x: 1\r\n folded: 2\r\n", "", "400"),
        ("POST /x HTTP/1.1", "x\0y: 1\r\n", "", "400"),
        ("POST /x HTTP/1.1", "x: a\rb\r\n", "", "400"),
        ("GET  /x HTTP/1.1", "", "", "400"),
        ("GET /x  HTTP/1.1", "", "", "400"),
        ("GET /x HTTP/1.1 ", "", "", "400"),
        ("GET /a b HTTP/1.1", "", "", "400"),
        ("GET /x HTTP/3.0", "", "", "400"),
        ("GET http://evil.test/x HTTP/1.1", "", "", "400"),
        ("GET http://calm-lake.ws.test/x HTTP/1.1", "", "", "400"),
        ("GET x HTTP/1.1", "", "", "400"),
        ("OPTIONS * HTTP/1.1", "", "", "400"),
        ("CONNECT evil.test:80 HTTP/1.1", "", "", "405"),
        ("TRACE /x HTTP/1.1", "", "", "405"),
        ("GET /x HTTP/1.1", "host: evil.test\r\n", "", "400"),
        ("GET /x HTTP/1.1", "connection: host\r\n", "", "400"),
        ("GET /x HTTP/1.1", "connection: cookie\r\n", "", "400"),
    ] {
        let answer = send(&world, line, &format!("{host}{more}"), body).await;
        assert_eq!(
            status(&answer),
            expected,
            "{line:?} {more:?}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert!(world.ide.state.got.lock().unwrap().is_empty());
}

/// A length beside a chunked body: the chunks count, the length is not handed on, and what follows is never read as a
/// request (RFC 9112 section 6.3).
#[tokio::test]
async fn what_follows_a_body_with_two_lengths_is_no_request() {
    let world = World::new().await;
    let chunked = "transfer-encoding: chunked\r\n";
    let length = "content-length: 4\r\n";
    for (more, body) in [
        (
            format!("{length}{chunked}"),
            "5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        ),
        (
            format!("{chunked}{length}"),
            "0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        ),
    ] {
        let mut text = format!("POST /x HTTP/1.1\r\nhost: {HOST}\r\n{more}");
        for (name, value) in world.own() {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        let answer = raw(world.sidecar.address(), text.as_bytes()).await;
        assert_eq!(status(&answer), "200");
        let answers = String::from_utf8_lossy(&answer).matches("HTTP/1.1").count();
        assert_eq!(answers, 1);
    }
    let got = world.ide.state.got.lock().unwrap();
    assert_eq!(got.len(), 2);
    for got in got.iter() {
        assert_eq!(got.target, "/x");
        assert!(!got.headers.contains_key("content-length"));
    }
}

#[tokio::test]
async fn chunks_are_read_by_the_letter() {
    let world = World::new().await;
    let more = format!("host: {HOST}\r\ntransfer-encoding: chunked\r\n");
    for body in [
        "5\r\nhelloX\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
    ] {
        let answer = send(&world, "POST /x HTTP/1.1", &more, body).await;
        assert_ne!(status(&answer), "200", "{body:?}");
    }
    assert!(world.ide.state.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn heads_have_a_size() {
    let world = World::new().await;
    let host = format!("host: {HOST}\r\n");
    let long = format!("{host}x: {}\r\n", "y".repeat(40_000));
    let many = format!("{host}{}", "x: y\r\n".repeat(200));
    let path = format!("GET /{} HTTP/1.1", "x".repeat(40_000));
    for (line, more, expected) in [
        ("GET /x HTTP/1.1", &long, "431"),
        ("GET /x HTTP/1.1", &many, "431"),
        (path.as_str(), &host, "431"),
    ] {
        let answer = send(&world, line, more, "").await;
        assert_eq!(status(&answer), expected);
    }
    assert!(world.ide.state.got.lock().unwrap().is_empty());
}
