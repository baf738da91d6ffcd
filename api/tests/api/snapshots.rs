//! Earlier contents of files: kept, read, brought back, and removed with whatever they were of.

use std::{fs, path::Path, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use coditect_api::collect;
use coditect_core::{
    RequestId, UserId,
    sidecar::{self, Access},
};
use coditect_registry::{
    operation::BeginUploads,
    record::{LONGEST_UPLOAD, Upload, object_name},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    gateway::{Cell, Pod},
    harness::{Answer, LIMIT, PASSWORD},
};

fn hex(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn written(path: &str, content: &[u8]) -> Value {
    let at = "2026-01-01T00:00:00Z";
    let (size, sha256) = (content.len(), hex(content));
    let content = BASE64_STANDARD.encode(content);
    json!({"kind": "written", "path": path, "at": at, "size": size, "sha256": sha256, "content": content})
}

async fn send(cell: &Cell, pod: &Pod, events: Vec<Value>) -> Answer {
    let batch = json!({"queue": Uuid::new_v4(), "number": 1, "events": events});
    cell.call(pod, "POST", sidecar::FILES_PATH, Some(batch))
        .await
}

async fn put(cell: &Cell, pod: &Pod, path: &str, content: &[u8]) {
    send(cell, pod, vec![written(path, content)])
        .await
        .expect(204);
}

async fn snapshots(cell: &Cell, pod: &Pod, path: &str) -> Vec<Value> {
    let path = format!("{}/files/{path}/snapshots", pod.path);
    let answer = cell.app.call(&pod.person, "GET", &path, None).await;
    answer.expect(200).json()["items"]
        .as_array()
        .unwrap()
        .clone()
}

async fn texts(cell: &Cell, pod: &Pod, path: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for snapshot in snapshots(cell, pod, path).await {
        let id = snapshot["id"].as_str().unwrap();
        let path = format!("{}/files/{path}/snapshots/{id}", pod.path);
        let answer = cell.app.call(&pod.person, "GET", &path, None).await;
        let answer = answer.expect(200);
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("content-disposition"), "attachment");
        // Of who is signed in: the browser must not have it for the next.
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(snapshot["size"], answer.text.len());
        assert_eq!(snapshot["sha256"], hex(answer.text.as_bytes()).as_str());
        texts.push(answer.text);
    }
    texts
}

/// How many objects there are.
fn objects(folder: &Path) -> usize {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { objects(&path) } else { 1 })
        .sum()
}

#[tokio::test]
async fn the_newest_ten_texts_of_a_file_are_kept_and_none_twice() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let other = cell.pod("eve@example.com").await;
    put(&cell, &pod, "src/a.rs", b"one").await;
    put(&cell, &pod, "src/a.rs", b"one").await;
    assert_eq!(objects(cell.app.folder.path()), 1);
    put(&cell, &pod, "src/a.rs", "zwölf".as_bytes()).await;
    assert_eq!(texts(&cell, &pod, "src%2Fa.rs").await, ["zwölf", "one"]);
    assert!(snapshots(&cell, &pod, "src%2Fb.rs").await.is_empty());

    let contents = |path: &str, text: &[u8]| json!({"path": path, "sha256": hex(text)});
    let question = json!({"contents": [
        contents("src/a.rs", "zwölf".as_bytes()), contents("src/a.rs", b"one"), contents("new", b"one"), contents("../x", b"one"),
    ]});
    for (pod, wanted) in [
        (&pod, [false, true, true, false]),
        (&other, [true, true, true, false]),
    ] {
        let answer = cell
            .call(pod, "POST", sidecar::WANTED_PATH, Some(question.clone()))
            .await;
        assert_eq!(answer.expect(200).json()["wanted"], json!(wanted));
    }

    for number in 0..12 {
        let text = format!("version {number}");
        put(&cell, &pod, "src/a.rs", text.as_bytes()).await;
    }
    let kept = texts(&cell, &pod, "src%2Fa.rs").await;
    assert_eq!((kept.len(), kept[0].as_str()), (10, "version 11"));
    // What is not kept any more goes from storage too.
    let (app, now) = (&cell.app, cell.app.now());
    collect(&app.registry, &app.objects, now).await.unwrap();
    assert_eq!(objects(app.folder.path()), 10);
    assert!(snapshots(&cell, &other, "src%2Fa.rs").await.is_empty());
}

