//! The copy that a person takes of what is held of them.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    api_keys,
    harness::{App, PASSWORD, Person},
};

async fn unpacked(app: &App, person: &Person) -> TempDir {
    let request = app.request("GET", "/api/v5/me/export");
    let answer = request.bearer_auth(&person.token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/gzip");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let name = answer.headers()["content-disposition"].to_str().unwrap();
    assert!(
        name.starts_with("attachment; filename=\"coditect-20"),
        "{name}"
    );
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("copy.tar.gz");
    fs::write(&packed, answer.bytes().await.unwrap()).unwrap();
    let done = Command::new("tar")
        .arg("-xzf")
        .arg(&packed)
        .current_dir(folder.path())
        .status();
    assert!(done.unwrap().success());
    folder
}

fn records(folder: &Path, kind: &str) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(folder.join(kind))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let lists = files.iter().map(|file| {
        let text = fs::read_to_string(file).unwrap();
        serde_json::from_str::<Vec<Value>>(&text).unwrap()
    });
    lists.flatten().collect()
}

#[tokio::test]
async fn a_person_takes_their_data_with_them() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    app.person("eve@example.com").await;
    let key = api_keys::make(&app, &ada, &["profile:read"]).await;
    let folder = unpacked(&app, &ada).await;
    let folder = folder.path();
    let account = records(folder, "account");
    assert_eq!(account[0]["value"]["email"], "ada@example.com");
    assert_eq!(records(folder, "workspaces").len(), 1);
    let keys = records(folder, "api-keys");
    assert_eq!(
        (&keys[0]["key"]["k"], &keys[0]["value"]["name"]),
        (&key["id"], &key["name"])
    );
    let decisions = records(folder, "decisions");
    let newest = &decisions.last().unwrap()["value"];
    assert_eq!(newest["action"], "personal_copy_taken");
    let read_me = fs::read_to_string(folder.join("README.txt")).unwrap();
    assert!(read_me.contains("password: account/{a}/credential, without password_hash"));
    let all = Command::new("grep")
        .args(["-rlE", "eve@|argon2|password_hash\"|\"hash\""])
        .arg(folder)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(all.stdout).unwrap(), "");
}

#[tokio::test]
async fn a_copy_of_much_comes_in_several_files() {
    let cell = crate::gateway::Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let mut paths = Vec::new();
    for batch in 0..12 {
        let names = (0..100).map(|at| format!("{}/{batch:03}-{at:03}", "folder".repeat(35)));
        let events: Vec<Value> = names
            .map(|path| {
                paths.push(path.clone());
                serde_json::json!({"kind": "written", "path": path, "at": "2026-01-01T00:00:00Z", "size": 3, "sha256": null, "content": null})
            })
            .collect();
        let body = serde_json::json!({"queue": "00000000-0000-4000-8000-000000000000", "number": batch + 1, "events": events});
        cell.call(&pod, "POST", "/api/v5/sidecar/files", Some(body))
            .await
            .expect(204);
    }
    let folder = unpacked(&cell.app, &pod.person).await;
    let files = records(folder.path(), "files");
    let copied: Vec<_> = files
        .iter()
        .map(|file| file["key"]["path"].as_str().unwrap())
        .collect();
    assert_eq!(copied, paths);
    assert!(folder.path().join("files/0002.json").exists());
}

#[tokio::test]
async fn a_copy_is_for_the_person_alone() {
    let app = App::with(|config| config.streams_per_account = 1).await;
    let ada = app.person("ada@example.com").await;
    // One copy, or one stream, at a time; its place is given back.
    for _ in 0..2 {
        unpacked(&app, &ada).await;
    }
    app.call(
        &ada,
        "DELETE",
        "/api/v5/me",
        Some(serde_json::json!({ "password": PASSWORD, "mode": "now" })),
    )
    .await
    .expect(200);
    app.call(&ada, "GET", "/api/v5/me/export", None)
        .await
        .expect_problem(401, "unauthenticated");
}
