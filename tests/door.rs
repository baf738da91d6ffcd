//! The door of a workspace's pod as people find it: the API of the program itself, and the gateway before an IDE.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the API's own tests ask for more")]
#[path = "../api/tests/api/cluster.rs"]
mod cluster;
mod support;

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

use cluster::Cluster;
use support::{Api, Person, Process, Tab, World, way_in};

/// How long anything here may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(100);
/// What the IDE says to whoever is let through.
const GREETING: &str = "the editor";

/// A workspace's pod, and a tab on it.
struct Door {
    _sidecar: Sidecar,
    tab: Tab,
}

impl Door {
    /// The pod of this person's workspace, which shows the API the token of its cluster.
    async fn start(world: &World, cluster: &Cluster, person: &Person) -> Self {
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
            &ide().to_string(),
            "--volume",
            volume.to_str().unwrap(),
            "--queue",
            queue.to_str().unwrap(),
        ]);
        let sidecar = Sidecar::start(&config).await.unwrap();
        let tab = Tab::new(person, &format!("http://{}", sidecar.address())).await;
        Self {
            _sidecar: sidecar,
            tab,
        }
    }

    /// What the IDE answers.
    async fn ide(&self) -> reqwest::Result<Response> {
        self.tab.request(Method::GET, "/some/file").send().await
    }

    /// Returns when the IDE, or the gateway in its place, answers so. The gateway's first word comes from the API, and
    /// whoever is put out loses the connection first.
    async fn until(&self, status: StatusCode) -> Response {
        until(status.as_str(), async || {
            let answer = self.ide().await.ok()?;
            (answer.status() == status).then_some(answer)
        })
        .await
    }
}

/// An IDE that answers one request a connection.
fn ide() -> SocketAddr {
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
fn api(world: &World, listen: &str) -> Process {
    let mut command = world.command("dev");
    command
        .args(["--listen", listen, "--no-rate-limits", "--runtime", "none"])
        .arg("--cell-keys")
        .arg(world.folder.path().join("cell-keys"));
    Process::start(command)
}

async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
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
async fn until_known(person: &Person, name: &str) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_person_comes_in_with_a_code_their_files_are_known_and_who_leaves_is_out() {
    let world = World::new();
    let cluster = Cluster::new("https://cluster.test");
    cluster.publish(&world.folder.path().join("cell-keys"), "local");
    let process = api(&world, "127.0.0.1:0");
    let person = Api::of(&process)
        .sign_up("ada@example.com", "Ada")
        .await
        .unwrap();
    let mut door = Door::start(&world, &cluster, &person).await;
    door.until(StatusCode::UNAUTHORIZED).await;
    let way = way_in(&person).await;
    assert_eq!(door.tab.enter(&way).await, StatusCode::OK);
    let answer = door.until(StatusCode::OK).await;
    assert_eq!(answer.text().await.unwrap(), GREETING);
    assert_eq!(door.tab.enter(&way).await, StatusCode::FORBIDDEN, "twice");

    let volume = world.folder.path().join("pod/volume");
    fs::write(volume.join("first.txt"), "one").unwrap();
    until_known(&person, "first.txt").await;

    // The API dies, and comes back where it was: what happened meanwhile arrives.
    let listen = process.ready["url"].as_str().unwrap();
    let listen = listen.trim_start_matches("http://").to_owned();
    process.kill();
    fs::write(volume.join("second.txt"), "two").unwrap();
    assert_eq!(door.ide().await.unwrap().status(), StatusCode::OK);
    let process = api(&world, &listen);
    let again = person.at(&Api::of(&process)).await;
    until_known(&again, "second.txt").await;
    until_known(&again, "first.txt").await;

    // Whoever ends the login by which somebody is in puts them out.
    let logins = again.get("/api/v5/me/logins").await.unwrap();
    let logins = logins["items"].as_array().unwrap();
    let first = logins
        .iter()
        .find(|login| login["present"] == false)
        .unwrap();
    let path = format!("/api/v5/me/logins/{}", first["id"].as_str().unwrap());
    let (status, said) = again.send(Method::DELETE, &path, None).await.unwrap();
    assert_eq!(status, StatusCode::NO_CONTENT, "{said}");
    door.until(StatusCode::UNAUTHORIZED).await;
    process.stop();
}
