//! What gateways report of files.

use coditect_core::sidecar;
use coditect_registry::record::FileMetadata;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::gateway::{Cell, Pod};

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn written(path: &str, size: u64) -> Value {
    json!({"kind": "written", "path": path, "at": "2026-01-01T00:00:00Z", "size": size, "sha256": HASH, "content": null})
}

fn removed(path: &str) -> Value {
    json!({"kind": "removed", "path": path, "at": "2026-01-02T00:00:00Z"})
}

async fn known(cell: &Cell, pod: &Pod) -> Vec<(String, FileMetadata)> {
    let mut view = cell.app.registry.view().await.unwrap();
    let place = view.place_of(pod.workspace).await.unwrap().unwrap();
    let (files, _) = view
        .files_after(&place, pod.workspace, None, 1_000)
        .await
        .unwrap();
    let named = files
        .into_iter()
        .map(|(path, file)| (path.to_string(), file));
    named.collect()
}

async fn present(cell: &Cell, pod: &Pod) -> Vec<String> {
    let known = known(cell, pod).await;
    let there = known.into_iter().filter(|(_, file)| !file.deleted);
    there.map(|(path, _)| path).collect()
}

async fn send(
    cell: &Cell,
    pod: &Pod,
    queue: Uuid,
    number: u64,
    events: Vec<Value>,
) -> crate::harness::Answer {
    let batch = json!({"queue": queue, "number": number, "events": events});
    cell.call(pod, "POST", sidecar::FILES_PATH, Some(batch))
        .await
}

#[tokio::test]
async fn a_batch_is_taken_once_and_in_order() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let queue = Uuid::new_v4();
    let first = vec![
        json!({"kind": "lost", "events": 3}),
        written("src/main.rs", 1),
        written("src/lib.rs", 1),
        written("src/main.rs", 2),
    ];
    send(&cell, &pod, queue, 5, first).await.expect(204);
    let files = known(&cell, &pod).await;
    assert_eq!(present(&cell, &pod).await, ["src/lib.rs", "src/main.rs"]);
    let file = &files[1].1;
    assert_eq!((file.size, file.hash.as_str()), (2, HASH));
    assert_eq!(file.modified_at.to_string(), "2026-01-01T00:00:00Z");

    for number in [5, 4] {
        let version = cell.app.version().await;
        send(&cell, &pod, queue, number, vec![removed("src/lib.rs")])
            .await
            .expect(204);
        assert_eq!(cell.app.version().await, version, "it was taken already");
    }
    send(
        &cell,
        &pod,
        queue,
        6,
        vec![removed("src/lib.rs"), written("src/lib.rs", 9)],
    )
    .await
    .expect(204);
    assert_eq!(present(&cell, &pod).await, ["src/lib.rs", "src/main.rs"]);
    // A new pod begins a new queue.
    send(&cell, &pod, Uuid::new_v4(), 1, vec![removed("src/lib.rs")])
        .await
        .expect(204);
    assert_eq!(present(&cell, &pod).await, ["src/main.rs"]);
}

#[tokio::test]
async fn with_a_folder_goes_what_is_below_it_and_nothing_else() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let queue = Uuid::new_v4();
    let mut files: Vec<Value> = (0..250)
        .map(|at| written(&format!("src/{at:03}"), 1))
        .collect();
    files.extend(["src-old/a", "src.rs", "srd", "a/src/b"].map(|path| written(path, 1)));
    for (number, files) in (1..).zip(files.chunks(200)) {
        send(&cell, &pod, queue, number, files.to_vec())
            .await
            .expect(204);
    }
    assert_eq!(present(&cell, &pod).await.len(), 254);
    let events = vec![removed("src"), removed("nothing"), written("src/new", 1)];
    send(&cell, &pod, queue, 3, events).await.expect(204);
    let left = ["a/src/b", "src-old/a", "src.rs", "src/new", "srd"];
    assert_eq!(present(&cell, &pod).await, left);
}

#[tokio::test]
async fn what_is_no_event_is_refused_whole() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let with = |field: &str, value: Value| {
        let mut event = written("a", 1);
        event[field] = value;
        event
    };
    for (bad, field) in [
        (written("../escape", 1), "events[1].path"),
        (written("/absolute", 1), "events[1].path"),
        (removed(""), "events[1].path"),
        (with("sha256", json!("abc")), "events[1].sha256"),
        (
            with("sha256", json!(HASH.to_uppercase())),
            "events[1].sha256",
        ),
        (with("workspace", json!(1)), "workspace"),
    ] {
        let events = vec![written("good", 1), bad.clone()];
        let problem = send(&cell, &pod, Uuid::new_v4(), 1, events)
            .await
            .expect_problem(422, "invalid-input");
        assert!(
            problem["field"].as_str().unwrap().contains(field),
            "{bad} {problem}"
        );
    }
    let many = vec![removed("a"); 201];
    let refused = send(&cell, &pod, Uuid::new_v4(), 1, many).await;
    refused.expect_problem(422, "invalid-input");
    assert!(known(&cell, &pod).await.is_empty());
    // A file that is too large to be read has no hash.
    send(
        &cell,
        &pod,
        Uuid::new_v4(),
        1,
        vec![with("sha256", Value::Null)],
    )
    .await
    .expect(204);
    assert_eq!(known(&cell, &pod).await[0].1.hash, "");
}
