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
    path::Path,
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use coditect_sidecar::{Config, Sidecar};
use jiff::Timestamp;
use reqwest::{
    Client, Method, Response, StatusCode,
    header::{COOKIE, HOST, ORIGIN, SET_COOKIE},
    redirect::Policy,
};
use serde_json::{Value, json};

use cluster::Cluster;
use support::{Api, Person, Process, World};

/// How long anything here may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(100);
/// What the IDE says to whoever is let through.
const GREETING: &str = "the editor";

/// A workspace's pod.
struct Door {
    sidecar: Sidecar,
    origin: String,
    client: Client,
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
        Self {
            sidecar: Sidecar::start(&config).await.unwrap(),
            origin,
            client: Client::builder().redirect(Policy::none()).build().unwrap(),
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.sidecar.address());
        let host = self.origin.split_once("://").unwrap().1;
        self.client
            .request(method, url)
            .header(HOST, host)
            .header(ORIGIN, &self.origin)
            .header("sec-fetch-site", "same-origin")
    }

    /// Hands over a code as the workspace's page does.
    async fn enter(&self, code: &str) -> Response {
        self.request(Method::POST, "/coditect/enter")
            .json(&json!({ "code": code }))
            .send()
            .await
            .unwrap()
    }

    /// What the IDE answers to whoever has this cookie.
    async fn ide(&self, cookie: &str) -> reqwest::Result<Response> {
        let request = self.request(Method::GET, "/some/file");
        request.header(COOKIE, cookie).send().await
    }

    /// Returns when this is the answer to whoever has this cookie. The gateway's first word comes from the API, and
    /// whoever is put out loses the connection first.
    async fn until(&self, status: StatusCode, cookie: &str) -> Response {
        until(status.as_str(), async || {
            let answer = self.ide(cookie).await.ok()?;
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
    let door = Door::start(&world, &cluster, &person).await;
    let connect = format!("/api/v5/workspaces/{}/connect", person.workspace);
    let way_in = async |person: &Person| -> Value {
        let (status, way) = person.send(Method::POST, &connect, None).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{way}");
        way
    };

    door.until(StatusCode::UNAUTHORIZED, "").await;
    let way = way_in(&person).await;
    assert_eq!(way["origin"], door.origin.as_str());
    let code = way["code"].as_str().unwrap();
    let entered = door.enter(code).await;
    assert_eq!(entered.status(), StatusCode::OK);
    let cookie = entered.headers()[SET_COOKIE].to_str().unwrap();
    let cookie = cookie.split_once(';').unwrap().0.to_owned();
    let answer = door.until(StatusCode::OK, &cookie).await;
    assert_eq!(answer.text().await.unwrap(), GREETING);
    assert_eq!(
        door.enter(code).await.status(),
        StatusCode::FORBIDDEN,
        "twice"
    );

    let volume = world.folder.path().join("pod/volume");
    fs::write(volume.join("first.txt"), "one").unwrap();
    until_known(&person, "first.txt").await;

    bring_back(&person, &volume).await;

    // The API dies, and comes back where it was: what happened meanwhile arrives.
    let listen = process.ready["url"].as_str().unwrap();
    let listen = listen.trim_start_matches("http://").to_owned();
    process.kill();
    fs::write(volume.join("second.txt"), "two").unwrap();
    assert_eq!(door.ide(&cookie).await.unwrap().status(), StatusCode::OK);
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
    door.until(StatusCode::UNAUTHORIZED, &cookie).await;
    process.stop();
}

/// The newest version of `chapter/notes.txt` that the API keeps, once there is one.
async fn version(person: &Person) -> Value {
    let path = format!(
        "/api/v5/workspaces/{}/files/chapter%2Fnotes.txt/snapshots",
        person.workspace
    );
    until("a version", async || {
        person.get(&path).await.ok()?["items"].get(0).cloned()
    })
    .await
}

/// What a person wrote over comes back, and what stood there is not lost: what the API has not seen stays beside.
async fn bring_back(person: &Person, volume: &Path) {
    let file = volume.join("chapter/notes.txt");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "the first thought").unwrap();
    let first = version(person).await;
    // No text: nobody but the volume has it.
    fs::write(&file, [0, 1, 2]).unwrap();
    let files = format!("/api/v5/workspaces/{}/files", person.workspace);
    until("the change", async || {
        let files = person.get(&files).await.ok()?;
        let known = files["items"]
            .as_array()?
            .iter()
            .any(|file| file["size"] == 3);
        known.then_some(())
    })
    .await;
    let id = first["id"].as_str().unwrap();
    let restore = format!("{files}/chapter%2Fnotes.txt/snapshots/{id}/restore");
    let (status, asked) = person.send(Method::POST, &restore, None).await.unwrap();
    assert_eq!(status, StatusCode::ACCEPTED, "{asked}");
    let restores = format!("/api/v5/workspaces/{}/restores", person.workspace);
    let done = until("the restore", async || {
        let restores = person.get(&restores).await.ok()?;
        let one = restores["items"][0].clone();
        (one["state"] != "waiting").then_some(one)
    })
    .await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "the first thought");
    let beside = file.with_file_name(done["beside"].as_str().unwrap());
    assert_eq!(fs::read(beside).unwrap(), [0, 1, 2]);
}
