//! A release's way through the rings, told by `git log` alone: proposed, planned, merged, rolled out, and the next one
//! back again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use coditect_core::{CellName, Phase, RequestId, UserId};
use coditect_registry::{
    Registry,
    operation::{NoteCell, NoteStatus},
    record::{CellState, Status},
    store::remote::RemoteStore,
};
use coditect_renderer::policy::ring_number;
use jiff::Timestamp;
use serde_json::Value;
use support::{Api, Person, World, coditect, git};

const RINGS: &str = "# Half of all first.\nrings:\n  - name: canary # the brave\n    below: 5000\n    release: v1\n    engine: 1\n  - {name: everyone, below: 10000, release: v1, engine: 1}\n";

/// What the test looks at between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

fn policy(world: &World) -> PathBuf {
    world.data().join("policy")
}

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

/// A reviewer proposes a release as a copy of another, sees the plan, and merges.
fn propose(world: &World, name: &str, from: &str) {
    let clone = world.folder.path().join(format!("review-{name}"));
    let address = policy(world).display().to_string();
    git(
        world.folder.path(),
        &["clone", "--quiet", &address, clone.to_str().unwrap()],
    );
    git(&clone, &["checkout", "--quiet", "-b", name]);
    let (from, to) = (
        clone.join("templates").join(from),
        clone.join("templates").join(name),
    );
    fs::create_dir(&to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    git(&clone, &["add", "."]);
    commit(&clone, &format!("a release {name}"));
    let plan = coditect()
        .args(["plan", "--output", "json", "--policy"])
        .arg(&clone)
        .arg("--cells-folder")
        .arg(world.data().join("cells"))
        .output()
        .unwrap();
    assert!(plan.status.success(), "{plan:?}");
    git(
        &policy(world),
        &[
            "pull",
            "--quiet",
            "--ff-only",
            clone.to_str().unwrap(),
            name,
        ],
    );
}

fn commit(folder: &Path, message: &str) {
    let who = ["-c", "user.name=p", "-c", "user.email=p@example.com"];
    git(
        folder,
        &[&who[..], &["commit", "--quiet", "-m", message]].concat(),
    );
}

/// The policy's commits for a release, the oldest first: what each did to which rings.
fn story(world: &World, release: &str) -> Vec<String> {
    let log = git(
        &policy(world),
        &[
            "log",
            "--reverse",
            &format!("--grep=^Coditect-Rollout: {release}$"),
            "--format=%(trailers:key=Coditect-Step,valueonly,separator=%x2C) %(trailers:key=Coditect-Ring,valueonly,separator=%x2C)",
        ],
    );
    log.lines().map(ToOwned::to_owned).collect()
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
    let dev = world.dev();
    let api = Api::of(&dev);
    let mut people: Vec<Person> = Vec::new();
    while !people.iter().any(in_canary) || people.iter().all(in_canary) {
        let email = format!("p{}@example.com", people.len());
        people.push(api.sign_up(&email, "Ada").await.unwrap());
    }
    let everyone: Vec<&Person> = people.iter().collect();
    let canary: Vec<&Person> = people.iter().filter(|one| in_canary(one)).collect();
    fs::write(policy(&world).join("tenants/rings.yaml"), RINGS).unwrap();
    while !git(&policy(&world), &["show", "HEAD:tenants/rings.yaml"]).contains("the brave") {
        tokio::time::sleep(PAUSE).await;
    }
    propose(&world, "v2", "v1");

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
    assert_eq!(story(&world, "v2"), ["promote canary", "promote everyone"]);
    for person in &people {
        assert_eq!(release_of(&world, person), "coditect.ai/release: v2");
    }
    let rings = fs::read_to_string(policy(&world).join("tenants/rings.yaml")).unwrap();
    assert_eq!(rings, RINGS.replace("release: v1", "release: v2"));

    // The next one fails in the canary, and the process is killed meanwhile.
    propose(&world, "v3", "v2");
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
    let dev = world.dev();
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
    assert_eq!(story(&world, "v3"), ["promote canary", "rollback canary"]);
    let now = fs::read_to_string(policy(&world).join("tenants/rings.yaml")).unwrap();
    assert_eq!(now, rings);
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
