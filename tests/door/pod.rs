//! A gateway of the program before an IDE of the test.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use coditect_sidecar::{Config, Sidecar};
use jiff::Timestamp;
use reqwest::{Method, Response, StatusCode};

use crate::{
    cluster::Cluster,
    support::{Person, Process, Tab, World},
};

/// How long anything here may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_millis(100);
/// What the IDE says to whoever is let through.
pub(crate) const GREETING: &str = "the editor";

/// A workspace's pod, and a tab on it.
pub(crate) struct Door {
    sidecar: Sidecar,
    pub(crate) tab: Tab,
}

impl Door {
    /// The pod of this person's workspace before this IDE, which shows the API the token of its cluster.
    pub(crate) async fn start(
        world: &World,
        cluster: &Cluster,
        person: &Person,
        ide: SocketAddr,
    ) -> Self {
        let folder = world.folder.path().join("pod");
        let (volume, queue) = (folder.join("volume"), folder.join("queue"));
        fs::create_dir_all(&volume).unwrap();
        fs::create_dir_all(&queue).unwrap();
        let token = cluster.claims(&person.user, &person.workspace, Timestamp::now());
        fs::write(folder.join("token"), cluster.sign(&token)).unwrap();
        let workspace = person
            .get(&format!("/api/v5/workspaces/{}", person.workspace))
            .await
            .unwrap();
        let address = workspace["url"].as_str().unwrap();
        let origin = address.trim_end_matches('/').to_owned();
        let host = origin.split_once("://").unwrap().1;
        let host = host.split_once(':').map_or(host, |(name, _)| name);
        let config = Config::parse_from([
            "coditect-sidecar",
            "--workspace",
            &person.workspace,
            "--host",
            host,
            "--origin",
            &origin,
            "--api",
            &person.api.url,
            "--token-file",
            folder.join("token").to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--inside",
            "127.0.0.1:0",
            "--ide",
            &ide.to_string(),
            "--volume",
            volume.to_str().unwrap(),
            "--queue",
            queue.to_str().unwrap(),
        ]);
        let sidecar = Sidecar::start(&config).await.unwrap();
        let tab = Tab::new(person, &format!("http://{}", sidecar.address())).await;
        Self { sidecar, tab }
    }

    /// Where the gateway listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.sidecar.address()
    }

    /// What the IDE answers.
    pub(crate) async fn ide(&self) -> reqwest::Result<Response> {
        self.tab.request(Method::GET, "/some/file").send().await
    }

    /// Returns when the IDE, or the gateway in its place, answers so. The gateway's first word comes from the API, and
    /// whoever is put out loses the connection first.
    pub(crate) async fn until(&self, status: StatusCode) -> Response {
        until(status.as_str(), async || {
            let answer = self.ide().await.ok()?;
            (answer.status() == status).then_some(answer)
        })
        .await
    }
}

/// An IDE that answers one request a connection.
pub(crate) fn greeter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let length = GREETING.len();
            let _ = write!(
                connection,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{GREETING}"
            );
        }
    });
    address
}

/// The API on an address that it keeps, with what the cluster of its cell publishes.
pub(crate) fn api(world: &World, listen: &str) -> Process {
    let mut command = world.command("dev");
    command
        .args(["--listen", listen, "--no-rate-limits", "--runtime", "none"])
        .arg("--cell-keys")
        .arg(world.folder.path().join("cell-keys"));
    Process::start(command)
}

pub(crate) async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Returns when the API knows a file of this name.
pub(crate) async fn until_known(person: &Person, name: &str) {
    let path = format!("/api/v5/workspaces/{}/files", person.workspace);
    until(name, async || {
        let files = person.get(&path).await.ok()?;
        let known = files["items"]
            .as_array()?
            .iter()
            .any(|file| file["path"] == name);
        known.then_some(())
    })
    .await;
}
