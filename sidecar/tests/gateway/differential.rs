//! Random exchanges, once straight to the IDE and once through the gateway: the IDE gets the same requests, and whoever
//! asks the same answers, but for what is documented; or a documented refusal, and then the IDE got nothing.

use std::{fmt, net::SocketAddr, time::Duration};

use hyper::HeaderMap;
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
    time::timeout,
};

use crate::{
    ide::{Got, Ide, short},
    world::{HOST, PATIENCE, World},
};

/// What the gateway takes out of a request, or says in its own words: docs/adr/0012.
const NOT_COMPARED: [&str; 9] = [
    "connection",
    "content-length",
    "cookie",
    "expect",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// How long it is waited for those who wait for more.
const WAIT: Duration = Duration::from_millis(150);

/// The refusals there are.
const REFUSALS: [u16; 10] = [400, 401, 403, 404, 405, 408, 414, 421, 431, 502];

#[derive(Clone)]
struct Exchange {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
    /// Where the bytes are cut on their way.
    cuts: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Length(Vec<u8>),
    Chunks(Vec<Vec<u8>>),
}

impl fmt::Debug for Exchange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.method, self.target)?;
        for (name, value) in &self.headers {
            write!(out, ", {name}: {}", short(value))?;
        }
        match &self.body {
            Body::None => {}
            Body::Length(body) => write!(out, ", body {}", short(body))?,
            Body::Chunks(chunks) => {
                let sizes: Vec<usize> = chunks.iter().map(Vec::len).collect();
                write!(out, ", chunks of {sizes:?} bytes")?;
            }
        }
        write!(out, ", cut at {:?}", self.cuts)
    }
}

impl Exchange {
    fn bytes(&self, own: &[(&str, String)]) -> Vec<u8> {
        let mut bytes = format!(
            "{} {} HTTP/1.1\r\nhost: {HOST}\r\n",
            self.method, self.target
        )
        .into_bytes();
        for (name, value) in own {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        for (name, value) in &self.headers {
            bytes.extend(name.bytes());
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        match &self.body {
            Body::None => bytes.extend(b"\r\n"),
            Body::Length(body) => {
                bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(body);
            }
            Body::Chunks(chunks) => {
                bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in chunks {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n\r\n");
            }
        }
        bytes
    }
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let method = prop_oneof![
        4 => prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]).prop_map(str::to_owned),
        1 => Just("HEAD".to_owned()),
        1 => "[A-Z]{3,9}".prop_filter("refused", |method| method != "CONNECT" && method != "TRACE"),
    ];
    let target = prop_oneof![
        4 => "/[A-Za-z0-9._~!$&'()*+,;=:@/-]{0,40}(%[0-9A-F]{2}){0,3}(\\?[A-Za-z0-9._~!$&'()*+,;=:@/?%{}|-]{0,40})?"
            .prop_filter("ours, or one that behaves otherwise", |target| !special(target)),
        1 => Just("/file".to_owned()),
        2 => Just("/mirror".to_owned()),
        1 => Just("/mirror?x=%00%0d%0a".to_owned()),
    ];
    let name = "x-[a-z0-9!#$%&'*+.^_`|~-]{1,20}".prop_filter("taken out", |name| {
        ![
            "x-forwarded",
            "x-original",
            "x-rewrite",
            "x-real",
            "x-client",
            "x-cluster",
            "x-host",
        ]
        .iter()
        .any(|claimed| name.starts_with(claimed))
    });
    // Visible characters and obs-text (RFC 9110 section 5.5), with blanks inside.
    let value = prop::collection::vec(
        prop_oneof![0x21_u8..0x7f, 0x80_u8..=0xff, Just(b' '), Just(b'\t')],
        0..40,
    )
    .prop_map(|value| value.trim_ascii().to_vec());
    let bytes = || {
        prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 0..200),
            1 => prop::collection::vec(any::<u8>(), 10_000..100_000),
        ]
    };
    let body = prop_oneof![
        2 => Just(Body::None),
        2 => bytes().prop_map(Body::Length),
        2 => prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3_000), 0..8).prop_map(Body::Chunks),
    ];
    let cuts = prop::collection::vec(0_usize..4_000, 0..6);
    (
        method,
        target,
        prop::collection::vec((name, value), 0..8),
        body,
        cuts,
    )
        .prop_map(|(method, target, headers, body, cuts)| Exchange {
            method,
            target,
            headers,
            body,
            cuts,
        })
}

fn special(target: &str) -> bool {
    [
        "/coditect/",
        "/health",
        "/socket",
        "/sink",
        "/drip",
        "/evil",
        "/switch",
    ]
    .iter()
    .any(|path| target.starts_with(path))
}

