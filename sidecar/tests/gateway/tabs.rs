//! Tabs on `/coditect/ws`, well-behaved and hostile.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use crate::{
    socket::{HANDSHAKE, request},
    world::{PATIENCE, World, head},
};

pub(crate) struct Tab(WebSocketStream<TcpStream>);

impl Tab {
    /// A tab that has not said hello.
    pub(crate) async fn open(world: &World) -> Self {
        let mut stream = world.connect().await;
        request(&mut stream, "/coditect/ws", &world.own(), HANDSHAKE).await;
        let head = head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        Self(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }

    /// A tab that was welcomed, and how.
    pub(crate) async fn welcomed(world: &World, name: &str) -> (Self, Value) {
        let mut tab = Self::open(world).await;
        tab.say(json!({"type": "hello", "version": 1, "tab": name}))
            .await;
        let welcome = tab.heard("welcome").await;
        (tab, welcome)
    }

    pub(crate) async fn say(&mut self, message: Value) {
        let text = message.to_string().into();
        self.0.send(Message::Text(text)).await.unwrap();
    }

    /// The next message of this type; others are passed over.
    pub(crate) async fn heard(&mut self, kind: &str) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == kind {
                        return message;
                    }
                }
                Message::Ping(_) => {}
                other => panic!("{other:?} instead of {kind}"),
            }
        }
    }

    /// The code with which it is let go.
    async fn let_go(&mut self) -> u16 {
        loop {
            match self.next().await {
                Message::Close(frame) => return frame.unwrap().code.into(),
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn next(&mut self) -> Message {
        let next = timeout(PATIENCE, self.0.next()).await;
        next.unwrap().unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_second_tab_sees_the_session_and_so_does_tomorrow() {
    let world = World::new().await;
    let (mut one, welcome) = Tab::welcomed(&world, "one").await;
    assert_eq!(
        welcome,
        json!({"type": "welcome", "version": 1, "values": [], "tabs": ["one"]})
    );
    one.say(json!({"type": "put", "key": "layout", "base": 0, "value": {"left": [1, 2]}}))
        .await;
    assert_eq!(one.heard("kept").await["version"], 1);
    let (mut two, welcome) = Tab::welcomed(&world, "two").await;
    let layout = json!({"key": "layout", "version": 1, "value": {"left": [1, 2]}});
    assert_eq!(welcome["values"], json!([layout]));
    assert_eq!(one.heard("tabs").await["tabs"], json!(["one", "two"]));
    two.say(json!({"type": "put", "key": "layout", "base": 1, "value": "new"}))
        .await;
    assert_eq!(one.heard("changed").await["value"], "new");
    one.say(json!({"type": "put", "key": "layout", "base": 1, "value": "late"}))
        .await;
    assert_eq!(one.heard("stale").await["value"], "new");
    drop(two);
    assert_eq!(one.heard("tabs").await["tabs"], json!(["one"]));
    // The registry keeps it, and the next pod's tabs find it there.
    world
        .until(|| async {
            let shared = world.api.state.shared.lock().unwrap();
            shared
                .values
                .get("layout")
                .is_some_and(|value| value.value == "\"new\"")
        })
        .await;
    let kept = world.api.state.shared.lock().unwrap().clone();
    let next = World::new().await;
    *next.api.state.shared.lock().unwrap() = kept;
    let (mut tab, _) = Tab::welcomed(&next, "tomorrow").await;
    drop(one);
    // Welcomed with it, or told as soon as it is there.
    tab.say(json!({"type": "put", "key": "layout", "base": 7, "value": 0}))
        .await;
    assert_eq!(tab.heard("stale").await["key"], "layout");
}

#[tokio::test]
async fn what_a_tab_may_not_do_ends_with_it_and_by_a_code() {
    let world = World::new().await;
    let (mut bystander, _) = Tab::welcomed(&world, "bystander").await;
    let hello = || json!({"type": "hello", "version": 1, "tab": "hostile"}).to_string();
    let deep = format!(
        r#"{{"type":"put","key":"a","base":0,"value":{}{}}}"#,
        "[".repeat(1_000),
        "]".repeat(1_000)
    );
    let text = |text: &str| Message::Text(text.to_owned().into());
    for (messages, code) in [
        (vec![text("{}")], 4400),
        (vec![text("not json")], 4400),
        (vec![text(r#"{"type":"input"}"#)], 4409),
        (vec![text(&hello()), text(&hello())], 4409),
        (
            vec![text(r#"{"type":"hello","version":9,"tab":"a"}"#)],
            4426,
        ),
        (vec![text(&hello()), text(&deep)], 4410),
        (vec![text(&hello()), text(&"x".repeat(300_000))], 1009),
        (vec![Message::Binary(vec![0; 10].into())], 1003),
        (
            std::iter::once(text(&hello()))
                .chain(std::iter::repeat_n(text(r#"{"type":"input"}"#), 2_000))
                .collect(),
            4429,
        ),
        (
            std::iter::repeat_n(Message::Ping(vec![1].into()), 2_000).collect(),
            4429,
        ),
    ] {
        let mut tab = Tab::open(&world).await;
        for message in messages {
            // It may be let go before it has said everything.
            if tab.0.send(message).await.is_err() {
                break;
            }
        }
        assert_eq!(tab.let_go().await, code);
    }
    bystander
        .say(json!({"type": "put", "key": "k", "base": 0, "value": 1}))
        .await;
    assert_eq!(bystander.heard("kept").await["version"], 1);
}

/// Frames that RFC 6455 forbids, byte by byte.
#[tokio::test]
async fn frames_that_no_browser_sends_end_with_their_own_connection() {
    let world = World::new().await;
    let (mut bystander, _) = Tab::welcomed(&world, "bystander").await;
    for bytes in [
        // Not masked.
        &b"\x81\x02{}"[..],
        // A reserved bit, a reserved opcode.
        b"\xf1\x82\0\0\0\0{}",
        b"\x83\x82\0\0\0\0{}",
        // A continuation of nothing.
        b"\x80\x82\0\0\0\0{}",
        // A control frame that is too long, and one in pieces.
        b"\x89\xfe\x01\x00\0\0\0\0",
        b"\x09\x80\0\0\0\0",
        // A length of 2^63 - 1, and one with the highest bit.
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
        // Text that is no UTF-8.
        b"\x81\x82\0\0\0\0\xff\xfe",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = world.connect().await;
        request(&mut stream, "/coditect/ws", &world.own(), HANDSHAKE).await;
        head(&mut stream).await;
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
        let _ = timeout(PATIENCE, ended).await.unwrap();
        // A close frame, or just the end; never a message.
        assert!(rest.is_empty() || rest[0] == 0x88, "{bytes:?}: {rest:?}");
    }
    bystander
        .say(json!({"type": "put", "key": "k", "base": 0, "value": 1}))
        .await;
    assert_eq!(bystander.heard("kept").await["version"], 1);
}

#[tokio::test]
async fn a_login_that_ends_takes_its_tabs_along() {
    let world = World::new().await;
    let (mut tab, _) = Tab::welcomed(&world, "one").await;
    let login = world.login;
    world
        .api
        .state
        .change(|access| access.ended_logins.push(login));
    assert_eq!(tab.let_go().await, 4401);
}

#[tokio::test]
async fn typing_in_a_tab_is_use_and_being_open_is_not() {
    let world = World::new().await;
    let (mut tab, _) = Tab::welcomed(&world, "one").await;
    let ask = || async { world.get("/coditect/activity", &world.own()).await.json() };
    assert_eq!(ask().await["used"], "unknown");
    tab.say(json!({"type": "input"})).await;
    world
        .until(|| async { ask().await["used"] == "active" })
        .await;
    assert!(ask().await["output_at"].is_null());
}

#[tokio::test]
async fn a_models_answer_comes_in_pieces_or_it_is_said_why_not() {
    let world = World::new().await;
    let (mut tab, _) = Tab::welcomed(&world, "one").await;
    let ask = |id: u32| json!({"type": "llm", "id": id, "request": {"model": "m", "messages": []}});
    tab.say(ask(1)).await;
    let end = tab.heard("llm_end").await;
    assert_eq!(
        (&end["id"], &end["problem"]),
        (&json!(1), &json!("not_available"))
    );
    *world.api.state.model.lock().unwrap() =
        Some("data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n");
    tab.say(ask(2)).await;
    for data in ["{\"a\":1}", "{\"b\":2}"] {
        let part = tab.heard("llm_part").await;
        assert_eq!((&part["id"], &part["data"]), (&json!(2), &json!(data)));
    }
    assert_eq!(tab.heard("llm_end").await["problem"], Value::Null);
    let calls = world.api.state.calls.lock().unwrap();
    let (_, asked) = calls
        .iter()
        .rfind(|(path, _)| path == coditect_core::sidecar::LLM_PATH)
        .unwrap();
    assert_eq!(asked["stream"], true);
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_told_so() {
    let world = World::new().await;
    let answer = world.get("/coditect/ws", &world.own()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("upgrade")),
        (426, Some("websocket"))
    );
}

/// The schema that other programs read is what the types say.
#[test]
fn the_schema_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/socket.schema.json");
    let schema = coditect_sidecar::socket::protocol::schema();
    let fresh = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(path, &fresh).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == fresh,
        "{path} is not what the types say; UPDATE_SCHEMAS=1 cargo test -p coditect-sidecar --test gateway schema"
    );
}
