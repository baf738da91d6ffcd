//! A gateway with an API and an IDE, and a browser's side of the wire.

use std::{net::SocketAddr, sync::atomic::Ordering, time::Duration};

use clap::Parser;
use coditect_core::{LoginId, WorkspaceId};
use coditect_sidecar::{Config, Sidecar};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, StatusCode, body::Bytes, header::HeaderName};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    api::{Api, PROJECTED},
    ide::Ide,
};

pub(crate) const HOST: &str = "calm-lake.ws.test";
pub(crate) const ORIGIN: &str = "https://calm-lake.ws.test";
pub(crate) const COOKIE: &str = "__Host-coditect-workspace";
/// How long anything here may take before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) ide: Ide,
    pub(crate) sidecar: Sidecar,
    pub(crate) workspace: WorkspaceId,
    pub(crate) login: LoginId,
    pub(crate) folder: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let world = Self::unheard().await;
        world.until_heard().await;
        world
    }

    /// One that may not have heard of its API yet.
    pub(crate) async fn unheard() -> Self {
        Self::with_ide(Ide::start().await).await
    }

    pub(crate) async fn with_ide(ide: Ide) -> Self {
        Self::configured(ide, |_| {}).await
    }

    /// One whose configuration is another than the usual.
    pub(crate) async fn configured(ide: Ide, change: impl FnOnce(&mut Config)) -> Self {
        let workspace = WorkspaceId::random();
        let api = Api::start(workspace).await;
        let folder = TempDir::new().unwrap();
        let mut config = config(&folder, workspace, api.address, ide.address);
        change(&mut config);
        let sidecar = Sidecar::start(&config).await.unwrap();
        Self {
            api,
            ide,
            sidecar,
            workspace,
            login: LoginId::random(),
            folder,
        }
    }

    /// Until a good token is let in.
    pub(crate) async fn until_heard(&self) {
        self.until(|| async {
            let answer = self.get("/coditect/session", &self.own()).await;
            answer.status == StatusCode::OK
        })
        .await;
    }

    /// Asks again and again until it holds.
    pub(crate) async fn until<F>(&self, holds: impl FnMut() -> F)
    where
        F: Future<Output = bool>,
    {
        until(holds).await;
    }

    pub(crate) fn cookie(&self) -> String {
        format!("{COOKIE}={}", self.api.state.token(self.login))
    }

    /// What the workspace's own page sends.
    pub(crate) fn own(&self) -> Vec<(&'static str, String)> {
        vec![
            ("cookie", self.cookie()),
            ("origin", ORIGIN.to_owned()),
            ("sec-fetch-site", "same-origin".to_owned()),
        ]
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, String)]) -> Answer {
        self.send("GET", path, headers, Bytes::new()).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: impl Into<Bytes>,
    ) -> Answer {
        send(self.sidecar.address(), method, path, headers, body).await
    }

    /// Hands over a code as the page does.
    pub(crate) async fn enter(&self, code: &str) -> Answer {
        let headers = [
            ("origin", ORIGIN.to_owned()),
            ("sec-fetch-site", "same-origin".to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        let body = serde_json::json!({ "code": code }).to_string();
        self.send("POST", "/coditect/enter", &headers, body).await
    }

    /// A connection for whoever writes bytes.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.sidecar.address()).await.unwrap()
    }

    pub(crate) fn redeemed(&self) -> usize {
        self.api.state.redeemed.load(Ordering::SeqCst)
    }
}

/// Asks again and again until it holds.
pub(crate) async fn until<F>(mut holds: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let asked = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asked).await.unwrap();
}

pub(crate) fn config(
    folder: &TempDir,
    workspace: WorkspaceId,
    api: SocketAddr,
    ide: SocketAddr,
) -> Config {
    Config::parse_from(options(folder, workspace, api, ide))
}

/// The program's command line.
pub(crate) fn options(
    folder: &TempDir,
    workspace: WorkspaceId,
    api: SocketAddr,
    ide: SocketAddr,
) -> Vec<String> {
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("token"), PROJECTED).unwrap();
    for name in ["workspace", "queue"] {
        std::fs::create_dir_all(at(name)).unwrap();
    }
    vec![
        "coditect-sidecar".to_owned(),
        format!("--workspace={workspace}"),
        format!("--host={HOST}"),
        format!("--api=http://{api}"),
        format!("--ide={ide}"),
        format!("--token-file={}", at("token")),
        format!("--volume={}", at("workspace")),
        format!("--queue={}", at("queue")),
        "--listen=127.0.0.1:0".to_owned(),
        "--inside=127.0.0.1:0".to_owned(),
    ]
}

/// One request over a connection of its own.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: impl Into<Bytes>,
) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = hyper::Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", HOST);
    }
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request = request.header(name, value.as_bytes());
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let exchange = async {
        let answer = sender.send_request(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    };
    timeout(PATIENCE, exchange).await.unwrap()
}

/// Writes bytes and reads until the other side ends.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let _ = read.unwrap();
    answer
}

/// Reads the head of an answer.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
    };
    timeout(PATIENCE, read).await.unwrap();
    String::from_utf8(head).unwrap()
}
