//! The product as its users run it: the program itself, HTTP, and the `git` command.

#![allow(dead_code, unused_imports, reason = "each test uses what it needs")]

mod reviewed;
mod tab;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
pub(crate) use reviewed::{Reviewed, release};
use serde_json::{Value, json};
pub(crate) use tab::{Tab, way_in};
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A command of the program.
pub(crate) fn coditect() -> Command {
    Command::new(env!("CARGO_BIN_EXE_coditect"))
}

/// A running process that said it is ready. Killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) ready: Value,
}

impl Process {
    /// Starts a command and waits for the one line of JSON that says it is ready.
    pub(crate) fn start(mut command: Command) -> Self {
        command
            .args(["--output", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("not ready: {error}: {line:?}; {:?}", child.wait()));
        Self { child, ready }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// kill -9, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop in order and checks that it did.
    pub(crate) fn stop(mut self) {
        self.signal("-TERM");
        assert!(self.child.wait().unwrap().success(), "an orderly stop");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An installation in a folder of its own.
pub(crate) struct World {
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.data().join("cells/local.git")
    }

    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = coditect();
        command.arg(subcommand).arg("--data").arg(self.data());
        command
    }

    pub(crate) fn dev(&self) -> Process {
        let mut command = self.command("dev");
        command.args(["--listen", "127.0.0.1:0", "--no-rate-limits"]);
        // Hundreds of people sign up in some tests: their workspaces' road ends at the commit.
        command.args(["--runtime", "none"]);
        Process::start(command)
    }

    /// `coditect verify`, with its status and report.
    pub(crate) fn verify(&self) -> (Option<i32>, Value) {
        let output = self
            .command("verify")
            .args(["--output", "json"])
            .output()
            .unwrap();
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (output.status.code(), report)
    }

    /// Checks that registry and Git agree.
    pub(crate) fn assert_verified(&self) {
        let (status, report) = self.verify();
        assert_eq!(status, Some(0), "{report:#}");
    }

    /// A fresh clone of the cell's repository.
    pub(crate) fn clone(&self) -> PathBuf {
        let clone = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        git(
            &clone,
            &["clone", "--quiet", self.repository().to_str().unwrap(), "."],
        );
        clone
    }
}

/// A number below `end` from the operating system.
pub(crate) fn random(end: u64) -> u64 {
    let bytes = *coditect_core::RequestId::random().as_bytes();
    u64::from_le_bytes(bytes[..8].try_into().unwrap()) % end
}

/// Runs git and gives what it printed.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = git_output(folder, arguments);
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn git_output(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("git")
        .current_dir(folder)
        .args([
            "-c",
            "user.name=a person",
            "-c",
            "user.email=person@example.invalid",
            "-c",
            "safe.bareRepository=all",
        ])
        .args(arguments)
        .output()
        .unwrap()
}

/// The users whose files stand in a clone.
pub(crate) fn users_in(clone: &Path) -> Vec<String> {
    let mut users = Vec::new();
    for shard in std::fs::read_dir(clone.join("shards")).unwrap() {
        for file in std::fs::read_dir(shard.unwrap().path()).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            users.extend(name.strip_suffix(".yaml").map(ToOwned::to_owned));
        }
    }
    users.sort();
    users
}

/// Every object of a repository, decompressed, in one heap.
pub(crate) fn every_object(repository: &Path) -> Vec<u8> {
    let output = git_output(repository, &["cat-file", "--batch-all-objects", "--batch"]);
    assert!(output.status.success());
    output.stdout
}

pub(crate) fn holds(heap: &[u8], needle: &str) -> bool {
    // Plain windows() is too slow for the hundreds of megabytes of a large repository.
    let needle = needle.as_bytes();
    let mut rest = heap;
    while let Some(at) = rest.iter().position(|byte| *byte == needle[0]) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// True if the branch is one line of commits, each on the one before.
pub(crate) fn is_linear(repository: &Path) -> bool {
    git(repository, &["rev-list", "--min-parents=2", "main"]).is_empty()
        && git(repository, &["rev-list", "--max-parents=0", "main"])
            .lines()
            .count()
            == 1
}

/// Somebody who uses the API.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) api: Api,
    pub(crate) email: String,
    pub(crate) token: String,
    pub(crate) user: String,
    pub(crate) workspace: String,
}

/// The API of a running process.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) client: Client,
    pub(crate) url: String,
}

impl Api {
    pub(crate) fn of(process: &Process) -> Self {
        Self {
            client: Client::new(),
            url: process.ready["url"].as_str().unwrap().to_owned(),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Signs up; the answer is the acknowledgement.
    pub(crate) async fn register(
        &self,
        email: &str,
        name: &str,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let body = json!({"email": email, "password": PASSWORD, "display_name": name});
        let answer = self
            .request(Method::POST, "/api/v5/auth/register")
            .json(&body)
            .send()
            .await?;
        Ok((answer.status(), answer.json().await?))
    }

    /// Signs up and in.
    pub(crate) async fn sign_up(&self, email: &str, name: &str) -> reqwest::Result<Person> {
        let (status, answer) = self.register(email, name).await?;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        let session = format!(
            "/api/v5/auth/registrations/{}/session",
            answer["id"].as_str().unwrap()
        );
        let session: Value = self
            .request(Method::POST, &session)
            .send()
            .await?
            .json()
            .await?;
        let token = session["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("{session}"))
            .to_owned();
        let mut person = Person {
            api: self.clone(),
            email: email.to_owned(),
            token,
            user: String::new(),
            workspace: String::new(),
        };
        person.user = person.get("/api/v5/me").await?["user_id"]
            .as_str()
            .unwrap()
            .to_owned();
        person.workspace = person.get("/api/v5/workspaces").await?["items"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        Ok(person)
    }
}

impl Person {
    /// The same person, signed in with the password at another run of the process.
    pub(crate) async fn at(&self, api: &Api) -> Self {
        let body = json!({"email": self.email, "password": PASSWORD});
        let answer = api
            .request(Method::POST, "/api/v5/auth/login")
            .json(&body)
            .send()
            .await
            .unwrap();
        let session: Value = answer.json().await.unwrap();
        let token = session["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("{session}"))
            .to_owned();
        Self {
            api: api.clone(),
            token,
            ..self.clone()
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let mut request = self.api.request(method, path).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Result<Value> {
        let (status, answer) = self.send(Method::GET, path, None).await?;
        assert!(status.is_success(), "{path}: {status} {answer}");
        Ok(answer)
    }

    /// Does it and expects success.
    pub(crate) async fn must(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.send(method.clone(), path, body).await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }
}
