//! A policy on a Git host: everything that happens to a fleet is proposed, planned, merged, rolled out and taken back
//! there, and told by its `git log` alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{fs, process::Output, time::Duration};

use coditect_core::{CellName, Phase, RequestId, UserId};
use coditect_registry::{
    Registry,
    operation::{NoteCell, NoteStatus},
    record::{CellState, Status},
    store::remote::RemoteStore,
};
use coditect_renderer::policy::ring_number;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use support::{Api, Person, Reviewed, World, git, release};

const RINGS: &str = "# Half of all first.\nrings:\n  - name: canary # the brave\n    below: 5000\n    release: v1\n    engine: 1\n  - {name: everyone, below: 10000, release: v1, engine: 1}\n";

/// What the test looks at between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

fn run(world: &World, arguments: &[&str]) -> Output {
    let mut command = world.command("rollout");
    command.args(arguments).args(["--output", "json"]);
    command.output().unwrap()
}

fn must(world: &World, arguments: &[&str]) -> Value {
    let output = run(world, arguments);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {output:?}"))
}

fn refused(world: &World, arguments: &[&str]) -> String {
    let output = run(world, arguments);
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn in_canary(person: &Person) -> bool {
    ring_number(person.user.parse::<UserId>().unwrap()) < 5_000
}

/// The release that rendered the person's file, as Git has it.
fn release_of(world: &World, person: &Person) -> String {
    let listed = git(
        &world.repository(),
        &["ls-tree", "-r", "--name-only", "main"],
    );
    let path = listed
        .lines()
        .find(|line| line.contains(&person.user))
        .unwrap();
    let file = git(&world.repository(), &["show", &format!("main:{path}")]);
    let line = file
        .lines()
        .find(|line| line.contains("coditect.ai/release:"));
    line.unwrap().trim().replace('"', "")
}

/// The policy's commits for a release, the oldest first: what each did to which rings.
fn steps(policy: &Reviewed, release: &str) -> Vec<String> {
    let log = git(
        &policy.host,
        &[
            "log",
            "main",
            "--reverse",
            &format!("--grep=^Coditect-Rollout: {release}$"),
            "--format=%(trailers:key=Coditect-Step,valueonly,separator=%x2C) %(trailers:key=Coditect-Ring,valueonly,separator=%x2C)",
        ],
    );
    log.lines().map(ToOwned::to_owned).collect()
}

/// The health board, once `is` holds of it.
async fn health(api: &Api, is: impl Fn(&Value) -> bool) {
    loop {
        let answer = api.request(Method::GET, "/health").send().await.unwrap();
        if is(&answer.json::<Value>().await.unwrap()["parts"]) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the host's newest commit is in force.
async fn in_force(api: &Api, policy: &Reviewed) {
    let newest = git(&policy.host, &["rev-parse", "main"]);
    let said = format!("policy {} is in force", newest.trim());
    health(api, |parts| parts["policy"]["detail"] == said.as_str()).await;
}

fn is_in_git(world: &World, person: &Person) -> bool {
    git(&world.repository(), &["ls-tree", "-r", "main"]).contains(&person.user)
}

async fn comes_in(world: &World, person: &Person) {
    while !is_in_git(world, person) {
        tokio::time::sleep(PAUSE).await;
    }
}

/// The one branch that asks for an approval, once there is one other than `known`.
async fn asked(policy: &Reviewed, known: &[String]) -> String {
    loop {
        let ours = policy.ours();
        if let Some(branch) = ours.into_iter().find(|branch| !known.contains(branch)) {
            return branch;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the registry knows that a branch asks.
async fn proposed(world: &World, branch: &str) {
    loop {
        let listed = world.command("approvals").args(["list", "--json"]).output();
        if String::from_utf8(listed.unwrap().stdout)
            .unwrap()
            .contains(branch)
        {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How the change of a branch ended.
async fn ended(world: &World, branch: &str) -> String {
    loop {
        let mut command = world.command("approvals");
        let output = command.args(["list", "--all", "--json"]).output().unwrap();
        let all: Value = serde_json::from_slice(&output.stdout).unwrap();
        let change = branch.rsplit('/').next().unwrap();
        let all = all.as_array().unwrap();
        let found = all.iter().find(|one| one["change"] == change).unwrap();
        let state = found["state"]["state"].as_str().unwrap();
        if !["waiting", "proposed"].contains(&state) {
            return state.to_owned();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn registry(world: &World) -> Registry {
    let store = RemoteStore::connect(world.data().join("registry.sock"));
    Registry::open(store.await.unwrap()).await.unwrap()
}

/// What an observer tells.
async fn seen(registry: &Registry, people: &[&Person], phase: Phase) {
    let cell: CellName = "local".parse().unwrap();
    let at = Timestamp::now();
    let status = |person: &&Person| {
        let status = Status {
            phase,
            since: at,
            reason: None,
            generation: 1,
            steps: Vec::new(),
            notices: Vec::new(),
        };
        let (user, workspace) = (person.user.parse(), person.workspace.parse());
        (user.unwrap(), workspace.unwrap(), status)
    };
    let note = NoteStatus {
        cell: cell.clone(),
        statuses: people.iter().map(status).collect(),
        at,
    };
    registry.apply(RequestId::random(), &note).await.unwrap();
    let state = CellState {
        held: false,
        scales_wrong: 0,
        workspaces: 0,
        ready: 0,
        connected: true,
        argocd_unreachable: None,
        at,
    };
    let note = NoteCell { cell, state, at };
    registry.apply(RequestId::random(), &note).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_the_policy_tells_how_releases_went() {
    let world = World::new();
    let policy = Reviewed::new(&world);
    let dev = policy.dev(&world);
    let api = Api::of(&dev);
    let mut people: Vec<Person> = Vec::new();
    while !people.iter().any(in_canary) || people.iter().all(in_canary) {
        let email = format!("p{}@example.com", people.len());
        people.push(api.sign_up(&email, "Ada").await.unwrap());
    }
    let everyone: Vec<&Person> = people.iter().collect();
    let canary: Vec<&Person> = people.iter().filter(|one| in_canary(one)).collect();
    let plan = policy.merged(&world, "two rings and a release", |desk| {
        fs::write(desk.join("tenants/rings.yaml"), RINGS).unwrap();
        release(desk, "v2", "v1");
    });
    // Namespaces say the name of the ring; nobody gets another pod.
    assert_eq!(plan["users"]["total"], people.len(), "{plan:#}");
    let pods = &plan["workspaces"];
    assert_eq!(pods["restart_at_next_start"], 0, "{plan:#}");
    assert_eq!(pods["end_at_once"], 0, "{plan:#}");
    in_force(&api, &policy).await;

    let unknown = refused(&world, &["start", "v9"]);
    assert!(unknown.contains("it has: v1, v2"), "{unknown}");
    let equal = refused(&world, &["start", "v1"]);
    assert!(equal.contains("every ring runs `v1` already"), "{equal}");
    let none = refused(&world, &["pause"]);
    assert!(none.contains("rollout start RELEASE"), "{none}");
    let at_once = ["--ring-soak", "0s", "--patience", "0s"];
    let started = must(&world, &[&["start", "v2"][..], &at_once].concat());
    assert_eq!(started["state"], "advancing", "{started}");
    let other = refused(&world, &["start", "v2"]);
    assert!(other.contains("under way"), "{other}");
    let known = registry(&world).await;
    loop {
        seen(&known, &everyone, Phase::Ready).await;
        let status = must(&world, &["status"]);
        if status["state"] == "done" {
            assert_eq!(status["rings"][1]["verdict"], "has it", "{status}");
            break;
        }
        assert_eq!(status["state"], "advancing", "{status}");
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(steps(&policy, "v2"), ["promote canary", "promote everyone"]);
    for person in &people {
        assert_eq!(release_of(&world, person), "coditect.ai/release: v2");
    }
    let rings = policy.file("tenants/rings.yaml");
    assert_eq!(rings, RINGS.replace("release: v1", "release: v2"));

    // The next one fails in the canary, and the process is killed meanwhile.
    policy.merged(&world, "another release", |desk| release(desk, "v3", "v2"));
    in_force(&api, &policy).await;
    must(
        &world,
        &["start", "v3", "--ring-soak", "1h", "--patience", "0s"],
    );
    while release_of(&world, canary[0]) != "coditect.ai/release: v3" {
        seen(&known, &everyone, Phase::Ready).await;
        tokio::time::sleep(PAUSE).await;
    }
    drop(known);
    dev.kill();
    let dev = policy.dev(&world);
    let known = registry(&world).await;
    loop {
        seen(&known, &canary, Phase::Failed).await;
        let status = must(&world, &["status"]);
        if status["state"] == "rolled_back" {
            let why = status["why"].as_str().unwrap();
            assert!(why.contains("ring canary: 0 of"), "{status}");
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(steps(&policy, "v3"), ["promote canary", "rollback canary"]);
    assert_eq!(policy.file("tenants/rings.yaml"), rings);
    while release_of(&world, canary[0]) != "coditect.ai/release: v2" {
        tokio::time::sleep(PAUSE).await;
    }
    // No one outside of the canary ever had it.
    for person in &people {
        let path = format!("*{}*", person.user);
        let v3 = "-Scoditect.ai/release: \"v3\"";
        let had = ["log", "--format=%H", v3, "main", "--", path.as_str()];
        let had = !git(&world.repository(), &had).is_empty();
        assert_eq!(had, in_canary(person), "{}", person.user);
    }
    world.assert_verified();
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn people_decide_on_the_host_who_comes_in() {
    let world = World::new();
    let policy = Reviewed::new(&world);
    let dev = policy.dev(&world);
    let api = Api::of(&dev);
    let first = api.sign_up("first@example.com", "Ada").await.unwrap();
    comes_in(&world, &first).await;
    policy.merged(&world, "the cell is asked about", |desk| {
        fs::write(desk.join("tenants/approvals.yaml"), "cells: [local]\n").unwrap();
    });
    in_force(&api, &policy).await;

    // Approved.
    let ada = api.sign_up("ada@example.com", "Ada").await.unwrap();
    let approved = asked(&policy, &[]).await;
    let diff = ["diff", "--stat", &format!("main...{approved}")];
    let diff = git(&policy.host, &diff);
    assert!(diff.contains("1 file changed"), "{diff}");
    policy.approve(&approved);
    comes_in(&world, &ada).await;
    assert_eq!(ended(&world, &approved).await, "approved");

    // Declined, by removing the branch.
    let known = [approved];
    let eve = api.sign_up("eve@example.com", "Eve").await.unwrap();
    let declined = asked(&policy, &known).await;
    proposed(&world, &declined).await;
    git(
        &policy.desk,
        &["push", "-q", "origin", "--delete", &declined],
    );
    assert_eq!(ended(&world, &declined).await, "rejected");
    assert!(!is_in_git(&world, &eve));

    // Overtaken: she wants something else while people are asked, and they are asked about that.
    let known = [known[0].clone(), declined];
    let grace = api.sign_up("grace@example.com", "Grace").await.unwrap();
    let overtaken = asked(&policy, &known).await;
    let plan = Some(json!({"plan": "starter"}));
    grace.must(Method::PUT, "/api/v5/tenant/plan", plan).await;
    let newer = asked(
        &policy,
        &[&known[..], std::slice::from_ref(&overtaken)].concat(),
    )
    .await;
    assert_eq!(ended(&world, &overtaken).await, "overtaken");
    policy.approve(&newer);
    comes_in(&world, &grace).await;

    // The host is silent: what was read last stays in force, and people are served.
    let away = policy.host.with_extension("away");
    fs::rename(&policy.host, &away).unwrap();
    health(&api, |parts| parts["policy-remote"]["status"] == "degraded").await;
    first
        .must(
            Method::PUT,
            "/api/v5/tenant/plan",
            Some(json!({"plan": "pro"})),
        )
        .await;
    fs::rename(&away, &policy.host).unwrap();
    health(&api, |parts| parts["policy-remote"]["status"] == "ok").await;

    // The rule is taken back: nobody waits any more.
    policy.merged(&world, "no rule", |desk| {
        fs::remove_file(desk.join("tenants/approvals.yaml")).unwrap();
    });
    comes_in(&world, &eve).await;
    policy.revert();
    in_force(&api, &policy).await;
    let late = api.sign_up("late@example.com", "Late").await.unwrap();
    let waits = asked(&policy, &[&known[..], &[overtaken, newer]].concat()).await;
    assert!(!is_in_git(&world, &late));
    world.assert_verified();
    let story = policy.story();
    let merged = |line: &str| story.iter().any(|known| known == line);
    assert!(merged(&format!("Approved: {}", known[0])), "{story:#?}");
    assert!(
        !story.iter().any(|line| line.contains(&waits)),
        "{story:#?}"
    );
    dev.stop();
}
