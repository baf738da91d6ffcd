//! The load: connections that are open all the time, and bytes that are written beforehand.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

/// Connections over which the time of single requests is measured.
const MEASURED: u32 = 10;
/// A WebSocket message of a person: one frame of 1 KiB, masked (RFC 6455 section 5.2). The frame is not looked into on
/// its way, so what comes back is the same.
const MESSAGE: usize = 1024;

/// How many there were in how long.
pub(crate) struct Requests {
    pub(crate) count: f64,
    pub(crate) time: Duration,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: vec![0; 64 * 1024],
        }
    }

    /// One request and its whole answer.
    async fn exchange(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.unwrap();
        let mut filled = 0;
        let mut left = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert_ne!(read, 0, "the connection was closed");
            filled += read;
            if let Some(left) = left(&self.buffer[..filled]) {
                break left;
            }
        };
        while left > 0 {
            let most = left.min(self.buffer.len());
            let read = self.stream.read(&mut self.buffer[..most]).await.unwrap();
            assert_ne!(read, 0, "the connection was closed");
            left -= read;
        }
    }
}

/// How much of an answer is still to come; none if its head is not whole.
fn left(bytes: &[u8]) -> Option<usize> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(bytes).unwrap() else {
        return None;
    };
    assert_eq!(answer.code, Some(200), "{}", bytes.escape_ascii());
    let length = answer
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .unwrap();
    let length: usize = std::str::from_utf8(length.value).unwrap().parse().unwrap();
    Some(head + length - bytes.len())
}

/// As many requests as go over this many connections, each with one at a time.
pub(crate) async fn requests(
    address: SocketAddr,
    request: &Arc<[u8]>,
    connections: usize,
    time: Duration,
) -> Requests {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await);
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in open {
        let request = Arc::clone(request);
        tasks.spawn(async move {
            let mut count = 0_u32;
            while began.elapsed() < time {
                connection.exchange(&request).await;
                count += 1;
            }
            count
        });
    }
    let count: u32 = tasks.join_all().await.iter().sum();
    Requests {
        count: f64::from(count),
        time: began.elapsed(),
    }
}

/// How long requests take that come evenly. One that had to wait for the one before it counts from when it was due.
pub(crate) async fn times(
    address: SocketAddr,
    request: &Arc<[u8]>,
    pace: u32,
    time: Duration,
) -> Vec<Duration> {
    let between = Duration::from_secs(1) * MEASURED / pace;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for at in 0..MEASURED {
        let mut connection = Connection::open(address).await;
        let request = Arc::clone(request);
        tasks.spawn(async move {
            let first = Instant::now() + between * at / MEASURED;
            let mut ticks = interval_at(first, between);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut times = Vec::new();
            let mut ended = began;
            while began.elapsed() < time {
                let due = ticks.tick().await;
                // A timer wakes up to a millisecond late; that is not the gateway's.
                let from = if ended > due { due } else { Instant::now() };
                connection.exchange(&request).await;
                ended = Instant::now();
                times.push(ended - from);
            }
            times
        });
    }
    tasks.join_all().await.concat()
}

/// Open sockets.
pub(crate) struct Sockets(Vec<TcpStream>);

impl Sockets {
    pub(crate) async fn open(address: SocketAddr, handshake: &[u8], sockets: usize) -> Self {
        let mut open = Vec::new();
        for _ in 0..sockets {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            stream.write_all(handshake).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            assert!(
                head.starts_with(b"HTTP/1.1 101 "),
                "{}",
                head.escape_ascii()
            );
            open.push(stream);
        }
        Self(open)
    }

    /// As many messages as come back, each socket with one at a time.
    pub(crate) async fn echoes_a_second(&mut self, time: Duration) -> f64 {
        let mut message = vec![0x82, 0xfe];
        message.extend((MESSAGE as u16).to_be_bytes());
        message.resize(message.len() + 4 + MESSAGE, 7);
        let message: Arc<[u8]> = message.into();
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for mut stream in self.0.drain(..) {
            let message = Arc::clone(&message);
            tasks.spawn(async move {
                let mut back = vec![0; message.len()];
                let mut count = 0_u32;
                while began.elapsed() < time {
                    stream.write_all(&message).await.unwrap();
                    stream.read_exact(&mut back).await.unwrap();
                    count += 1;
                }
                (stream, count)
            });
        }
        let (open, counts): (Vec<_>, Vec<u32>) = tasks.join_all().await.into_iter().unzip();
        self.0 = open;
        f64::from(counts.iter().sum::<u32>()) / began.elapsed().as_secs_f64()
    }
}
