//! One stream for all of a person's workspaces.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    events::Events,
    harness::{App, PASSWORD},
};

const ALL: &str = "/api/v5/workspaces";

#[tokio::test]
async fn one_stream_shows_every_workspace_and_each_change_of_one() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let eve = app.person("eve@example.com").await;
    let path = app.workspace(&person).await;
    let mut events = Events::open(&app, &person, ALL, None).await;
    let first = events.expect_workspace().await.data;
    assert_eq!(first, app.workspaces(&person).await[0]);

    app.call(&person, "PATCH", &path, Some(json!({ "name": "thesis" })))
        .await
        .expect(200);
    assert_eq!(events.expect_workspace().await.data["name"], "thesis");

    // One that comes later is followed like those that were there; a stranger's is not.
    app.call(&eve, "POST", ALL, Some(json!({ "name": "eves" })))
        .await
        .expect(201);
    let made = app
        .call(&person, "POST", ALL, Some(json!({ "name": "second" })))
        .await
        .expect(201)
        .json();
    let second = format!("{ALL}/{}", made["id"].as_str().unwrap());
    let mut told = events.expect_workspace().await.data;
    while told["id"] != made["id"] {
        // The plan's share of the first may be another now.
        assert_eq!(told["id"], first["id"]);
        told = events.expect_workspace().await.data;
    }
    app.call(&person, "POST", &format!("{second}/stop"), None)
        .await
        .expect(202);
    let stopped = events.expect_workspace().await.data;
    assert_eq!(
        (&stopped["id"], &stopped["power"]["wanted"]),
        (&made["id"], &json!("off"))
    );

    let erase = json!({ "password": PASSWORD });
    let erased = app
        .call(&person, "POST", &format!("{second}/erase"), Some(erase))
        .await;
    assert!(erased.status < 300, "{erased:?}");
    let gone = loop {
        let event = events.next().await.unwrap();
        if event.kind == "gone" {
            break event.data;
        }
        assert_eq!(event.kind, "workspace");
    };
    assert_eq!(gone, json!({ "id": made["id"] }));

    let logout = app.request("POST", "/api/v5/auth/logout");
    app.send(logout.header("cookie", &person.cookie)).await;
    assert_eq!(events.expect_end().await, "signed_out");
}

#[tokio::test]
async fn a_new_stream_begins_with_all() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    app.call(&person, "POST", ALL, Some(json!({ "name": "second" })))
        .await
        .expect(201);
    let listed: BTreeSet<String> = app
        .workspaces(&person)
        .await
        .iter()
        .map(|one| one["id"].to_string())
        .collect();
    assert_eq!(listed.len(), 2);
    for _ in 0..2 {
        let mut events = Events::open(&app, &person, ALL, None).await;
        let mut seen = BTreeSet::new();
        for _ in 0..2 {
            seen.insert(events.expect_workspace().await.data["id"].to_string());
        }
        assert_eq!(seen, listed);
    }
}
