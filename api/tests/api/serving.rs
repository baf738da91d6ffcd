//! Connections: slow clients, panics aside, and stopping.

use std::time::Duration;

use coditect_registry::store::faulty::Fault;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::harness::{App, LIMIT};

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.base.trim_start_matches("http://"))
        .await
        .unwrap()
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut bytes))
        .await
        .expect("the connection ends")
        .ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn stopping_lets_what_is_in_flight_finish_and_ends_streams() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let stream = app
        .request("GET", &format!("{path}/events"))
        .bearer_auth(&person.token)
        .send()
        .await
        .unwrap();

    // A request that is being answered when the server is told to stop: its commit is on its way.
    let began = app.version().await;
    app.store
        .inject(Fault::SlowCommit(Duration::from_millis(300)), 1);
    let rename = app
        .request("PATCH", "/api/v5/me")
        .bearer_auth(&person.token)
        .json(&serde_json::json!({ "display_name": "Late" }));
    let in_flight = tokio::spawn(rename.send());
    let waiting = async {
        while !app.store.is_spent() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, waiting).await.expect("the commit begins");
    app.stop.cancel();

    let events = timeout(LIMIT, stream.text())
        .await
        .expect("the stream ends")
        .unwrap();
    assert!(events.contains("\"reason\":\"stopping\""), "{events}");
    let answer = in_flight.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.json::<serde_json::Value>().await.unwrap()["display_name"],
        "Late"
    );
    assert!(app.version().await > began);
    timeout(LIMIT, app.server)
        .await
        .expect("the server returns")
        .unwrap()
        .unwrap();
    assert!(
        TcpStream::connect(app.base.trim_start_matches("http://"))
            .await
            .is_err(),
        "nothing listens any more"
    );
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_the_server() {
    let app = App::with(|config| {
        config.drain = Duration::from_millis(200);
        config.receive_timeout = Duration::from_secs(600);
    })
    .await;
    let mut stuck = connect(&app).await;
    stuck.write_all(b"POST /api/v5/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{").await.unwrap();
    // An answer on another connection: the server has had its turn.
    app.get("/health").await.expect(200);
    app.stop.cancel();
    timeout(LIMIT, app.server)
        .await
        .expect("the server returns")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn slow_headers_and_slow_bodies_are_cut_off() {
    let app = App::with(|config| {
        config.idle_timeout = Duration::from_millis(200);
        config.receive_timeout = Duration::from_millis(200);
    })
    .await;
    let mut headers = connect(&app).await;
    headers
        .write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ")
        .await
        .unwrap();
    let mut body = connect(&app).await;
    body.write_all(b"POST /api/v5/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{").await.unwrap();
    let answer = read_all(&mut body).await;
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.contains("/problems/request-timeout"),
        "{answer}"
    );
    let answer = read_all(&mut headers).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_harms_nobody() {
    let app = App::start().await;
    for bytes in [
        &b"\x16\x03\x01\x00\xa5\x01\x00\x00"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"G\0T / HTTP/1.1\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let mut stream = connect(&app).await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.ok();
        let answer = read_all(&mut stream).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    let mut smuggled = connect(&app).await;
    smuggled
        .write_all(b"POST /api/v5/auth/logout HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\nconnection: close\r\n\r\nabcde")
        .await
        .unwrap();
    assert!(read_all(&mut smuggled).await.starts_with("HTTP/1.1 400 "));
    app.get("/health").await.expect(200);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up() {
    let app = App::with(|config| config.answer_timeout = Duration::from_millis(200)).await;
    app.store
        .inject(Fault::SlowBegin(Duration::from_secs(600)), 1);
    let answer = app.get("/health/fdb").await;
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    answer.expect_problem(503, "unavailable");
}

#[tokio::test]
async fn as_many_connections_as_configured_and_the_rest_wait() {
    let app = App::with(|config| config.connections = 1).await;
    let mut first = connect(&app).await;
    first
        .write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0; 1];
    timeout(LIMIT, first.read_exact(&mut byte))
        .await
        .expect("an answer")
        .unwrap();
    let mut second = connect(&app).await;
    second
        .write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    drop(first);
    assert!(read_all(&mut second).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn no_request_hides_in_anothers_body() {
    let app = App::start().await;
    let hidden = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let chunks = format!("0\r\n\r\n{hidden}");
    let length = chunks.len();
    for (version, headers, body, status) in [
        // No handler reads this body.
        (
            "1.1",
            format!("Connection: close\r\nContent-Length: {}", hidden.len()),
            hidden,
            "204",
        ),
        // Whoever stands before us may have gone by the one, and we go by the other: then the connection ends (RFC 9112,
        // section 6.3).
        (
            "1.1",
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
            &*chunks,
            "204",
        ),
        (
            "1.1",
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
            &*chunks,
            "204",
        ),
        (
            "1.1",
            format!("Content-Length: 0\r\nContent-Length: {length}"),
            &*chunks,
            "400",
        ),
        (
            "1.1",
            "Transfer-Encoding: chunked, identity".to_owned(),
            &*chunks,
            "400",
        ),
        (
            "1.1",
            "Transfer-Encoding : chunked".to_owned(),
            &*chunks,
            "400",
        ),
        (
            "1.0",
            "Transfer-Encoding: chunked".to_owned(),
            &*chunks,
            "400",
        ),
    ] {
        let mut stream = connect(&app).await;
        let request = format!(
            "POST /api/v5/auth/logout HTTP/{version}\r\nHost: localhost\r\n{headers}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_all(&mut stream).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{headers}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{headers}: {answer}"
        );
    }
}
