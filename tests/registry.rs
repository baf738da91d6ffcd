//! An operator moves a registry: `coditect registry export`, `import`, `stats` and `check`, as programs that may be
//! killed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use coditect_core::{CellSummary, Limits, PodSize, Readiness, RegistrationId, RequestId, UserId};
use coditect_registry::{
    Registry, keys,
    operation::{Placement, Register, Verification},
    store::{Store, embedded::EmbeddedStore},
};
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;

const PEOPLE: usize = 600;

fn register(number: usize) -> Register {
    Register {
        registration: RegistrationId::random(),
        email: format!("p{number}@example.com").parse().unwrap(),
        display_name: "Ada Lovelace".parse().unwrap(),
        password_hash: "$argon2id$test".into(),
        terms: None,
        verification: Verification::None,
        placement: Placement {
            plan: "free".parse().unwrap(),
            limits: Limits {
                storage_gib: 1,
                hours_per_month: 10,
                llm_requests_per_month: 100,
                workspaces: 2,
                idle_minutes: 30,
                pod: PodSize {
                    cpu_millis: 1000,
                    cpu_request_millis: 100,
                    memory_mib: 1024,
                    ephemeral_storage_mib: 1024,
                    pids: 512,
                },
            },
            cells: vec![CellSummary {
                name: "local".parse().unwrap(),
                capacity: u32::MAX,
                closed: false,
                storage_class: "standard-rwo".parse().unwrap(),
                domain: "workspaces.example".into(),
                held: false,
                readiness: Readiness::default(),
            }],
        },
        at: Timestamp::now(),
    }
}

/// A registry with so many people, in the folder of an installation.
async fn installation(folder: &Path, people: usize) -> Arc<EmbeddedStore> {
    fs::create_dir_all(folder).unwrap();
    let store = EmbeddedStore::open(folder.join("registry.redb")).unwrap();
    let registry = Registry::open(Arc::clone(&store) as Arc<dyn Store>)
        .await
        .unwrap();
    let mut running = JoinSet::new();
    for number in 0..people {
        if running.len() >= 64 {
            running.join_next().await.unwrap().unwrap();
        }
        let registry = registry.clone();
        running.spawn(async move {
            registry
                .apply(RequestId::random(), &register(number))
                .await
                .unwrap();
        });
    }
    running.join_all().await;
    store
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = support::coditect();
    command
        .args(["registry", "--output", "json", "--data"])
        .arg(data)
        .args(arguments);
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).output().unwrap()
}

/// What a command that must end with this status says.
fn said(data: &Path, arguments: &[&str], status: i32) -> Value {
    let output = run(data, arguments);
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {output:?}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a command that must fail with this status complains about.
fn complains(data: &Path, arguments: &[&str], status: i32) -> String {
    let output = run(data, arguments);
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {output:?}"
    );
    String::from_utf8(output.stderr).unwrap()
}

