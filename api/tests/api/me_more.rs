//! Where the person is signed in, and what they used.

use coditect_core::RequestId;
use coditect_registry::{
    operation::{LinkIdentity, RecordUsage},
    record::UsageKind,
};
use serde_json::{Value, json};

use crate::{
    gateway::Cell,
    harness::{Answer, App, PASSWORD, Person},
};

async fn sign_in(app: &App, email: &str, agent: &str) -> Person {
    let body = json!({ "email": email, "password": PASSWORD });
    let request = app.request("POST", "/api/v5/auth/login").json(&body);
    let answer: Answer = app.send(request.header("user-agent", agent)).await;
    Person::of(&answer.expect(200))
}

async fn logins(app: &App, person: &Person) -> Vec<Value> {
    let listed = app
        .call(person, "GET", "/api/v5/me/logins", None)
        .await
        .expect(200)
        .json();
    listed["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_person_sees_their_logins_and_ends_them() {
    let app = App::start().await;
    let first = app.person("ada@example.com").await;
    let eve = app.person("eve@example.com").await;
    app.advance(60);
    let second = sign_in(&app, "ada@example.com", "Browser of Ada").await;
    let listed = logins(&app, &first).await;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["agent"], "Browser of Ada");
    assert_eq!(
        (
            listed[0]["present"].as_bool(),
            listed[1]["present"].as_bool()
        ),
        (Some(false), Some(true))
    );
    assert!(listed[0]["began_at"].as_str() > listed[1]["began_at"].as_str());

    let path = format!("/api/v5/me/logins/{}", listed[0]["id"].as_str().unwrap());
    app.call(&eve, "DELETE", &path, None)
        .await
        .expect_problem(404, "not-found");
    app.call(&first, "DELETE", &path, None).await.expect(204);
    app.call(&first, "DELETE", &path, None)
        .await
        .expect_problem(404, "not-found");
    app.call(&second, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
    app.refresh(&second.cookie)
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(logins(&app, &first).await.len(), 1);
}

#[tokio::test]
async fn linked_providers_are_listed() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let list = async || {
        app.call(&person, "GET", "/api/v5/me/connections", None)
            .await
            .expect(200)
            .json()
    };
    assert_eq!(list().await, json!({"items": []}));
    let me = app.call(&person, "GET", "/api/v5/me", None).await.json();
    let link = LinkIdentity {
        account: me["id"].as_str().unwrap().parse().unwrap(),
        provider: "github".parse().unwrap(),
        subject: "12345".parse().unwrap(),
        at: app.now(),
    };
    app.registry
        .apply(RequestId::random(), &link)
        .await
        .unwrap();
    let listed = list().await;
    assert_eq!(listed["items"][0]["provider"], "github");
    assert!(listed["items"][0]["connected_at"].is_string());
    assert!(!listed.to_string().contains("12345"));
}

#[tokio::test]
async fn what_was_used_this_month_is_counted() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let app = &cell.app;
    let usage = async || {
        app.call(&pod.person, "GET", "/api/v5/me/usage", None)
            .await
            .expect(200)
            .json()
    };
    let before = usage().await;
    assert_eq!(before["hours"], 0.0);
    assert_eq!(
        (&before["llm_requests"], &before["storage_bytes"]),
        (&json!(0), &Value::Null)
    );
    assert!(
        before["resets_at"]
            .as_str()
            .unwrap()
            .ends_with("-01T00:00:00Z")
    );
    for (kind, amount) in [(UsageKind::Seconds, 5_400), (UsageKind::LlmRequests, 7)] {
        let record = RecordUsage {
            user: pod.user.parse().unwrap(),
            kind,
            amount,
            limit: None,
            at: app.now(),
        };
        app.registry
            .apply(RequestId::random(), &record)
            .await
            .unwrap();
    }
    let beat = json!({"used": "idle", "input_at": null, "output_at": null, "sockets": 0,
        "volume": {"used_bytes": 123, "size_bytes": 1_000}, "waiting": 0});
    cell.call(&pod, "PUT", "/api/v5/sidecar/heartbeat", Some(beat))
        .await
        .expect(204);
    let after = usage().await;
    assert_eq!(after["hours"], 1.5);
    assert_eq!(
        (&after["llm_requests"], &after["storage_bytes"]),
        (&json!(7), &json!(123))
    );
}

#[tokio::test]
async fn a_workspaces_files_are_listed_by_pages() {
    let cell = Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let written = |path: &str| json!({"kind": "written", "path": path, "at": "2026-01-01T00:00:00Z", "size": 3, "sha256": null, "content": null});
    let mut events: Vec<Value> = ["a", "b", "c", "d"].map(written).into();
    events.push(json!({"kind": "removed", "path": "b", "at": "2026-01-02T00:00:00Z"}));
    let batch =
        json!({"queue": "00000000-0000-4000-8000-000000000000", "number": 1, "events": events});
    cell.call(&pod, "POST", "/api/v5/sidecar/files", Some(batch))
        .await
        .expect(204);
    let list = async |query: &str| {
        let path = format!("{}/files{query}", pod.path);
        cell.app.call(&pod.person, "GET", &path, None).await
    };
    let all = list("").await.expect(200).json();
    let file = json!({"path": "a", "size": 3, "changed_at": "2026-01-01T00:00:00Z", "snapshots": 0, "deleted": false});
    assert_eq!(
        (&all["items"][0], all["items"].as_array().unwrap().len()),
        (&file, 3)
    );
    assert_eq!(all["next_cursor"], Value::Null);
    let mut seen = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = list(&query).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        seen.extend(
            items
                .iter()
                .map(|file| file["path"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ["a", "c", "d"]);
    for bad in ["?limit=0", "?cursor=x", "?path=a"] {
        list(bad).await.expect_problem(422, "invalid-input");
    }
}
