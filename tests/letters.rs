//! A sign-up that waits for its letter, by the program itself: Git holds nothing of a person who has not proved their address.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{Api, PASSWORD, Process, World, users_in};

const EMAIL: &str = "ada@example.com";
/// Reached only when what is waited for does not happen.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(50);

/// The letters, once there are any: they go their own way after the answer.
async fn letters(api: &Api) -> Vec<Value> {
    let look = async {
        loop {
            let request = api.request(Method::GET, "/dev/mailbox");
            let kept: Value = request.send().await.unwrap().json().await.unwrap();
            let kept = kept["items"].as_array().unwrap();
            if !kept.is_empty() {
                return kept.clone();
            }
            tokio::time::sleep(BETWEEN).await;
        }
    };
    tokio::time::timeout(LIMIT, look).await.unwrap()
}

async fn post(api: &Api, path: &str, body: Value) -> (StatusCode, Value) {
    let request = api.request(Method::POST, path).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn what_a_person_gets_begins_with_the_letter_that_they_followed() {
    let world = World::new();
    let mut command = world.command("dev");
    command.args(["--listen", "127.0.0.1:0", "--runtime", "none"]);
    command.args(["--verification", "email"]);
    let process = Process::start(command);
    let api = Api::of(&process);
    let (status, _) = api.register(EMAIL, "Ada").await.unwrap();
    assert_eq!(status, StatusCode::ACCEPTED);
    let sign_in = || {
        post(
            &api,
            "/api/v5/auth/login",
            json!({"email": EMAIL, "password": PASSWORD}),
        )
    };
    assert_eq!(sign_in().await.0, StatusCode::UNAUTHORIZED);
    let kept = letters(&api).await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0]["to"], EMAIL);
    let link = kept[0]["links"][0].as_str().unwrap();
    let (page, code) = link.split_once("#code=").unwrap();
    assert_eq!(page, format!("{}/verify", api.url));
    assert!(users_in(&world.clone()).is_empty());

    let (status, done) = post(&api, "/api/v5/auth/verify-email", json!({"code": code})).await;
    assert_eq!((status, &done["done"]), (StatusCode::OK, &json!("sign_up")));
    let (status, session) = sign_in().await;
    assert_eq!(status, StatusCode::OK, "{session}");
    let token = session["access_token"].as_str().unwrap();
    let committed = async {
        loop {
            let request = api.request(Method::GET, "/api/v5/workspaces");
            let answer = request.bearer_auth(token).send().await.unwrap();
            let found: Value = answer.json().await.unwrap();
            if found["items"][0]["commit"].is_string() {
                return;
            }
            tokio::time::sleep(BETWEEN).await;
        }
    };
    tokio::time::timeout(LIMIT, committed).await.unwrap();
    assert_eq!(users_in(&world.clone()).len(), 1);
    process.stop();
    world.assert_verified();
}
