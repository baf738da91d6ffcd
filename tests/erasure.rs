//! Fifty people go at once. Nothing of them stays on the disk, and a backup from before they went does not bring them
//! back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the API's tests use more of it")]
#[path = "../api/tests/api/cluster.rs"]
mod cluster;
mod support;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use cluster::Cluster;
use coditect_core::sidecar;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{Api, PASSWORD, Person, Process, World, every_object, git, users_in};

const GO: usize = 50;
const STAY: usize = 2;
/// How long anything may take that nobody measures here.
const PATIENCE: Duration = Duration::from_secs(120);

/// Words that only this person gave, by where they gave them.
fn words(number: usize) -> [String; 7] {
    [
        "wolkenstein", // address
        "quirina",     // name
        "halcyon",     // workspace
        "kumquat",     // session
        "obelisk",     // API key
        "zinnia",      // path of a file
        "petrichor",   // what the file holds
    ]
    .map(|word| format!("{word}-{number:03}-x"))
}

struct Installation {
    world: World,
    cluster: Cluster,
}

impl Installation {
    fn new() -> Self {
        let world = World::new();
        let cluster = Cluster::new("https://kubernetes.default.svc.cluster.local");
        cluster.publish(&world.folder.path().join("cell-keys"), "local");
        Self { world, cluster }
    }

