//! A new user who waits for approval, as person, operator and reviewer see it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{fs, path::Path, time::Duration};

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

/// The branches that ask for approvals, in the policy folder.
fn ours(policy: &Path) -> Vec<String> {
    let arguments = [
        "for-each-ref",
        "--format=%(refname:short)",
        "refs/heads/coditect",
    ];
    git(policy, &arguments)
        .lines()
        .map(ToOwned::to_owned)
        .collect()
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
    let difference = world
        .command("approvals")
        .args(["show", change, "--diff"])
        .output()
        .unwrap();
    let difference = String::from_utf8(difference.stdout).unwrap();
    assert!(difference.starts_with(words.trim_end()), "{difference}");
    assert!(difference.contains("Namespace/user-<user>"), "{difference}");
    let difference = approvals(&world, &["show", change, "--diff"]);
    assert_eq!(difference["users"]["created"], 1, "{difference:#}");

    let (status, report) = world.verify();
    assert_eq!(status, Some(0), "who waits is no difference: {report:#}");
    assert_eq!(report[0]["awaiting"][&person.user]["change"], change);
    let workspaces = person.get("/api/v5/workspaces").await.unwrap();
    let approval = &workspaces["items"][0]["approval"];
    assert_eq!(approval["state"], "waiting", "{workspaces:#}");

    // Killed wherever it is with the branch, it finds it again.
    let policy = world.data().join("policy");
    let branch = format!("coditect/approvals/{change}");
    dev.kill();
    let dev = world.dev();
    while approvals(&world, &["list"])[0]["state"]["state"] != "proposed" {
        moment().await;
    }
    assert_eq!(ours(&policy), std::slice::from_ref(&branch));
    // The reviewer sees one new file, and merges it.
    let diff = git(&policy, &["diff", "--stat", &format!("HEAD...{branch}")]);
    assert!(
        diff.contains("1 file changed") && diff.contains(change),
        "{diff}"
    );
    git(
        &policy,
        &["merge", "-q", "--no-ff", "-m", "approved", &branch],
    );
    while !is_in_git(&world, &person) {
        moment().await;
    }
    while approvals(&world, &["list"]) != json!([]) {
        moment().await;
    }
    let decided = approvals(&world, &["list", "--all"]);
    assert_eq!(decided[0]["state"]["state"], "approved", "{decided:#}");
    while !ours(&policy).is_empty() {
        moment().await;
    }
    world.assert_verified();

    // Somebody else is declined by removing the branch, and holds up nobody; nor are people asked again.
    let api = Api::of(&dev);
    let declined = api.sign_up("declined@example.com", "Eve").await.unwrap();
    while approvals(&world, &["list"])[0]["state"]["state"] != "proposed" {
        moment().await;
    }
    let branch = ours(&policy).remove(0);
    git(&policy, &["branch", "-q", "-D", &branch]);
    while approvals(&world, &["list"])[0]["state"]["state"] != "rejected" {
        moment().await;
    }
    fs::write(tenants.join("approvals.yaml"), "plans: []\n").unwrap();
    let neighbour = loop {
        number += 1;
        let email = format!("p{number}@example.com");
        let person = api.sign_up(&email, "Grace").await.unwrap();
        for _ in 0..20 {
            moment().await;
        }
        if is_in_git(&world, &person) {
            break person;
        }
    };
    assert!(is_in_git(&world, &neighbour));
    while !is_in_git(&world, &declined) {
        // The rule is gone, and with it what was declined.
        moment().await;
    }
    dev.stop();
}
