//! A policy on a host with pull requests: what waits for an approval is opened, explained, decided and tidied there, by
//! the command itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../renderer/tests/proposals/stand_in/mod.rs"]
mod stand_in;
mod support;

use std::{fs, process::Command, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use stand_in::{Pull, StandIn, TOKEN};
use support::{Api, Person, Process, Reviewed, World, git};

async fn moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// The options of the host, with its stand-in in its place.
fn on(github: &StandIn, world: &World, command: &mut Command) {
    let token = world.folder.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    let api = format!("http://{}/api/v3", github.address);
    command
        .args(["--policy-host", "github"])
        .args(["--policy-host-repository", "acme/policy"])
        .args(["--policy-host-api", &api])
        .arg("--policy-host-token-file")
        .arg(token);
}

fn approvals(world: &World, arguments: &[&str]) -> Value {
    let mut command = world.command("approvals");
    let output = command.args(arguments).arg("--json").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The change that people are asked about, once it is told where.
async fn proposed(world: &World) -> Value {
    loop {
        let mut listed = approvals(world, &["list"]);
        let mut changes = listed.as_array_mut().unwrap().drain(..);
        if let Some(change) = changes.find(|change| change["state"]["url"].is_string()) {
            return change;
        }
        moment().await;
    }
}

/// The pull request, once its comment is there.
async fn explained(github: &StandIn) -> (Pull, String) {
    loop {
        let pull = github.open_pull();
        let comments = github.with(|state| state.comments.clone());
        if let Some(comment) = comments.values().find(|it| it.pull == pull.number) {
            return (pull, comment.text.clone());
        }
        moment().await;
    }
}

async fn ended(world: &World, change: &Value) -> String {
    loop {
        let shown = approvals(world, &["show", change["change"].as_str().unwrap()]);
        let state = shown["state"]["state"].as_str().unwrap();
        if state != "proposed" {
            return state.to_owned();
        }
        moment().await;
    }
}

fn is_in_git(world: &World, person: &Person) -> bool {
    git(&world.repository(), &["ls-tree", "-r", "main"]).contains(&person.user)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_decide_by_pull_requests() {
    let world = World::new();
    let policy = Reviewed::new(&world);
    let rule = policy.desk.join("tenants/approvals.yaml");
    fs::write(rule, "cells: [local]\n").unwrap();
    policy.commit("the cell is asked about");
    git(&policy.desk, &["push", "-q", "origin", "HEAD:main"]);
    let github = StandIn::start(policy.host.clone()).await;
    let mut command = policy.command(&world);
    on(&github, &world, &mut command);
    let log = world.folder.path().join("log");
    command
        .args(["--log", "debug,hyper=trace,hyper_util=trace"])
        .stderr(fs::File::create(&log).unwrap());
    let dev = Process::start(command);
    let api = Api::of(&dev);

    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    let change = proposed(&world).await;
    let (pull, comment) = explained(&github).await;
    let url = &change["state"]["url"];
    assert_eq!(
        *url,
        format!("https://github.example/acme/policy/pull/{}", pull.number)
    );
    let workspaces = ada.get("/api/v5/workspaces").await.unwrap();
    assert_eq!(workspaces["items"][0]["approval"]["url"], *url);
    for part in [
        "because the user is new on cell local",
        "# Namespace/user-<user>",
    ] {
        assert!(comment.contains(part), "{part} is not in {comment}");
    }
    policy.approve(&pull.head);
    while !is_in_git(&world, &ada) {
        moment().await;
    }
    assert_eq!(ended(&world, &change).await, "approved");

    let eve = api.sign_up("eve@example.com", "Eve").await.unwrap();
    let change = proposed(&world).await;
    let (pull, _) = explained(&github).await;
    github.close(pull.number);
    assert_eq!(ended(&world, &change).await, "rejected");
    assert!(!is_in_git(&world, &eve));
    while !policy.ours().is_empty() {
        moment().await;
    }
    let pulls = github.with(|state| state.pulls.len());
    assert_eq!(pulls, 2, "one each");
    world.assert_verified();

    // GitHub refuses, and repeats what it was shown.
    github.with(|state| state.tokens.clear());
    api.sign_up("late@example.com", "Late").await.unwrap();
    let said = loop {
        let answer = api.request(Method::GET, "/health").send().await.unwrap();
        let health: Value = answer.json().await.unwrap();
        let approvals = &health["parts"]["approvals"];
        if approvals["status"] == "degraded" {
            break approvals["detail"].as_str().unwrap().to_owned();
        }
        moment().await;
    };
    assert!(
        said.contains("Bad credentials: …") && said.contains("write a new one"),
        "{said}"
    );
    dev.stop();
    let log = fs::read_to_string(log).unwrap();
    assert!(
        log.contains("is not put before people"),
        "the log is written"
    );
    assert!(!log.contains(TOKEN), "the token is in the log");
}

#[tokio::test]
async fn the_options_say_what_is_missing_and_never_the_token() {
    let world = World::new();
    let policy = Reviewed::new(&world);
    let github = StandIn::start(policy.host.clone()).await;
    let mut command = world.command("config");
    command.arg("--policy-remote").arg(&policy.host);
    on(&github, &world, &mut command);
    let output = command.arg("--json").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let settings: Value = serde_json::from_str(&said).unwrap();
    let of = |name: &str| {
        let all = settings.as_array().unwrap();
        let found = all.iter().find(|setting| setting["name"] == name);
        found.map_or(Value::Null, |setting| setting["value"].clone())
    };
    assert_eq!(of("policy-host"), json!("github"));
    assert!(
        of("policy-host-token-file")
            .as_str()
            .unwrap()
            .ends_with("(contents hidden)")
    );
    assert!(!said.contains(TOKEN));

    let mut alone = world.command("dev");
    let output = alone.args(["--policy-host", "github"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    for option in [
        "--policy-remote",
        "--policy-host-repository",
        "--policy-host-token-file",
    ] {
        assert!(said.contains(option), "{said}");
    }
}