    /// Starts it; everything that it says is kept.
    fn start(&self) -> Process {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.world.data().with_extension("log"))
            .unwrap();
        let mut command = self.world.command("dev");
        command
            .args([
                "--listen",
                "127.0.0.1:0",
                "--no-rate-limits",
                "--log",
                "debug",
            ])
            .args(["--runtime", "none", "--cell-keys"])
            .arg(self.world.folder.path().join("cell-keys"))
            .stderr(log);
        Process::start(command)
    }

    fn registry(&self, arguments: &[&str]) {
        let mut command = self.world.command("registry");
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    /// Somebody who leaves a word in every place that takes one.
    async fn person(&self, api: &Api, number: usize) -> Person {
        let [address, name, workspace, session, key, path, content] = words(number);
        let email = format!("{address}@example.com");
        let person = api.sign_up(&email, &name).await.unwrap();
        let at = format!("/api/v5/workspaces/{}", person.workspace);
        person
            .must(Method::PATCH, &at, Some(json!({ "name": workspace })))
            .await;
        let opened = json!({ "workspace": person.workspace, "state": { "tabs": [session] } });
        person
            .must(Method::POST, "/api/v5/sessions", Some(opened))
            .await;
        let wanted = json!({ "name": key });
        person
            .must(Method::POST, "/api/v5/me/api-keys", Some(wanted))
            .await;
        self.report(&person, &path, content.as_bytes()).await;
        person
    }

    /// What the gateway of the person's workspace reports of a file.
    async fn report(&self, person: &Person, path: &str, content: &[u8]) {
        let claims = self
            .cluster
            .claims(&person.user, &person.workspace, Timestamp::now());
        let mut gateway = person.clone();
        gateway.token = self.cluster.sign(&claims);
        let credential = gateway.must(Method::POST, sidecar::CREDENTIAL_PATH, None);
        credential.await["credential"]
            .as_str()
            .unwrap()
            .clone_into(&mut gateway.token);
        let hash: String = Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let event = json!({
            "kind": "written", "path": path, "at": "2026-01-01T00:00:00Z", "size": content.len(),
            "sha256": hash, "content": BASE64_STANDARD.encode(content),
        });
        let queue = uuid::Uuid::new_v4().to_string();
        let batch = json!({ "queue": queue, "number": 1, "events": [event] });
        gateway
            .must(Method::POST, sidecar::FILES_PATH, Some(batch))
            .await;
    }

    /// In which of the places, of everything on the disk, words of these people are.
    fn found(&self, people: std::ops::Range<usize>) -> Vec<(PathBuf, String)> {
        let mut places = Vec::new();
        files(&self.world.data(), &mut places);
        places.push(self.world.data().with_extension("log"));
        let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
        let mut heaps: Vec<_> = places.into_iter().map(read).collect();
        heaps.push(("git".into(), every_object(&self.world.repository())));
        let wanted: Vec<String> = people.flat_map(words).collect();
        let wanted = aho_corasick::AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&wanted)
            .unwrap();
        let mut found = Vec::new();
        for (path, heap) in heaps {
            for hit in wanted.find_iter(&heap) {
                let word = String::from_utf8_lossy(&heap[hit.range()]).into_owned();
                found.push((path.clone(), word));
            }
        }
        found
    }

    /// How many have a file in the newest commit.
    fn in_git(&self) -> usize {
        let listed = git(
            &self.world.repository(),
            &["ls-tree", "-r", "--name-only", "main", "shards"],
        );
        listed
            .lines()
            .filter(|path| path.ends_with(".yaml"))
            .count()
    }
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.is_file() {
            into.push(path);
        }
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "still waiting for {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn may_come_in(api: &Api, person: &Person) -> bool {
    let body = json!({ "email": person.email, "password": PASSWORD });
    let answer = api.request(Method::POST, "/api/v5/auth/login").json(&body);
    match answer.send().await.unwrap().status() {
        StatusCode::OK => true,
        StatusCode::UNAUTHORIZED => false,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_people_are_erased_and_no_backup_brings_them_back() {
    let installation = Installation::new();
    let world = &installation.world;
    let (objects, repository) = (world.data().join("objects"), world.repository());
    let dev = installation.start();
    let api = Api::of(&dev);
    let people: Vec<Person> = stream::iter(0..GO + STAY)
        .map(|number| installation.person(&api, number))
        .buffered(4)
        .collect()
        .await;
    until("everybody in Git", async || {
        repository.exists() && installation.in_git() == GO + STAY
    })
    .await;
    dev.stop();
    let backup = world.folder.path().join("backup.jsonl");
    installation.registry(&["export", backup.to_str().unwrap()]);
    // Every kind of word is found where it is kept, so that finding none of them means something.
    let there = installation.found(0..1);
    for word in words(0) {
        assert!(
            there.iter().any(|(_, found)| *found == word),
            "{word}: {there:?}"
        );
    }

    let dev = installation.start();
    let api = Api::of(&dev);
    let (go, stay) = people.split_at(GO);
    let receipts: Vec<Value> = stream::iter(go)
        .map(|person| async {
            let body = json!({ "password": PASSWORD, "mode": "now" });
            let person = person.at(&api).await;
            person.must(Method::DELETE, "/api/v5/me", Some(body)).await
        })
        .buffered(4)
        .collect()
        .await;
    for (receipt, person) in receipts.iter().zip(go) {
        assert_eq!(receipt["users"][0]["user_id"], person.user.as_str());
        let mut kept = receipt["kept"].as_array().unwrap().iter();
        assert!(
            kept.any(|kept| kept["what"] == "erased/{hash}"),
            "{receipt}"
        );
    }
    until("nobody of them in Git", async || {
        installation.in_git() == STAY
    })
    .await;
    until("their files' versions gone", async || {
        let mut left = Vec::new();
        files(&objects, &mut left);
        left.len() == STAY
    })
    .await;
    dev.stop();
    world.assert_verified();
    installation.registry(&["compact"]);
    assert_eq!(installation.found(0..GO), []);
    assert_ne!(installation.found(GO..GO + STAY), []);

    // The registry is lost, and the newest backup is from before.
    let lost = world.folder.path().join("lost");
    fs::create_dir(&lost).unwrap();
    for entry in fs::read_dir(world.data()).unwrap() {
        let entry = entry.unwrap();
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("registry.redb")
        {
            fs::rename(entry.path(), lost.join(entry.file_name())).unwrap();
        }
    }
    installation.registry(&["import", backup.to_str().unwrap()]);
    let back = installation.found(0..GO);
    assert!(!back.is_empty(), "the backup holds them");
    let dev = installation.start();
    let api = Api::of(&dev);
    for person in go {
        until("somebody erased again", async || {
            !may_come_in(&api, person).await
        })
        .await;
    }
    for person in stay {
        assert!(may_come_in(&api, person).await, "who stayed is here");
    }
    assert_eq!(users_in(&world.clone()).len(), STAY);
    dev.stop();
    world.assert_verified();
    installation.registry(&["check"]);
    installation.registry(&["compact"]);
    assert_eq!(installation.found(0..GO), []);
}
