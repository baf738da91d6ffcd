//! What goes on to the IDE and comes back.

use std::time::Duration;

use hyper::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

use crate::{
    ide::{Ide, file},
    socket::request,
    world::{HOST, PATIENCE, World, head},
};

#[tokio::test]
async fn nothing_that_is_ours_or_claimed_reaches_the_ide() {
    let world = World::new().await;
    let mut headers = world.own();
    headers[0].1 = format!("a=1; {}; b=2; coditect-other=3", world.cookie());
    for (name, value) in [
        ("authorization", "Bearer secret"),
        ("proxy-authorization", "Basic x"),
        ("forwarded", "for=evil"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "gopher"),
        ("x-forwarded-prefix", "/evil"),
        ("x-real-ip", "6.6.6.6"),
        ("x-original-url", "/evil"),
        ("x-rewrite-url", "/evil"),
        ("via", "1.1 evil"),
        ("te", "trailers"),
        ("proxy", "http://evil"),
        ("connection", "keep-alive, x-mine"),
        ("x-mine", "1"),
        ("keep-alive", "timeout=5"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
        ("coditect-state", "ready"),
        ("x-other", "kept"),
    ] {
        headers.push((name, value.to_owned()));
    }
    let answer = world.get("/a/b?c=d%20e", &headers).await;
    assert_eq!(answer.status, StatusCode::OK);
    let got = world.ide.state.last();
    assert_eq!(got.target, "/a/b?c=d%20e");
    let mut names: Vec<(&str, &str)> = got
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            ("cookie", "a=1; b=2"),
            ("host", HOST),
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("origin", "https://calm-lake.ws.test"),
            ("sec-fetch-site", "same-origin"),
            ("x-forwarded-host", HOST),
            ("x-forwarded-proto", "https"),
            ("x-other", "kept"),
        ]
    );
}

#[tokio::test]
async fn the_ide_speaks_for_itself_but_not_for_us() {
    let world = World::new().await;
    let answer = world.get("/evil", &world.own()).await;
    assert_eq!(&answer.body[..], b"evil");
    let mut names: Vec<(&str, &str)> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            ("content-length", "4"),
            (
                "content-security-policy",
                "frame-ancestors https://app.test"
            ),
            ("set-cookie", "theia=1; Path=/"),
            ("x-kept", "1"),
        ]
    );
}

#[tokio::test]
async fn a_range_is_a_range() {
    let world = World::new().await;
    let mut headers = world.own();
    headers.push(("range", "bytes=1000-1999".to_owned()));
    headers.push(("if-range", "\"x\"".to_owned()));
    let answer = world.get("/file", &headers).await;
    assert_eq!(
        (answer.status, answer.header("content-range")),
        (StatusCode::PARTIAL_CONTENT, Some("bytes 1000-1999/100000"))
    );
    assert_eq!(answer.body, file()[1000..2000]);
    assert_eq!(answer.header("content-length"), Some("1000"));
    let whole = world.get("/file", &world.own()).await;
    assert_eq!(
        (whole.status, &whole.body[..]),
        (StatusCode::OK, &file()[..])
    );
}

#[tokio::test]
async fn an_upload_waits_for_the_ide_and_is_held_nowhere() {
    const SIZE: u64 = 256 * 1024 * 1024;
    let world = World::new().await;
    let mut stream = world.connect().await;
    let length = format!("content-length: {SIZE}\r\n");
    request(&mut stream, "POST /sink", &world.own(), &length).await;
    let piece = vec![7; 1024 * 1024];
    // Nobody reads: what was taken must stop growing far below what there is to send.
    let mut sent = 0;
    while let Ok(written) = timeout(Duration::from_secs(2), stream.write(&piece)).await {
        sent += written.unwrap() as u64;
        assert!(sent < SIZE / 4, "{sent} bytes are held somewhere");
    }
    world.ide.state.go.notify_one();
    while sent < SIZE {
        let rest = usize::try_from(SIZE - sent).unwrap().min(piece.len());
        let written = timeout(PATIENCE, stream.write(&piece[..rest])).await;
        sent += written.unwrap().unwrap() as u64;
    }
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert_eq!(*world.ide.state.sunk.lock().unwrap(), SIZE);
}

