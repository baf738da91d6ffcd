//! What a person does with workspaces.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{App, PASSWORD};

fn named(name: &str) -> Option<Value> {
    Some(json!({ "name": name }))
}

#[tokio::test]
async fn workspaces_are_made_up_to_the_plans_limit() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let made = app
        .call(&person, "POST", "/api/v5/workspaces", named("thesis"))
        .await
        .expect(201);
    assert_eq!(made.json()["name"], "thesis");
    let shown = app
        .call(&person, "GET", made.header("location"), None)
        .await
        .expect(200);
    assert_eq!(
        (shown.json(), shown.header("etag")),
        (made.json(), made.header("etag"))
    );
    let body = app
        .call(&person, "POST", "/api/v5/workspaces", named("third"))
        .await
        .expect_problem(403, "limit-reached");
    assert_eq!(body["limit"], "workspaces");
    assert!(
        body["detail"].as_str().unwrap().contains("larger plan"),
        "{body}"
    );
}

#[tokio::test]
async fn the_same_key_always_names_the_same_workspace() {
    let app = App::start().await;
    let (ada, bob) = (
        app.person("ada@example.com").await,
        app.person("bob@example.com").await,
    );
    let key = ("idempotency-key", "one");
    let first = app
        .call_with(&ada, "POST", "/api/v5/workspaces", key, named("thesis"))
        .await
        .expect(201)
        .json();
    let again = app
        .call_with(&ada, "POST", "/api/v5/workspaces", key, named("thesis"))
        .await
        .expect(201)
        .json();
    assert_eq!(first, again);
    assert_eq!(app.workspaces(&ada).await.len(), 2);
    let others = app
        .call_with(&bob, "POST", "/api/v5/workspaces", key, named("thesis"))
        .await
        .expect(201)
        .json();
    assert_ne!(first["id"], others["id"]);
}

#[tokio::test]
async fn pages_follow_one_another_without_loss_or_repetition() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    app.call(
        &person,
        "PUT",
        "/api/v5/tenant/plan",
        Some(json!({ "plan": "pro" })),
    )
    .await
    .expect(200);
    for count in 0..6 {
        app.call(
            &person,
            "POST",
            "/api/v5/workspaces",
            named(&format!("number {count}")),
        )
        .await
        .expect(201);
    }
    let mut seen = BTreeSet::new();
    let mut path = "/api/v5/workspaces?limit=3".to_owned();
    for expected in [3, 3, 1] {
        let page = app
            .call(&person, "GET", &path, None)
            .await
            .expect(200)
            .json();
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), expected);
        assert!(
            items
                .iter()
                .all(|item| seen.insert(item["id"].as_str().unwrap().to_owned()))
        );
        path = format!(
            "/api/v5/workspaces?limit=3&cursor={}",
            page["next_cursor"].as_str().unwrap_or("none")
        );
    }
    assert!(path.ends_with("none") && seen.len() == 7);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=%00", "cursor"),
        ("limt=3", "limt"),
        ("limit=1&limit=2", "limit"),
    ] {
        let body = app
            .call(&person, "GET", &format!("/api/v5/workspaces?{query}"), None)
            .await
            .expect_problem(422, "invalid-input");
        assert_eq!(body["field"], field, "{query}");
    }
}

#[tokio::test]
async fn a_rename_needs_the_present_state_if_it_names_one() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let tag = app
        .call(&person, "GET", &path, None)
        .await
        .expect(200)
        .header("etag")
        .to_owned();
    // What the system changes does not stand in a person's way, and is noticed by whoever reads.
    app.commit(&person, &path, "c0ffee").await;
    app.call_with(&person, "GET", &path, ("if-none-match", &tag), None)
        .await
        .expect(200);
    let renamed = app
        .call_with(&person, "PATCH", &path, ("if-match", &tag), named("thesis"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (renamed["name"].as_str(), renamed["phase"].as_str()),
        (Some("thesis"), Some("committed"))
    );
    app.call_with(&person, "PATCH", &path, ("if-match", &tag), named("other"))
        .await
        .expect_problem(412, "precondition-failed");
    assert_eq!(
        app.call(&person, "GET", &path, None)
            .await
            .expect(200)
            .json()["name"],
        "thesis"
    );
}

#[tokio::test]
async fn power_changes_without_a_new_request_to_git() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    app.commit(&person, &path, "c0ffee").await;
    let stopped = app
        .call(&person, "POST", &format!("{path}/stop"), None)
        .await
        .expect(202)
        .json();
    assert_eq!(
        (
            stopped["power"]["wanted"].as_str(),
            stopped["phase"].as_str(),
            stopped["commit"].as_str()
        ),
        (Some("off"), Some("committed"), Some("c0ffee"))
    );
    let started = app
        .call(&person, "POST", &format!("{path}/start"), None)
        .await
        .expect(202)
        .json();
    assert_eq!(started["power"]["wanted"], "on");
}

#[tokio::test]
async fn a_marked_workspace_can_be_restored() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let marked = app
        .call(&person, "DELETE", &path, None)
        .await
        .expect(202)
        .json();
    assert_eq!(
        (marked["phase"].as_str(), marked["power"]["wanted"].as_str()),
        (Some("deleting"), Some("off"))
    );
    let until: jiff::Timestamp = marked["deletes_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(until.duration_since(app.now()).as_hours(), 7 * 24);
    app.call(&person, "POST", &format!("{path}/start"), None)
        .await
        .expect_problem(409, "conflict");
    let restored = app
        .call(&person, "POST", &format!("{path}/restore"), None)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&restored["deletes_at"], restored["phase"].as_str()),
        (&json!(null), Some("requested"))
    );
}

#[tokio::test]
async fn a_workspace_is_erased_only_by_who_knows_the_password() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let erase = |password: &str| {
        let body = Some(json!({ "password": password }));
        let address = format!("{path}/erase");
        let (app, person) = (&app, &person);
        async move { app.call(person, "POST", &address, body).await }
    };
    // An access token alone does nothing that cannot be undone.
    app.call(&person, "DELETE", &format!("{path}?mode=now"), None)
        .await
        .expect(202);
    let version = app.version().await;
    app.call(&person, "POST", &format!("{path}/erase"), Some(json!({})))
        .await
        .expect_problem(422, "invalid-input");
    let body = erase("wrong horse battery")
        .await
        .expect_problem(422, "invalid-input");
    assert_eq!(body["field"], "password");
    assert_eq!(app.version().await, version, "something was written");

    erase(PASSWORD).await.expect(204);
    app.call(&person, "GET", &path, None)
        .await
        .expect_problem(404, "not-found");
    erase(PASSWORD).await.expect_problem(404, "not-found");
    assert!(app.workspaces(&person).await.is_empty());
}

#[tokio::test]
async fn a_policy_that_lost_a_cell_or_plan_is_said_to_be_the_reason() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    app.policy
        .send_modify(|policy| std::sync::Arc::make_mut(policy).cells.clear());
    assert_eq!(
        app.call(&person, "GET", &path, None)
            .await
            .expect(200)
            .json()["url"],
        json!(null)
    );
    let body = app
        .call(&person, "POST", "/api/v5/workspaces", named("more"))
        .await
        .expect_problem(503, "unavailable");
    assert!(body["detail"].as_str().unwrap().contains("cell"), "{body}");
}