#[tokio::test]
async fn what_is_no_text_or_not_what_it_says_is_not_kept() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let events = vec![
        written("image", &[0x89, b'P', b'N', b'G', 0]),
        written("large", &vec![b'a'; 256 * 1024 + 1]),
    ];
    send(&cell, &pod, events).await.expect(204);
    assert_eq!(objects(cell.app.folder.path()), 0);
    let mut lie = written("lie", b"one");
    lie["content"] = json!(BASE64_STANDARD.encode("two"));
    let problem = send(&cell, &pod, vec![written("a", b"a"), lie])
        .await
        .expect_problem(422, "invalid-input");
    assert_eq!(problem["field"], "events[1].content");
    assert_eq!(objects(cell.app.folder.path()), 0, "refused whole");
}

#[tokio::test]
async fn a_version_wanted_back_reaches_the_gateway_at_once_and_nobody_elses() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let other = cell.pod("eve@example.com").await;
    put(&cell, &pod, "src/a.rs", b"old").await;
    put(&cell, &pod, "src/a.rs", b"new").await;
    let old = snapshots(&cell, &pod, "src%2Fa.rs").await.remove(1);
    let known = cell.access(&pod, "").await;
    let query = format!("?after={}&wait=25", known.version);
    let waiting = async {
        timeout(
            LIMIT.min(Duration::from_secs(20)),
            cell.access(&pod, &query),
        )
        .await
        .unwrap()
    };
    let restore = format!(
        "{}/files/src%2Fa.rs/snapshots/{}/restore",
        pod.path,
        old["id"].as_str().unwrap()
    );
    let asking = async {
        tokio::task::yield_now().await;
        cell.app.call(&pod.person, "POST", &restore, None).await
    };
    let (told, asked): (Access, Answer) = tokio::join!(waiting, asking);
    let asked = asked.expect(202).json();
    assert_eq!(asked["state"], "waiting");
    let [wish] = &told.restores[..] else {
        panic!("{told:?}")
    };
    assert_eq!(
        (wish.path.as_str(), wish.sha256.as_str()),
        ("src/a.rs", hex(b"old").as_str())
    );
    assert_eq!(wish.replaces, Some(hex(b"new")), "that is kept here");
    assert!(cell.access(&other, "").await.restores.is_empty());

    let path = format!("{}/{}", sidecar::RESTORES_PATH, wish.id);
    cell.call(&other, "GET", &path, None)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(
        cell.call(&pod, "GET", &path, None).await.expect(200).text,
        "old"
    );
    let outcome = json!({"outcome": "done", "beside": "a.rs.before"});
    cell.call(&other, "POST", &path, Some(outcome.clone()))
        .await
        .expect(204);
    assert_eq!(
        cell.access(&pod, "").await.restores.len(),
        1,
        "it is not theirs"
    );
    let elsewhere = json!({"outcome": "done", "beside": "../a.rs"});
    cell.call(&pod, "POST", &path, Some(elsewhere))
        .await
        .expect_problem(422, "invalid-input");
    cell.call(&pod, "POST", &path, Some(outcome))
        .await
        .expect(204);
    assert!(cell.access(&pod, "").await.restores.is_empty());
    cell.call(&pod, "GET", &path, None)
        .await
        .expect_problem(404, "not-found");
    let path = format!("{}/restores", pod.path);
    let told = cell.app.call(&pod.person, "GET", &path, None).await;
    let told = told.expect(200).json()["items"][0].clone();
    assert_eq!(
        (&told["state"], &told["beside"]),
        (&json!("done"), &json!("a.rs.before"))
    );
}