#[tokio::test]
async fn an_answer_comes_as_it_is_made() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    request(&mut stream, "/drip", &world.own(), "").await;
    let head = head(&mut stream).await.to_lowercase();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    for piece in 0..3 {
        world.ide.state.drip.notify_one();
        let expected = format!("piece {piece}\n");
        let expected = format!("{:x}\r\n{expected}\r\n", expected.len());
        let mut got = vec![0; expected.len()];
        let read = timeout(PATIENCE, stream.read_exact(&mut got)).await;
        read.unwrap().unwrap();
        assert_eq!(String::from_utf8(got).unwrap(), expected);
    }
    // Whoever goes away takes the question back.
    drop(stream);
    timeout(PATIENCE, world.ide.state.given_up.notified())
        .await
        .unwrap();
}

#[tokio::test]
async fn until_the_ide_listens_there_is_a_page_and_then_the_ide() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut ide = Ide::start().await;
    ide.address = address;
    let world = World::with_ide(ide).await;
    world.until_heard().await;
    let mut navigate = vec![("cookie", world.cookie())];
    for (name, value) in [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ] {
        navigate.push((name, value.to_owned()));
    }
    let page = world.get("/", &navigate).await;
    assert_eq!(
        (page.status, page.header("retry-after")),
        (StatusCode::SERVICE_UNAVAILABLE, Some("1"))
    );
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let program = world.get("/", &world.own()).await;
    assert_eq!(
        program.json()["type"],
        "https://coditect.ai/problems/starting"
    );
    let state = world.get("/coditect/ide", &world.own()).await.json();
    assert_eq!(state["state"], "starting");

    let _ide = Ide::serve(TcpListener::bind(address).await.unwrap(), false);
    assert_eq!(world.get("/", &navigate).await.status, StatusCode::OK);
    let state = world.get("/coditect/ide", &world.own()).await.json();
    assert_eq!(state["state"], "ready");
}

#[tokio::test]
async fn an_ide_that_breaks_off_is_told_from_one_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut ide = Ide::start().await;
    ide.address = listener.local_addr().unwrap();
    let world = World::with_ide(ide).await;
    world.until_heard().await;
    for answer in [
        &b""[..],
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: nonsense\r\nx: \0\r\n\r\n",
    ] {
        let own = world.own();
        let asked = world.get("/", &own);
        let answered = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer).await.unwrap();
        };
        let (asked, ()) = tokio::join!(asked, answered);
        assert_eq!(
            asked.status,
            StatusCode::BAD_GATEWAY,
            "{}",
            String::from_utf8_lossy(answer)
        );
    }
}

#[tokio::test]
async fn the_ide_says_what_happens_in_it_and_pages_do_not() {
    let world = World::new().await;
    let inside = world.sidecar.inside();
    let ask = || async { world.get("/coditect/activity", &world.own()).await.json() };
    assert_eq!(ask().await["used"], "unknown");
    let say = |headers: Vec<(&'static str, String)>, body: &'static str| async move {
        let mut headers = headers;
        if headers.is_empty() {
            headers.push(("host", inside.to_string()));
        }
        crate::world::send(inside, "PUT", "/activity", &headers, body)
            .await
            .status
    };
    assert_eq!(say(vec![], "{}").await, StatusCode::NO_CONTENT);
    assert_eq!(ask().await["used"], "idle");
    let foreign = vec![("host", HOST.to_owned())];
    assert_eq!(
        say(foreign, "{\"output\":true}").await,
        StatusCode::FORBIDDEN
    );
    let page = vec![
        ("host", inside.to_string()),
        ("origin", "https://evil.test".to_owned()),
    ];
    assert_eq!(say(page, "{\"output\":true}").await, StatusCode::FORBIDDEN);
    for wrong in ["", "null", "{\"input\":true}", "{\"tasks\":-1}"] {
        assert_eq!(say(vec![], wrong).await, StatusCode::BAD_REQUEST);
    }
    assert_eq!(ask().await["used"], "idle");
    assert_eq!(
        say(vec![], "{\"output\":true}").await,
        StatusCode::NO_CONTENT
    );
    let answer = ask().await;
    assert_eq!(answer["used"], "active");
    assert!(answer["input_at"].is_null() && answer["output_at"].is_string());
    // The API is told at once that use has begun.
    world
        .until(|| async {
            let calls = world.api.state.calls.lock().unwrap();
            let told = |(path, body): &(String, serde_json::Value)| {
                path == coditect_core::sidecar::HEARTBEAT_PATH && body["used"] == "active"
            };
            calls.iter().any(told)
        })
        .await;
}
