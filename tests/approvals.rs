//! A new user who waits for approval, as person, operator and reviewer see it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{fs, time::Duration};

use serde_json::{Value, json};
use support::{Api, Person, World, git};

/// What the command prints as JSON.
fn approvals(world: &World, arguments: &[&str]) -> Value {
    let mut command = world.command("approvals");
    let output = command.args(arguments).arg("--json").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn is_in_git(world: &World, person: &Person) -> bool {
    git(&world.repository(), &["ls-tree", "-r", "main"]).contains(&person.user)
}

async fn moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_needs_an_approval_is_told_so_and_comes_in_with_it() {
    let world = World::new();
    let dev = world.dev();
    let api = Api::of(&dev);
    let tenants = world.data().join("policy/tenants");
    fs::write(tenants.join("approvals.yaml"), "cells: [local]\n").unwrap();
    // Somebody comes in until the policy is in force.
    let mut number = 0;
    let (person, listed) = 'waits: loop {
        number += 1;
        let email = format!("p{number}@example.com");
        let person = api.sign_up(&email, "Ada").await.unwrap();
        while !is_in_git(&world, &person) {
            let listed = approvals(&world, &["list"]);
            if listed[0].is_object() {
                break 'waits (person, listed);
            }
            moment().await;
        }
    };
    assert!(!is_in_git(&world, &person));
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed:#}");
    let change = listed[0]["change"].as_str().unwrap();
    let shown = approvals(&world, &["show", change]);
    assert_eq!(shown, listed[0]);
    let asked = &shown["users"][0];
    assert_eq!(asked["user"], json!(person.user));
    let words = world
        .command("approvals")
        .args(["show", change])
        .output()
        .unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("the user is new on cell local"), "{words}");

    let (status, report) = world.verify();
    assert_eq!(status, Some(0), "who waits is no difference: {report:#}");
    assert_eq!(report[0]["awaiting"][&person.user]["change"], change);
    let workspaces = person.get("/api/v5/workspaces").await.unwrap();
    let approval = &workspaces["items"][0]["approval"];
    assert_eq!(approval["state"], "waiting", "{workspaces:#}");

    // What a reviewer merges.
    let text = format!(
        "tenant: {}\ncell: local\nreasons: [the user is new]\nusers:\n  - user: {}\n    generation: {}\n    intentHash: {}\n",
        shown["tenant"], asked["user"], asked["generation"], asked["intent_hash"],
    );
    fs::create_dir_all(tenants.join("approvals")).unwrap();
    fs::write(tenants.join(format!("approvals/{change}.yaml")), text).unwrap();
    while !is_in_git(&world, &person) {
        moment().await;
    }
    while approvals(&world, &["list"]) != json!([]) {
        moment().await;
    }
    let decided = approvals(&world, &["list", "--all"]);
    assert_eq!(decided[0]["state"]["state"], "approved", "{decided:#}");
    world.assert_verified();
    dev.stop();
}
