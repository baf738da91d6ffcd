//! What stands behind both: as little as possible, so that what is measured is before it.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Answers `/small` and `/large`, and echoes bytes after a handshake.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream));
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }
}

fn answer(length: usize) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/javascript\r\netag: \"1\"\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    answer.resize(answer.len() + length, b'x');
    answer
}

async fn serve(mut stream: TcpStream) {
    let (small, large) = (answer(1024), answer(100 * 1024));
    let mut buffer = vec![0; 8 * 1024];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await {
            Ok(read) if read > 0 => filled += read,
            _ => return,
        }
        // One request at a time comes from a gateway, without a body.
        if !buffer[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        let answer: &[u8] = if buffer.starts_with(b"GET /socket ") {
            break;
        } else if buffer.starts_with(b"GET /large ") {
            &large
        } else {
            &small
        };
        filled = 0;
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    if stream.write_all(switch.as_bytes()).await.is_err() {
        return;
    }
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 || stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