/// One answer, in parts that can be compared.
#[derive(PartialEq)]
struct Answered {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl fmt::Debug for Answered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.status)?;
        for (name, value) in &self.headers {
            write!(out, ", {name}: {}", short(value))?;
        }
        write!(out, ", body {}", short(&self.body))
    }
}

/// Writes the bytes in pieces, and reads answers until the connection ends.
async fn speak(address: SocketAddr, bytes: &[u8], cuts: &[usize]) -> Vec<u8> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let write = async {
        let mut rest = bytes;
        for cut in cuts {
            let (piece, later) = rest.split_at((*cut).min(rest.len()));
            if writing.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
            rest = later;
        }
        let _ = writing.write_all(rest).await;
    };
    let read = async {
        let mut answer = Vec::new();
        let _ = reading.read_to_end(&mut answer).await;
        answer
    };
    let both = async { tokio::join!(write, read).1 };
    timeout(PATIENCE, both).await.unwrap()
}

/// Takes an answer apart, with a parser that is not ours.
fn parse(mut bytes: &[u8], is_head: bool) -> Option<Answered> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = answer.parse(bytes).ok()? else {
        return None;
    };
    bytes = &bytes[length..];
    let find = |name: &str| {
        answer
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
    };
    let body = if is_head {
        bytes.to_vec()
    } else if find("transfer-encoding").is_some() {
        let mut body = Vec::new();
        loop {
            let httparse::Status::Complete((at, size)) = httparse::parse_chunk_size(bytes).ok()?
            else {
                return None;
            };
            let size = usize::try_from(size).ok()?;
            let chunk = bytes.get(at..at + size)?;
            body.extend(chunk);
            bytes = bytes.get(at + size + 2..)?;
            if size == 0 {
                break body;
            }
        }
    } else {
        let length = find("content-length")?;
        let length: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
        bytes.get(..length)?.to_vec()
    };
    let documented = [
        "connection",
        "content-security-policy",
        "date",
        // A mirrored body is sent as it came; how it is framed is each hop's own.
        "transfer-encoding",
        "content-length",
    ];
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), header.value.to_vec()))
        .filter(|(name, _)| !documented.contains(&name.as_str()))
        .collect();
    headers.sort();
    Some(Answered {
        status: answer.code?,
        headers,
        body,
    })
}

fn comparable(got: Vec<Got>) -> Vec<Got> {
    got.into_iter()
        .map(|mut got| {
            let mut headers = HeaderMap::new();
            for (name, value) in &got.headers {
                if !NOT_COMPARED.contains(&name.as_str()) {
                    headers.append(name.clone(), value.clone());
                }
            }
            got.headers = headers;
            got
        })
        .collect()
}

struct Pair {
    runtime: Runtime,
    world: World,
}

impl Pair {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let world = runtime.block_on(async {
            let world = World::with_ide(Ide::patient().await).await;
            world.until_heard().await;
            world
        });
        Self { runtime, world }
    }

    /// What the IDE got and what came back: straight, and through the gateway.
    fn both(&self, bytes: &[u8], cuts: &[usize]) -> [(Vec<Got>, Vec<u8>); 2] {
        [self.world.ide.address, self.world.sidecar.address()].map(|address| {
            let answer = self.runtime.block_on(speak(address, bytes, cuts));
            let got = std::mem::take(&mut *self.world.ide.state.got.lock().unwrap());
            (comparable(got), answer)
        })
    }
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn what_is_well_formed_is_the_same_through_the_gateway() {
    let pair = Pair::new();
    TestRunner::new(cases(2_000))
        .run(&exchange(), |exchange| {
            let mut own = pair.world.own();
            own.push(("connection", "close".to_owned()));
            let bytes = exchange.bytes(&own);
            let [(straight, answer), (through, other)] = pair.both(&bytes, &exchange.cuts);
            prop_assert_eq!(straight, through);
            let is_head = exchange.method == "HEAD";
            let (answer, other) = (parse(&answer, is_head), parse(&other, is_head));
            prop_assert!(
                answer.as_ref().is_some_and(|answer| answer.status < 400),
                "straight: {:?}",
                answer
            );
            prop_assert_eq!(answer, other);
            Ok(())
        })
        .unwrap();
}

