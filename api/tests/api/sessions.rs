//! Sessions: what is open, with an entity tag, bounded, and nobody else's.

use serde_json::{Value, json};

use crate::harness::{App, Person};

const SESSIONS: &str = "/api/v5/sessions";

async fn open(app: &App, person: &Person, tab: &str) -> Value {
    let workspace = app.workspaces(person).await[0]["id"].clone();
    let body = json!({ "workspace": workspace, "state": { "tabs": [tab] } });
    let answer = app.call(person, "POST", SESSIONS, Some(body)).await;
    let answer = answer.expect(201);
    let made = answer.json();
    assert_eq!(answer.header("location"), path(&made));
    made
}

fn path(session: &Value) -> String {
    format!("{SESSIONS}/{}", session["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_session_is_changed_by_who_read_it_last() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let path = path(&open(&app, &ada, "a").await);
    let read = app.call(&ada, "GET", &path, None).await.expect(200);
    assert_eq!(read.json()["state"], json!({ "tabs": ["a"] }));
    let tag = read.header("etag").to_owned();
    app.call_with(&ada, "GET", &path, ("if-none-match", &tag), None)
        .await
        .expect(304);

    let body = Some(json!({ "state": { "tabs": ["b"] } }));
    let changed = app
        .call_with(&ada, "PUT", &path, ("if-match", &tag), body.clone())
        .await
        .expect(200);
    assert_eq!(changed.json()["state"], json!({ "tabs": ["b"] }));
    assert_ne!(changed.header("etag"), tag);
    app.call_with(&ada, "PUT", &path, ("if-match", &tag), body.clone())
        .await
        .expect_problem(412, "precondition-failed");
    // Whoever does not insist overwrites.
    app.call(&ada, "PUT", &path, body).await.expect(200);

    for state in [json!([1]), json!("x"), Value::Null] {
        let problem = app
            .call(&ada, "PUT", &path, Some(json!({ "state": state })))
            .await
            .expect_problem(422, "invalid-input");
        assert_eq!(problem["field"], "state");
    }
    let large = json!({ "state": { "tabs": "x".repeat(32 * 1024) } });
    app.call(&ada, "PUT", &path, Some(large))
        .await
        .expect_problem(422, "invalid-input");

    app.call(&ada, "DELETE", &path, None).await.expect(204);
    app.call(&ada, "DELETE", &path, None)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn sessions_are_listed_by_pages_and_by_workspace() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let mut made = Vec::new();
    for tab in ["a", "b", "c"] {
        made.push(
            open(&app, &ada, tab).await["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    made.sort();
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let list = format!("{SESSIONS}{query}");
        let page = app.call(&ada, "GET", &list, None).await.expect(200).json();
        for item in page["items"].as_array().unwrap() {
            assert!(item.get("state").is_none() && item["shared"] == false);
            seen.push(item["id"].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    let nowhere = format!("{SESSIONS}?workspace=00000000-0000-4000-8000-000000000000");
    let page = app.call(&ada, "GET", &nowhere, None).await.expect(200);
    assert_eq!(page.json()["items"], json!([]));
    for bad in ["?limit=0", "?cursor=x", "?workspace=x", "?tab=a"] {
        app.call(&ada, "GET", &format!("{SESSIONS}{bad}"), None)
            .await
            .expect_problem(422, "invalid-input");
    }
}

#[tokio::test]
async fn a_session_is_kept_as_long_as_somebody_comes_back() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let path = path(&open(&app, &ada, "a").await);
    let login = async || app.login("ada@example.com", crate::harness::PASSWORD).await;
    app.advance(20 * 86_400);
    let ada = Person::of(&login().await.expect(200));
    app.call(&ada, "POST", &format!("{path}/seen"), None)
        .await
        .expect(204);
    app.advance(20 * 86_400);
    let ada = Person::of(&login().await.expect(200));
    app.call(&ada, "GET", &path, None).await.expect(200);
    app.advance(10 * 86_400);
    let ada = Person::of(&login().await.expect(200));
    app.call(&ada, "GET", &path, None)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn a_session_is_in_a_workspace_of_ones_own() {
    let app = App::start().await;
    let (ada, eve) = (
        app.person("ada@example.com").await,
        app.person("eve@example.com").await,
    );
    let workspace = app.workspaces(&ada).await[0]["id"].clone();
    let body = json!({ "workspace": workspace, "state": {} });
    app.call(&eve, "POST", SESSIONS, Some(body.clone()))
        .await
        .expect_problem(404, "not-found");
    // The same attempt opens one session.
    let mut ids = Vec::new();
    for _ in 0..2 {
        let header = ("idempotency-key", "first");
        let answer = app
            .call_with(&ada, "POST", SESSIONS, header, Some(body.clone()))
            .await;
        ids.push(answer.expect(201).json()["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn what_the_tabs_of_a_workspace_share_is_shown_and_not_changed_here() {
    let cell = crate::gateway::Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let theme = json!({ "version": 1, "value": "\"dark\"" });
    let kept = json!({ "revision": 1, "values": { "theme": theme } });
    cell.call(&pod, "PUT", "/api/v5/sidecar/state", Some(kept))
        .await
        .expect(204);
    let app = &cell.app;
    let list = app.call(&pod.person, "GET", SESSIONS, None).await;
    let list = list.expect(200).json();
    assert_eq!(list["items"][0]["shared"], true);
    let path = path(&list["items"][0]);
    let read = app.call(&pod.person, "GET", &path, None).await.expect(200);
    assert!(read.text.contains("dark"));
    let body = Some(json!({ "state": {} }));
    app.call(&pod.person, "PUT", &path, body)
        .await
        .expect_problem(409, "conflict");
}
