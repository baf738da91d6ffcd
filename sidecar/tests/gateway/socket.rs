//! Sockets through the tunnel.

use proptest::{prelude::*, test_runner::TestRunner};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::world::{HOST, PATIENCE, World, head};

pub(crate) const HANDSHAKE: &str = "connection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Writes a request's head; `what` is a path, or a method and a path.
pub(crate) async fn request(
    stream: &mut TcpStream,
    what: &str,
    headers: &[(&str, String)],
    more: &str,
) {
    let what = if what.starts_with('/') {
        format!("GET {what}")
    } else {
        what.to_owned()
    };
    let mut text = format!("{what} HTTP/1.1\r\nhost: {HOST}\r\n{more}");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Opens a socket to the IDE that echoes.
pub(crate) async fn open(world: &World, headers: &[(&str, String)]) -> TcpStream {
    let mut stream = world.connect().await;
    request(&mut stream, "/socket", headers, HANDSHAKE).await;
    let head = head(&mut stream).await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    for line in [
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
    ] {
        assert!(head.contains(line), "{head}");
    }
    stream
}

/// A socket that is not opened, and by which status.
pub(crate) async fn refused(world: &World, headers: &[(&str, String)], status: &str) {
    let mut stream = world.connect().await;
    request(&mut stream, "/socket", headers, HANDSHAKE).await;
    let head = head(&mut stream).await;
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
}

pub(crate) async fn echo(stream: &mut TcpStream, bytes: &[u8]) {
    let echoed = async {
        stream.write_all(bytes).await.unwrap();
        let mut back = vec![0; bytes.len()];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(back, bytes);
    };
    timeout(PATIENCE, echoed).await.unwrap();
}

/// Whatever the bytes are, frames or not, in whatever pieces: they come out as they went in, to the last one.
#[test]
fn bytes_are_what_they_were_however_they_are_cut() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let pieces = prop::collection::vec(
        prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..64),
            1 => prop::collection::vec(any::<u8>(), 1_000..70_000),
        ],
        0..12,
    );
    let config = ProptestConfig {
        cases: 64,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&pieces, |pieces| {
            runtime.block_on(async {
                let stream = open(&world, &world.own()).await;
                let (mut reading, mut writing) = stream.into_split();
                let sent: Vec<u8> = pieces.concat();
                let write = async {
                    for piece in &pieces {
                        writing.write_all(piece).await.unwrap();
                    }
                    writing.shutdown().await.unwrap();
                };
                let read = async {
                    let mut back = Vec::new();
                    reading.read_to_end(&mut back).await.unwrap();
                    back
                };
                let both = async { tokio::join!(write, read).1 };
                let back = timeout(PATIENCE, both).await.unwrap();
                prop_assert!(back == sent);
                Ok(())
            })
        })
        .unwrap();
}

#[tokio::test]
async fn what_is_said_before_the_handshake_is_answered_is_not_lost() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    let early = b"said too early";
    let mut text = format!("GET /socket HTTP/1.1\r\nhost: {HOST}\r\n{HANDSHAKE}");
    for (name, value) in world.own() {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let bytes = [text.as_bytes(), early].concat();
    stream.write_all(&bytes).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    let mut back = vec![0; early.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, early);
}

#[tokio::test]
async fn a_hundred_sockets_are_open_at_once_and_one_that_ends_is_alone() {
    let world = World::new().await;
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(open(&world, &world.own()).await);
    }
    drop(sockets.remove(50));
    for (at, socket) in sockets.iter_mut().enumerate() {
        echo(socket, format!("socket {at}").as_bytes()).await;
    }
}

#[tokio::test]
async fn an_ide_that_refuses_the_handshake_is_heard() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    request(&mut stream, "/file", &world.own(), HANDSHAKE).await;
    let head = head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    // And one that switches without being asked is not.
    let answer = world.get("/switch", &world.own()).await;
    assert_eq!(answer.status.as_u16(), 502);
}