#[tokio::test]
async fn bytes_go_with_whatever_they_were_of() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let app = &cell.app;
    for (path, text) in [("a", b"one"), ("b", b"two")] {
        put(&cell, &pod, path, text).await;
    }
    // What is gone from the volume can still be brought back.
    let removed = json!({"kind": "removed", "path": "b", "at": "2026-01-02T00:00:00Z"});
    send(&cell, &pod, vec![removed]).await.expect(204);
    let path = format!("{}/files", pod.path);
    let listed = app.call(&pod.person, "GET", &path, None).await.expect(200);
    let listed = listed.json()["items"].as_array().unwrap().clone();
    let shown: Vec<_> = listed
        .iter()
        .map(|file| (file["path"].as_str().unwrap(), file["deleted"] == true))
        .collect();
    assert_eq!(shown, [("a", false), ("b", true)]);
    assert_eq!(texts(&cell, &pod, "b").await, ["two"]);
    let path = format!("{}/files/a", pod.path);
    app.call(&pod.person, "DELETE", &path, None)
        .await
        .expect(204);
    collect(&app.registry, &app.objects, app.now())
        .await
        .unwrap();
    assert_eq!(objects(app.folder.path()), 1);
    assert!(snapshots(&cell, &pod, "a").await.is_empty());

    // The process died between the bytes and the version that would have referred to them.
    let user: UserId = pod.user.parse().unwrap();
    let upload = Upload::begun(app.now());
    let begin = BeginUploads {
        cell: "local".parse().unwrap(),
        workspace: pod.workspace,
        uploads: vec![upload],
        at: app.now(),
    };
    app.registry
        .apply(RequestId::random(), &begin)
        .await
        .unwrap();
    let lost = app
        .folder
        .path()
        .join(object_name(user, pod.workspace, upload.id));
    fs::write(&lost, "lost").unwrap();
    collect(&app.registry, &app.objects, app.now())
        .await
        .unwrap();
    assert!(lost.exists(), "it may still arrive");
    collect(&app.registry, &app.objects, app.now() + LONGEST_UPLOAD)
        .await
        .unwrap();
    assert_eq!(objects(app.folder.path()), 1);

    let erase = json!({ "password": PASSWORD, "mode": "now" });
    let erased = app
        .call(&pod.person, "DELETE", "/api/v5/me", Some(erase))
        .await;
    assert!(erased.status < 300, "{}", erased.text);
    // What was on its way when they were erased.
    collect(&app.registry, &app.objects, app.now())
        .await
        .unwrap();
    assert_eq!(objects(app.folder.path()), 0);
    fs::create_dir_all(lost.parent().unwrap()).unwrap();
    fs::write(&lost, "late").unwrap();
    collect(&app.registry, &app.objects, app.now() + LONGEST_UPLOAD)
        .await
        .unwrap();
    assert_eq!(objects(app.folder.path()), 0);
}

#[tokio::test]
async fn a_wish_that_is_sent_again_is_one_wish() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let mut addresses = Vec::new();
    for path in ["a.rs", "b.rs"] {
        put(&cell, &pod, path, b"old").await;
        let version = snapshots(&cell, &pod, path).await.remove(0);
        let id = version["id"].as_str().unwrap();
        addresses.push(format!("{}/files/{path}/snapshots/{id}/restore", pod.path));
    }
    let (app, header) = (&cell.app, ("idempotency-key", "one"));
    let ask = async |address: &str, header| {
        app.call_with(&pod.person, "POST", address, header, None)
            .await
    };
    let first = ask(&addresses[0], header).await.expect(202).json();
    // With other words too: of an attempt the first counts.
    for address in &addresses {
        let again = ask(address, header).await.expect(202).json();
        assert_eq!(again, first);
    }
    assert_eq!(cell.access(&pod, "").await.restores.len(), 1);

    // What became of it is told whoever asks again, and it is not wanted twice.
    let done = format!("/api/v5/sidecar/restores/{}", first["id"].as_str().unwrap());
    let outcome = json!({ "outcome": "done", "beside": null });
    cell.call(&pod, "POST", &done, Some(outcome))
        .await
        .expect(204);
    let again = ask(&addresses[0], header).await.expect(202).json();
    assert_eq!(
        (&again["id"], &again["state"]),
        (&first["id"], &json!("done"))
    );
    assert!(cell.access(&pod, "").await.restores.is_empty());
    let other = ask(&addresses[0], ("idempotency-key", "two")).await;
    assert_ne!(other.expect(202).json()["id"], first["id"]);
    ask(&addresses[0], ("idempotency-key", ""))
        .await
        .expect_problem(422, "invalid-input");
}

#[tokio::test]
async fn whoever_brings_versions_back_or_forgets_them_is_known_and_the_files_name_is_not() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    put(&cell, &pod, "diary.txt", b"old").await;
    let version = snapshots(&cell, &pod, "diary.txt").await.remove(0);
    let file = format!("{}/files/diary.txt", pod.path);
    let restore = format!(
        "{file}/snapshots/{}/restore",
        version["id"].as_str().unwrap()
    );
    let (app, person) = (&cell.app, &pod.person);
    app.call(person, "POST", &restore, None).await.expect(202);
    // Of what is not known nothing is forgotten, and nothing noted.
    for _ in 0..2 {
        app.call(person, "DELETE", &file, None).await.expect(204);
    }
    let audit = app.call(person, "GET", "/api/v5/tenant/audit", None).await;
    let audit = audit.expect(200);
    assert!(!audit.text.contains("diary"));
    let audit = audit.json();
    let newest: Vec<_> = audit["items"].as_array().unwrap()[..3]
        .iter()
        .map(|one| one["action"].as_str().unwrap())
        .collect();
    assert_eq!(newest[..2], ["file_forgotten", "file_wanted_back"]);
    assert_ne!(newest[2], "file_forgotten");
    let workspace = json!(pod.workspace.to_string());
    assert_eq!(audit["items"][0]["details"]["workspace"], workspace);
}
