//! kill -9 at random moments under load: no acknowledged sign-up is ever missing, nothing is there twice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{Api, World, git, is_linear, random, users_in};
use tokio::{
    sync::{Mutex, watch},
    task::JoinSet,
    time::sleep,
};

const KILLS: usize = 50;
const WORKERS: usize = 4;

/// What the load shares.
struct Load {
    /// The API of the process that runs now; none while it is being killed or checked.
    api: watch::Receiver<Option<Api>>,
    /// Registrations that were acknowledged.
    acknowledged: Mutex<Vec<String>>,
    over: AtomicBool,
    next: AtomicUsize,
}

/// Signs people up one after the other; each is tried under one key until it is acknowledged.
async fn work(load: Arc<Load>) {
    let mut apis = load.api.clone();
    while !load.over.load(Ordering::SeqCst) {
        let number = load.next.fetch_add(1, Ordering::SeqCst);
        let body = json!({"email": format!("p{number}@example.com"), "password": support::PASSWORD, "display_name": format!("Person {number}")});
        loop {
            let Ok(api) = apis.wait_for(Option::is_some).await.map(|api| api.clone()) else {
                return;
            };
            let Some(api) = api else { continue };
            let request = api
                .request(Method::POST, "/api/v5/auth/register")
                .header("idempotency-key", format!("key-{number}"));
            if let Ok(answer) = request.json(&body).send().await
                && answer.status() == StatusCode::ACCEPTED
                && let Ok(answer) = answer.json::<Value>().await
            {
                load.acknowledged
                    .lock()
                    .await
                    .push(answer["id"].as_str().unwrap().to_owned());
                break;
            }
            // The process is gone; the next one is asked.
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_to_kill_9() {
    let world = World::new();
    let (announce, api) = watch::channel(None);
    let load = Arc::new(Load {
        api,
        acknowledged: Mutex::default(),
        over: AtomicBool::new(false),
        next: AtomicUsize::new(0),
    });
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(work(Arc::clone(&load)));
    }
    let mut killed_mid_start = 0;
    for round in 0..=KILLS {
        let dev = world.dev();
        let api = Api::of(&dev);
        // Nobody signs up while the books are checked.
        let acknowledged = load.acknowledged.lock().await.clone();
        for registration in &acknowledged {
            let answer = api
                .request(
                    Method::GET,
                    &format!("/api/v5/auth/registrations/{registration}"),
                )
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let answer: Value = answer.json().await.unwrap();
            assert_eq!(
                answer["state"], "complete",
                "round {round}: an acknowledged sign-up is missing: {answer}"
            );
        }
        world.assert_verified();
        assert!(is_linear(&world.repository()), "round {round}");
        if round == KILLS {
            load.over.store(true, Ordering::SeqCst);
        }
        announce.send_replace(Some(api));
        if round == KILLS {
            while workers.join_next().await.is_some() {}
            world.assert_verified();
            // One user for each person, however often their sign-up was sent.
            assert_eq!(
                users_in(&world.clone()).len(),
                load.next.load(Ordering::SeqCst)
            );
            dev.stop();
            break;
        }
        sleep(Duration::from_millis(random(400))).await;
        announce.send_replace(None);
        dev.kill();
        // Now and then the next one is killed while it starts and reconciles.
        if round % 5 == 0 {
            let mut command = world.command("dev");
            command
                .args(["--listen", "127.0.0.1:0", "--runtime", "none"])
                .stdout(std::process::Stdio::null());
            let mut starting = command.spawn().unwrap();
            sleep(Duration::from_millis(random(120))).await;
            starting.kill().unwrap();
            starting.wait().unwrap();
            killed_mid_start += 1;
        }
    }
    assert!(
        killed_mid_start > 0 && load.acknowledged.lock().await.len() > KILLS,
        "there was load"
    );
    git(&world.repository(), &["fsck", "--strict", "--no-dangling"]);
}
