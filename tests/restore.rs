//! The registry is lost: what Git holds of it comes back, and nothing that Git holds is harmed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{collections::BTreeSet, fs, process::Output};

use coditect_core::{CellName, Power};
use coditect_registry::{Registry, record::PowerCause, store::embedded::EmbeddedStore};
use reqwest::Method;
use serde_json::{Value, json};
use support::{Api, World, git, users_in};

const PEOPLE: usize = 12;

fn restore(world: &World, arguments: &[&str]) -> Output {
    let mut command = support::coditect();
    command.args(["restore", "registry", "--cell", "local", "--data"]);
    command.arg(world.data()).args(arguments).output().unwrap()
}

fn restored(world: &World, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = restore(world, &[arguments, &["--output", "json"]].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code(), report)
}

fn head(world: &World) -> String {
    git(&world.repository(), &["rev-parse", "main"])
        .trim()
        .to_owned()
}

/// The tree of everybody's files.
fn shards(world: &World) -> String {
    git(&world.repository(), &["rev-parse", "main:shards"])
}

fn lose_the_registry(world: &World) {
    fs::remove_file(world.data().join("registry.redb")).unwrap();
}

/// Signs people up; some buy more, some have two workspaces, one leaves, one erases a workspace.
async fn live(api: &Api) -> (BTreeSet<String>, String) {
    let mut stay = BTreeSet::new();
    let mut leaver = String::new();
    for number in 0..PEOPLE {
        let email = format!("p{number}@example.com");
        let person = api.sign_up(&email, "Ada").await.unwrap();
        let password = json!({"password": support::PASSWORD});
        if number % 3 == 1 {
            let plan = json!({"plan": "starter"});
            person
                .must(Method::PUT, "/api/v5/tenant/plan", Some(plan))
                .await;
            let name = json!({"name": "second"});
            let second = person
                .must(Method::POST, "/api/v5/workspaces", Some(name))
                .await;
            if number == 4 {
                let erase = format!(
                    "/api/v5/workspaces/{}/erase",
                    second["id"].as_str().unwrap()
                );
                person
                    .must(Method::POST, &erase, Some(password.clone()))
                    .await;
            }
        }
        if number == 5 {
            let body = json!({"password": support::PASSWORD, "mode": "now"});
            person.must(Method::DELETE, "/api/v5/me", Some(body)).await;
            leaver = person.user;
        } else {
            stay.insert(person.user);
        }
    }
    (stay, leaver)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_registry_comes_back_from_git_with_everything_off() {
    let world = World::new();
    let dev = world.dev();
    let (stay, leaver) = live(&Api::of(&dev)).await;
    world.assert_verified();
    dev.stop();
    let (before, commit) = (shards(&world), head(&world));
    // The newest commit in which the leaver was still there.
    let log = git(&world.repository(), &["log", "--format=%H", "main"]);
    let old = log.lines().find(|commit| {
        git(
            &world.repository(),
            &["ls-tree", "-r", "--name-only", commit],
        )
        .contains(&leaver)
    });
    let old = old.unwrap().to_owned();
    lose_the_registry(&world);

    let (status, report) = restored(&world, &[]);
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(report["adopted"], stay.len());
    assert_eq!(report["commit"], commit.as_str());
    assert_eq!(report["refused"], json!({}));
    world.assert_verified();

    // Once more, and from an old commit: nobody twice, nobody back from the dead.
    let (status, report) = restored(&world, &["--commit", &old]);
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(
        (&report["adopted"], &report["deleted"]),
        (&json!(0), &json!([leaver]))
    );
    let then = git(
        &world.repository(),
        &["ls-tree", "-r", "--name-only", &old, "shards"],
    );
    let then = then.lines().filter(|path| path.ends_with(".yaml")).count();
    assert_eq!(
        report["already_there"],
        then - 1,
        "all of then but the leaver"
    );
    world.assert_verified();

    // Everything is off, and says why.
    let store = EmbeddedStore::open(world.data().join("registry.redb")).unwrap();
    let registry = Registry::open(store).await.unwrap();
    let cell: CellName = "local".parse().unwrap();
    let (runtimes, more) = registry
        .view()
        .await
        .unwrap()
        .runtimes_after(&cell, None, 1_000)
        .await
        .unwrap();
    assert!(!more);
    let users: BTreeSet<String> = runtimes
        .iter()
        .map(|one| one.row.intent.user.to_string())
        .collect();
    assert_eq!(users, stay);
    let workspaces: Vec<_> = runtimes.iter().flat_map(|one| &one.workspaces).collect();
    assert_eq!(
        workspaces.len(),
        stay.len() + 3,
        "second ones, but the erased"
    );
    for workspace in workspaces {
        assert_eq!(workspace.power.power, Power::Off);
        assert_eq!(workspace.power.cause, PowerCause::Restored);
    }
    drop(registry);

    // A renderer takes over and destroys nothing; life goes on.
    let dev = world.dev();
    world.assert_verified();
    assert_eq!(
        shards(&world),
        before,
        "not a byte of anybody's file changed"
    );
    let since = git(
        &world.repository(),
        &["log", "--format=%b", &format!("{commit}..main")],
    );
    for line in since
        .lines()
        .filter(|line| line.starts_with("Coditect-Deleted"))
    {
        assert!(line.ends_with(": 0"), "{since}");
    }
    let late = Api::of(&dev)
        .sign_up("p0@example.com", "Ada")
        .await
        .unwrap();
    world.assert_verified();
    assert_eq!(users_in(&world.clone()).len(), stay.len() + 1);
    assert!(!stay.contains(&late.user));
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_counts_only_if_it_renders_the_file() {
    let world = World::new();
    let dev = world.dev();
    let api = Api::of(&dev);
    let mut users = Vec::new();
    for number in 0..3 {
        users.push(
            api.sign_up(&format!("p{number}@example.com"), "Ada")
                .await
                .unwrap()
                .user,
        );
    }
    world.assert_verified();
    dev.stop();
    // Somebody gives the first a larger plan by hand, and sets the second one's quota.
    let clone = world.clone();
    for (user, from, to) in [
        (
            &users[0],
            "\\\"plan\\\":\\\"free\\\"",
            "\\\"plan\\\":\\\"pro\\\"",
        ),
        (
            &users[1],
            "services.nodeports: \"0\"",
            "services.nodeports: \"7\"",
        ),
    ] {
        let file = git(&clone, &["ls-files", &format!("shards/*/{user}.yaml")]);
        let file = clone.join(file.trim());
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
    }
    git(&clone, &["commit", "-qam", "by hand"]);
    git(&clone, &["push", "-q", "origin", "HEAD:main"]);
    lose_the_registry(&world);
    let (status, report) = restored(&world, &[]);
    assert_eq!(status, Some(3), "{report:#}");
    assert_eq!(report["adopted"], 1);
    for user in &users[..2] {
        assert_eq!(
            report["refused"][user],
            "the file is not what its intent renders"
        );
    }
    let text = String::from_utf8(restore(&world, &[]).stdout).unwrap();
    assert!(
        text.contains("already there") && text.contains(&users[0]),
        "{text}"
    );
    assert!(!text.contains("switched off"), "nobody was adopted: {text}");

    // The commit before that is the renderer's own: from there both come back.
    let own = git(&world.repository(), &["rev-parse", "main~1"]);
    let output = restore(&world, &["--commit", own.trim()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("accounts without credential"), "{text}");
    // What was done by hand is put right by the next renderer.
    let dev = world.dev();
    world.assert_verified();
    assert_eq!(users_in(&world.clone()).len(), 3);
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_gone_is_said_and_proves_nothing() {
    let world = World::new();
    let dev = world.dev();
    Api::of(&dev)
        .sign_up("ada@example.com", "Ada")
        .await
        .unwrap();
    world.assert_verified();
    dev.stop();
    lose_the_registry(&world);
    let policy = world.data().join("policy");

    // Its history is lost, its files are not: they still prove what they render.
    fs::remove_dir_all(policy.join(".git")).unwrap();
    let output = restore(&world, &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(
        !world.data().join("registry.redb").exists(),
        "nothing was made"
    );
    git(&policy, &["init", "-q", "-b", "main"]);
    git(&policy, &["add", "-A"]);
    git(&policy, &["commit", "-qm", "another history"]);
    let (status, report) = restored(&world, &[]);
    assert_eq!(
        (status, &report["adopted"]),
        (Some(0), &json!(1)),
        "{report:#}"
    );
    assert!(
        report["notes"][0]
            .as_str()
            .unwrap()
            .contains("cannot be used"),
        "{report:#}"
    );

    // Another policy renders another file.
    lose_the_registry(&world);
    let defaults = policy.join("tenants/plans/free.yaml");
    let text = fs::read_to_string(&defaults).unwrap();
    fs::write(&defaults, text.replace("memoryMib: ", "memoryMib: 1")).unwrap();
    git(&policy, &["commit", "-qam", "other pods"]);
    let (status, report) = restored(&world, &[]);
    assert_eq!(
        (status, &report["adopted"]),
        (Some(3), &json!(0)),
        "{report:#}"
    );
}
