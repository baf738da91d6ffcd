//! The program under load, and those who call it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// `coditect dev` in a process of its own, over an embedded store on disk.
pub(crate) struct Program {
    pub(crate) url: String,
    child: Child,
}

impl Program {
    /// Starts it on this folder and waits until it listens.
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_coditect"))
            .args(["dev", "--listen", "127.0.0.1:0", "--runtime", "none"])
            .args(["--output", "json", "--log", "error", "--no-rate-limits"])
            .arg("--data")
            .arg(data)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut text = String::new();
        let ready: Value = loop {
            text += &lines.next().expect("the program ended").unwrap();
            if let Ok(ready) = serde_json::from_str(&text) {
                break ready;
            }
        };
        Self {
            url: ready["url"].as_str().unwrap().to_owned(),
            child,
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of an installation.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) token: String,
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: url.to_owned(),
        }
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).json(body)
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> reqwest::RequestBuilder {
        self.http
            .get(format!("{}{path}", self.url))
            .bearer_auth(token)
    }

    pub(crate) fn login(&self, email: &str, password: &str) -> reqwest::RequestBuilder {
        let body = json!({ "email": email, "password": password });
        self.post("/api/v5/auth/login", &body)
    }

    pub(crate) fn register(&self, email: &str) -> reqwest::RequestBuilder {
        let body = json!({ "email": email, "password": PASSWORD, "display_name": "Ada" });
        self.post("/api/v5/auth/register", &body)
    }

    /// Signs a new person up and in.
    pub(crate) async fn person(&self) -> Person {
        let email = new_email();
        let accepted = json_of(self.register(&email)).await;
        let path = format!("{}/session", accepted["status_url"].as_str().unwrap());
        let session = json_of(self.post(&path, &json!({}))).await;
        Person {
            email,
            token: session["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// Signs so many up, some at a time.
    pub(crate) async fn people(&self, count: usize) -> Vec<Person> {
        let mut all = Vec::new();
        while all.len() < count {
            let few = (count - all.len()).min(8);
            all.extend(futures::future::join_all((0..few).map(|_| self.person())).await);
        }
        all
    }
}

/// An address that nobody had before.
pub(crate) fn new_email() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("p{number:08}-{:08x}@example.com", rand::random::<u32>())
}

/// The body of an answer that must be a success.
pub(crate) async fn json_of(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}