async fn write(store: &EmbeddedStore, key: &[u8], value: Option<&[u8]>) {
    let mut transaction = store.begin().await.unwrap();
    match value {
        Some(value) => transaction.set(key, value),
        None => transaction.clear(key),
    }
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_again_and_again_ends_with_the_same_registry() {
    let world = tempfile::tempdir().unwrap();
    let (first, second) = (world.path().join("first"), world.path().join("second"));
    drop(installation(&first, PEOPLE).await);
    let (one, two) = (
        world.path().join("one.jsonl"),
        world.path().join("two.jsonl"),
    );
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());

    let exported = said(&first, &["export", one], 0);
    assert_eq!(exported["consistent"], true);
    let mode = fs::metadata(one).unwrap().permissions().mode();
    assert_eq!(
        mode & 0o777,
        0o600,
        "it holds addresses and password hashes"
    );
    let refusal = complains(&first, &["export", one], 2);
    assert!(refusal.contains("exists"), "{refusal}");

    let mut kills = 0;
    let imported = loop {
        let mut child = command(&second, &["import", one])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Longer each time, so that it ends at last; never at the same place.
        let patience = 20 + 40 * kills + support::random(40);
        std::thread::sleep(std::time::Duration::from_millis(patience));
        let ended = child.try_wait().unwrap().is_some();
        if !ended {
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            break serde_json::from_slice::<Value>(&output.stdout).unwrap();
        }
        assert!(!ended, "{output:?}");
        kills += 1;
        // What is half there is nobody's. A kill before the first write left nothing, or an empty registry.
        let show = run(&second, &["show"]);
        if !show.status.success() {
            let said = String::from_utf8(show.stderr).unwrap();
            assert!(
                said.contains("unfinished") || said.contains("no registry"),
                "{said}"
            );
        }
    };
    assert!(kills >= 3, "it was killed only {kills} times");
    assert_eq!(imported["content"]["records"], exported["records"]);

    said(&second, &["export", two], 0);
    assert!(fs::read(one).unwrap() == fs::read(two).unwrap());
    let sound = said(&second, &["check"], 0);
    assert_eq!(sound["found"], 0, "{sound}");
    // Again: it is known. Into another registry that has people: refused.
    let again = said(&second, &["import", one], 0);
    assert_eq!(again["already_finished"], true);
    let third = world.path().join("third");
    drop(installation(&third, 1).await);
    let refusal = complains(&third, &["import", one], 2);
    assert!(
        refusal.contains("not empty") && refusal.contains("--data"),
        "{refusal}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_named_by_its_line_and_leaves_no_registry() {
    let world = tempfile::tempdir().unwrap();
    let first = world.path().join("first");
    drop(installation(&first, 2).await);
    let file = world.path().join("one.jsonl");
    said(&first, &["export", file.to_str().unwrap()], 0);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("Lovelace", "Lovelacf", 1)).unwrap();
    let line = 1 + text
        .lines()
        .position(|line| line.contains("Lovelace"))
        .unwrap();
    let second = world.path().join("second");
    let refusal = complains(&second, &["import", file.to_str().unwrap()], 2);
    assert!(
        refusal.contains(&format!("line {line} is damaged")),
        "{refusal}"
    );
    assert_eq!(
        said(&second, &["stats"], 0)["kinds"]
            .as_object()
            .unwrap()
            .len(),
        0
    );
    let missing = world.path().join("missing");
    let refusal = complains(&missing, &["import", "/nowhere.jsonl"], 2);
    assert!(
        refusal.contains("/nowhere.jsonl") && !missing.exists(),
        "{refusal}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_with_its_status_whether_anything_is_left() {
    let world = tempfile::tempdir().unwrap();
    let data = world.path().join("data");
    let store = installation(&data, 3).await;
    let email = keys::email(&"p1@example.com".parse().unwrap());
    write(&store, &email, None).await;
    drop(store);

    let found = said(&data, &["check"], 3);
    assert_eq!(
        (&found["found"], &found["repaired"]),
        (&1.into(), &0.into()),
        "{found}"
    );
    let finding = &found["findings"][0];
    assert_eq!(finding["problem"], "missing");
    assert_eq!(finding["other"], "email/p1@example.com");
    let repaired = said(&data, &["check", "--repair"], 0);
    assert_eq!(repaired["repaired"], 1, "{repaired}");
    assert_eq!(said(&data, &["check"], 0)["found"], 0);

    // What only a person can decide keeps the status, whatever is asked for.
    let store = EmbeddedStore::open(data.join("registry.redb")).unwrap();
    write(&store, &keys::user_place(UserId::random()), Some(b"\x01{")).await;
    drop(store);
    assert_eq!(said(&data, &["check", "--repair"], 3)["found"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_say_what_is_there_and_what_the_file_holds() {
    let world = tempfile::tempdir().unwrap();
    let data = world.path().join("data");
    drop(installation(&data, 5).await);
    let stats = said(&data, &["stats"], 0);
    assert_eq!(stats["kinds"]["account/{a}/profile"]["records"], 5);
    assert_eq!(stats["feeds"]["local"]["changes"], 5);
    assert_eq!(stats["feeds"]["local"]["waiting"], 5);
    let (bytes, unused) = (&stats["file"]["bytes"], &stats["file"]["unused_bytes"]);
    let (bytes, unused) = (bytes.as_u64().unwrap(), unused.as_u64().unwrap());
    // While it is open; closing it cuts off what it does not need.
    assert!(unused < bytes && bytes < 64 << 20, "{unused} of {bytes}");
    // Room made ahead, while it is open.
    assert_eq!(stats["file"]["log_bytes"], 2 << 20);
    assert!(stats["oldest_request"].is_string());
}
