//! What Argo CD is told of commits, by a receiver on this machine that checks every signature.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod git_support;

use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use coditect_core::{Shard, health::Health};
use coditect_renderer::{
    git::{CHECKPOINT_FILE, CHECKPOINT_FOLDER, Published, path_of},
    webhook::{Webhook, WebhookConfig},
};
use git_support::{Cell, put, user};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::Sha256;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
};

const SECRET: &str = "a secret of the webhook";

/// Takes events; says what it is told to say, when it is let.
struct Receiver {
    address: SocketAddr,
    events: mpsc::UnboundedReceiver<Value>,
    status: Arc<AtomicU16>,
    gate: Arc<Semaphore>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let status = Arc::new(AtomicU16::new(200));
        let gate = Arc::new(Semaphore::new(1_000));
        let (answer_with, door) = (Arc::clone(&status), Arc::clone(&gate));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (sender, status, door) =
                    (sender.clone(), Arc::clone(&answer_with), Arc::clone(&door));
                let service = service_fn(move |request| {
                    take(
                        request,
                        sender.clone(),
                        Arc::clone(&status),
                        Arc::clone(&door),
                    )
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            address,
            events,
            status,
            gate,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/api/webhook", self.address)
    }

    fn say(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    async fn next(&mut self) -> Value {
        tokio::time::timeout(Duration::from_secs(60), self.events.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

async fn take(
    request: Request<Incoming>,
    sender: mpsc::UnboundedSender<Value>,
    status: Arc<AtomicU16>,
    gate: Arc<Semaphore>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    assert_eq!(head.uri.path(), "/api/webhook");
    assert_eq!(head.headers["x-github-event"], "push");
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&body);
    let shown = head.headers["x-hub-signature-256"].to_str().unwrap();
    let expected: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let status = if shown == format!("sha256={expected}") {
        status.load(Ordering::SeqCst)
    } else {
        400
    };
    if status != 400 {
        sender.send(serde_json::from_slice(&body).unwrap()).unwrap();
    }
    gate.acquire().await.unwrap().forget();
    let said = if status == 200 {
        ""
    } else {
        "HMAC verification failed"
    };
    Ok(Response::builder()
        .status(status)
        .body(Full::from(said))
        .unwrap())
}

fn config(cell: &Cell, url: &str) -> WebhookConfig {
    let secret = cell.folder.path().join("secret");
    if !secret.exists() {
        fs::write(&secret, format!("{SECRET}\n")).unwrap();
    }
    let repository = "http://git.example/local.git";
    let mut config = WebhookConfig::new("local".parse().unwrap(), url, secret, repository);
    config.first_pause = Duration::from_millis(5);
    config.longest_pause = Duration::from_millis(20);
    config
}

fn start(cell: &Cell, config: WebhookConfig) -> Webhook {
    Webhook::start(cell.repository.clone(), config, Health::default()).unwrap()
}

async fn until_told(webhook: &Webhook, published: &Published) {
    webhook
        .status()
        .wait_for(|status| status.told == Some(published.commit))
        .await
        .unwrap();
}

fn paths(event: &Value, list: &str) -> Vec<String> {
    serde_json::from_value(event["commits"][0][list].clone()).unwrap()
}

fn path(n: u128) -> String {
    path_of(Shard::of(user(n)), user(n))
}

fn checkpoint_path() -> String {
    format!("{CHECKPOINT_FOLDER}/{CHECKPOINT_FILE}")
}

fn sorted(mut paths: Vec<String>) -> Vec<String> {
    paths.sort();
    paths
}

fn spans(event: &Value, before: &Published, after: &Published) {
    assert_eq!(event["before"], before.commit.to_string());
    assert_eq!(event["after"], after.commit.to_string());
    assert_eq!(event["commits"][0]["id"], after.commit.to_string());
    assert_eq!(event["commits"].as_array().unwrap().len(), 1);
    assert_eq!(event["ref"], "refs/heads/main");
    assert_eq!(event["repository"]["html_url"], "http://git.example/local");
}

#[tokio::test]
async fn every_commit_is_told_with_exactly_the_paths_that_changed() {
    let (cell, first) = Cell::with_users(3);
    let mut receiver = Receiver::start().await;
    let webhook = start(&cell, config(&cell, &receiver.url()));
    // Nobody knows what this receiver was told before: no paths, which means everything.
    let event = receiver.next().await;
    assert_eq!(event["after"], first.commit.to_string());
    for list in ["added", "modified", "removed"] {
        assert_eq!(paths(&event, list), Vec::<String>::new());
    }
    until_told(&webhook, &first).await;
    let second = cell.commit(&first, 2, |batch| {
        assert!(put(batch, 7, 0) && put(batch, 0, 1));
        assert!(batch.remove(Shard::of(user(1)), user(1)));
    });
    webhook.published();
    let event = receiver.next().await;
    spans(&event, &first, &second);
    assert_eq!(paths(&event, "added"), [path(7)]);
    assert_eq!(
        paths(&event, "modified"),
        sorted(vec![checkpoint_path(), path(0)])
    );
    assert_eq!(paths(&event, "removed"), [path(1)]);
    // A commit that changes nobody, such as a take-over, names the checkpoint: no paths would mean everything.
    until_told(&webhook, &second).await;
    let third = cell.commit(&second, 3, |_| {});
    webhook.published();
    let event = receiver.next().await;
    spans(&event, &second, &third);
    assert_eq!(paths(&event, "modified"), [checkpoint_path()]);
}

#[tokio::test]
async fn commits_that_come_while_the_receiver_is_slow_or_down_become_one_event() {
    let (cell, first) = Cell::with_users(3);
    let mut receiver = Receiver::start().await;
    let webhook = start(&cell, config(&cell, &receiver.url()));
    receiver.next().await;
    until_told(&webhook, &first).await;
    // It takes the next event and does not answer.
    receiver.gate.forget_permits(1_000);
    let mut published = cell.commit(&first, 2, |batch| assert!(put(batch, 10, 0)));
    webhook.published();
    spans(&receiver.next().await, &first, &published);
    let second = published.clone();
    receiver.say(503);
    for n in 0..5 {
        published = cell.commit(&published, 3 + n, |batch| {
            assert!(put(batch, 20 + u128::from(n), 0));
        });
        webhook.published();
    }
    receiver.gate.add_permits(3);
    for _ in 0..2 {
        // Answered with a failure, so told again, with all there is.
        spans(&receiver.next().await, &second, &published);
    }
    webhook
        .status()
        .wait_for(|status| status.failures >= 1)
        .await
        .unwrap();
    receiver.say(200);
    receiver.gate.add_permits(1_000);
    until_told(&webhook, &published).await;
    let mut last = receiver.next().await;
    while let Ok(event) = receiver.events.try_recv() {
        last = event;
    }
    spans(&last, &second, &published);
    let added: Vec<String> = (20..25).map(path).collect();
    assert_eq!(paths(&last, "added"), sorted(added));
}

#[tokio::test]
async fn too_many_paths_are_none_which_means_all() {
    let (cell, first) = Cell::with_users(3);
    let mut receiver = Receiver::start().await;
    let mut config = config(&cell, &receiver.url());
    config.most_paths = 10;
    let webhook = start(&cell, config);
    receiver.next().await;
    until_told(&webhook, &first).await;
    let second = cell.commit(&first, 2, |batch| {
        for n in 100..110 {
            assert!(put(batch, n, 0));
        }
    });
    webhook.published();
    let event = receiver.next().await;
    spans(&event, &first, &second);
    for list in ["added", "modified", "removed"] {
        assert_eq!(paths(&event, list), Vec::<String>::new());
    }
}

/// The process ended between a commit and its event.
#[tokio::test]
async fn what_a_crash_left_untold_is_told_by_the_next_start() {
    let (cell, first) = Cell::with_users(3);
    let mut receiver = Receiver::start().await;
    let webhook = start(&cell, config(&cell, &receiver.url()));
    receiver.next().await;
    until_told(&webhook, &first).await;
    drop(webhook);
    let second = cell.commit(&first, 2, |batch| assert!(put(batch, 10, 0)));
    let third = cell.commit(&second, 3, |batch| assert!(put(batch, 11, 0)));
    let webhook = start(&cell, config(&cell, &receiver.url()));
    let event = receiver.next().await;
    spans(&event, &first, &third);
    assert_eq!(paths(&event, "added"), sorted(vec![path(10), path(11)]));
    until_told(&webhook, &third).await;
    drop(webhook);
    // Nothing is untold: the newest commit once more, so that a receiver that is gone is noticed.
    let webhook = start(&cell, config(&cell, &receiver.url()));
    spans(&receiver.next().await, &second, &third);
    drop(webhook);
    // Another receiver was told nothing.
    let mut other = Receiver::start().await;
    let _webhook = start(&cell, config(&cell, &other.url()));
    assert_eq!(paths(&other.next().await, "added"), Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_or_missing_secret_is_said_and_never_shown() {
    let (cell, first) = Cell::with_users(1);
    let receiver = Receiver::start().await;
    let config = config(&cell, &receiver.url());
    let secret: PathBuf = config.secret_file.clone();
    fs::write(&secret, "another secret").unwrap();
    let health = Health::default();
    let webhook = Webhook::start(cell.repository.clone(), config, health.clone()).unwrap();
    let problem = async |word: &str| {
        let mut status = webhook.status();
        let status = status
            .wait_for(|status| status.problem.as_ref().is_some_and(|p| p.contains(word)))
            .await
            .unwrap();
        let shown = format!("{status:?} {:?}", health.snapshot());
        assert!(
            !shown.contains("another secret") && !shown.contains(SECRET),
            "{shown}"
        );
        assert!(health.is_ready(), "commits go on");
    };
    problem("HMAC verification failed").await;
    fs::remove_file(&secret).unwrap();
    problem("cannot be read").await;
    fs::write(&secret, SECRET).unwrap();
    until_told(&webhook, &first).await;
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_the_start() {
    let (cell, _) = Cell::with_users(1);
    let start = |url: &str, ca_file: Option<&Path>| {
        let mut config = config(&cell, url);
        config.ca_file = ca_file.map(Path::to_owned);
        Webhook::start(cell.repository.clone(), config, Health::default())
            .err()
            .map(|error| error.to_string())
    };
    let garbage = cell.folder.path().join("garbage.pem");
    fs::write(&garbage, "nothing").unwrap();
    for (url, ca_file) in [
        ("not an address", None),
        ("ftp://argocd.example/api/webhook", None),
        ("https://robot:hidden@argocd.example/", None),
        ("https://argocd.example/", Some(garbage.as_path())),
        ("https://argocd.example/", Some(Path::new("missing.pem"))),
    ] {
        let said = start(url, ca_file).unwrap();
        assert!(!said.contains("hidden"), "{said}");
    }
}