#[test]
fn several_requests_on_one_connection_stay_apart() {
    let pair = Pair::new();
    // A body that its reader leaves unread ends the connection, with or without us.
    let read = exchange().prop_filter("its body is left unread", |exchange| {
        exchange.method != "HEAD" || !exchange.target.starts_with("/mirror")
    });
    let exchanges = prop::collection::vec(read, 2..6);
    TestRunner::new(cases(400))
        .run(&exchanges, |exchanges| {
            let own = pair.world.own();
            let mut bytes = Vec::new();
            for exchange in &exchanges {
                bytes.extend(exchange.bytes(&own));
            }
            let mut last = own;
            last.push(("connection", "close".to_owned()));
            bytes.extend(format!("GET /last HTTP/1.1\r\nhost: {HOST}\r\n").bytes());
            for (name, value) in &last {
                bytes.extend(format!("{name}: {value}\r\n").bytes());
            }
            bytes.extend(b"\r\n");
            let [(straight, _), (through, _)] = pair.both(&bytes, &exchanges[0].cuts);
            prop_assert_eq!(&straight, &through);
            prop_assert_eq!(&through.last().unwrap().target, "/last");
            Ok(())
        })
        .unwrap();
}

/// Bytes that were damaged on the way: whatever they mean now, the IDE gets nothing through the gateway that it would
/// not have got without it.
#[test]
fn what_is_malformed_is_the_same_or_refused() {
    let pair = Pair::new();
    let damage = prop::collection::vec(
        (
            any::<prop::sample::Index>(),
            prop_oneof![
                Just(b"\r\n".to_vec()),
                Just(b"\n".to_vec()),
                Just(b"\r".to_vec()),
                Just(b"\0".to_vec()),
                Just(b" ".to_vec()),
                Just(b":".to_vec()),
                Just(b",".to_vec()),
                Just(b"\r\n\r\n".to_vec()),
                Just(b"\r\ntransfer-encoding: chunked".to_vec()),
                Just(b"\r\ncontent-length: 3".to_vec()),
                Just(b"\r\nconnection: upgrade\r\nupgrade: h2c".to_vec()),
                Just(
                    format!("\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: {HOST}\r\n\r\n").into_bytes()
                ),
                prop::collection::vec(any::<u8>(), 0..4),
            ],
            0_usize..3,
        ),
        1..4,
    );
    let mut runner = TestRunner::new(cases(600));
    runner
        .run(&(exchange(), damage), |(exchange, damage)| {
            let mut own = pair.world.own();
            own.push(("connection", "close".to_owned()));
            let mut bytes = exchange.bytes(&own);
            for (at, insert, remove) in damage {
                let at = at.index(bytes.len());
                let end = (at + remove).min(bytes.len());
                bytes.splice(at..end, insert);
            }
            let [(straight, answer), (through, other)] =
                [pair.world.ide.address, pair.world.sidecar.address()].map(|address| {
                    let answer = pair.runtime.block_on(ask_and_hang_up(address, &bytes));
                    let got = std::mem::take(&mut *pair.world.ide.state.got.lock().unwrap());
                    (comparable(got), answer)
                });
            // The same requests, or fewer of them: a refusal ends the connection or stands in one's place.
            let mut left = straight.iter();
            for got in &through {
                prop_assert!(
                    left.any(|one| one == got),
                    "only through the gateway: {got:?}"
                );
            }
            let statuses = statuses(&other.bytes);
            if through.len() < straight.len() && !other.hung_up {
                let is_refused = statuses.iter().any(|status| REFUSALS.contains(status));
                prop_assert!(is_refused || statuses.is_empty(), "{statuses:?}");
            } else if through.len() == 1 && straight.len() == 1 && statuses.len() == 1 {
                let is_head = through[0].method == hyper::Method::HEAD;
                let (answer, other) = (parse(&answer.bytes, is_head), parse(&other.bytes, is_head));
                prop_assert_eq!(answer, other);
            }
            Ok(())
        })
        .unwrap();
}

fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    text.match_indices("HTTP/1.1 ")
        .filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok())
        .collect()
}

struct Asked {
    bytes: Vec<u8>,
    hung_up: bool,
}

/// Writes everything and reads what there is to read. Damaged bytes may announce more than there is: whoever waits for
/// it is told, after a while, that no more comes.
async fn ask_and_hang_up(address: SocketAddr, bytes: &[u8]) -> Asked {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let mut answer = Vec::new();
    let asked = async {
        let write = async {
            let _ = writing.write_all(bytes).await;
        };
        let read = async {
            let _ = reading.read_to_end(&mut answer).await;
        };
        tokio::join!(write, read);
    };
    let hung_up = timeout(WAIT, asked).await.is_err();
    if hung_up {
        let _ = writing.shutdown().await;
        let rest = reading.read_to_end(&mut answer);
        let _ = timeout(PATIENCE, rest).await.unwrap();
    }
    Asked {
        bytes: answer,
        hung_up,
    }
}
