//! What people have open while the API, the renderer and the registry are away.

use std::{fs, net::SocketAddr};

use futures::future::join_all;
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{Method, StatusCode, Upgraded};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream},
};

use crate::{
    cluster::Cluster,
    pod::{Door, api, until_known},
    support::{Api, Tab, World},
};

/// As many as a workshop's tabs have.
const SOCKETS: usize = 500;
/// RFC 6455, section 1.3: a key, and the answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// An IDE that takes every request for a handshake, and says back what it is told.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(repeat(connection));
        }
    });
    address
}

async fn repeat(mut connection: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {ACCEPT}\r\n\r\n"
    );
    if connection.write_all(answer.as_bytes()).await.is_ok() {
        let (mut told, mut said) = split(connection);
        let _ = copy(&mut told, &mut said).await;
    }
}

/// A socket of the IDE, through the gateway.
async fn open(tab: &Tab) -> Upgraded {
    let answer = tab
        .request(Method::GET, "/services")
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, KEY)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    answer.upgrade().await.unwrap()
}

/// Says something on every socket, which must come back on that one.
async fn all_answer(sockets: &mut [Upgraded], word: &str) {
    let said = sockets
        .iter_mut()
        .enumerate()
        .map(async |(number, socket)| {
            let said = format!("{word} {number}");
            socket.write_all(said.as_bytes()).await.unwrap();
            let mut heard = vec![0; said.len()];
            socket.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, said.as_bytes());
        });
    join_all(said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_sockets_outlive_api_renderer_and_registry_and_files_arrive_after_all() {
    let world = World::new();
    let cluster = Cluster::new("https://cluster.test");
    cluster.publish(&world.folder.path().join("cell-keys"), "local");
    let mut process = api(&world, "127.0.0.1:0");
    let listen = process.ready["url"].as_str().unwrap();
    let listen = listen.trim_start_matches("http://").to_owned();
    let mut person = Api::of(&process)
        .sign_up("ada@example.com", "Ada")
        .await
        .unwrap();
    let door = Door::start(&world, &cluster, &person, echo().await).await;
    let tab = Tab::open(&person, &format!("http://{}", door.address())).await;
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(open(&tab).await);
    }
    all_answer(&mut sockets, "opened").await;
    // All three are one process here, with the registry's file: each death is everybody's.
    for death in 1..=3 {
        process.kill();
        let name = format!("while-away-{death}.txt");
        fs::write(world.folder.path().join("pod/volume").join(&name), &name).unwrap();
        all_answer(&mut sockets, "away").await;
        process = api(&world, &listen);
        person = person.at(&Api::of(&process)).await;
        until_known(&person, &name).await;
        all_answer(&mut sockets, "back").await;
    }
    process.stop();
}
