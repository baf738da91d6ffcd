//! Every operation of the document is in the table that says who is let in, and lets in whom it says.

mod bodies;
mod callers;
mod held;
mod table;

use std::collections::BTreeSet;

use serde_json::Value;

use self::{
    bodies::{address, body, fixed},
    callers::{SCOPES, Who, World},
    table::{Row, TABLE, decided},
};
use crate::harness::{App, Person};

async fn operations(app: &App) -> Vec<(String, String, Value)> {
    let document = app.get("/openapi.json").await.expect(200).json();
    let paths = document["paths"].as_object().unwrap();
    let mut all = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.clone(), path.clone(), operation.clone()));
        }
    }
    all
}

/// What has to be shown where not everybody is let in.
fn needed(path: &str) -> &'static str {
    match path {
        "/api/v5/auth/refresh" => "refresh_cookie",
        "/api/v5/sidecar/credential" => "pod_token",
        path if path.starts_with("/api/v5/sidecar/") => "gateway_credential",
        _ => "access_token",
    }
}

fn is_public((_, _, who, ..): &Row) -> bool {
    who.contains(&Who::Nobody)
}

#[tokio::test]
async fn the_document_says_of_every_operation_what_the_table_decides() {
    let app = App::start().await;
    let document = operations(&app).await;
    for (method, path, operation) in &document {
        let row = decided(method, path);
        let security = operation["security"].as_array();
        if is_public(row) {
            let open = security.is_none_or(|all| all.contains(&serde_json::json!({})));
            assert!(open, "{method} {path}");
            continue;
        }
        let security = security.unwrap_or_else(|| panic!("{method} {path} needs nothing"));
        assert!(security[0].get(needed(path)).is_some(), "{method} {path}");
        let scope = security
            .get(1)
            .map(|key| key["api_key"][0].as_str().unwrap());
        assert_eq!(scope, row.3, "{method} {path}");
        assert!(security.len() <= 2, "{method} {path}");
    }
    let known: BTreeSet<_> = TABLE
        .iter()
        .map(|(method, path, ..)| (*method, *path))
        .collect();
    assert_eq!(known.len(), TABLE.len(), "the table decides twice");
    assert_eq!(known.len(), document.len(), "the table knows what is gone");
    let used: BTreeSet<_> = TABLE.iter().filter_map(|row| row.3).collect();
    let named = app.get("/openapi.json").await.expect(200).json();
    let named = &named["components"]["schemas"]["Scope"]["enum"];
    assert_eq!(*named, serde_json::json!(SCOPES));
    assert_eq!(
        used,
        SCOPES.iter().copied().collect(),
        "a scope opens nothing"
    );
}

#[tokio::test]
async fn a_token_that_is_not_quite_one_opens_nothing() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let id = app.workspace(&ada).await;
    let id = id.rsplit('/').next().unwrap();
    let version = app.version().await;
    let wrong = [
        "Bearer x.y.z".to_owned(),
        "Bearer ".to_owned(),
        "Basic YTpi".to_owned(),
        ada.token.clone(),
        format!("Bearer {}x", ada.token),
        format!("Token {}", ada.token),
    ];
    for row in TABLE.iter().filter(|row| !is_public(row)) {
        let (method, path, ..) = row;
        for authorization in &wrong {
            let mut request = app
                .request(&method.to_uppercase(), &path.replace("{id}", id))
                .header("authorization", authorization);
            if let Some(body) = fixed(method, path) {
                request = request.json(&body);
            }
            app.send(request)
                .await
                .expect_problem(401, "unauthenticated");
        }
    }
    assert_eq!(app.version().await, version, "something was written");
}

#[tokio::test]
async fn somebody_elses_things_look_as_if_they_were_not_there() {
    let world = World::start().await;
    let app = &world.cell.app;
    let eve = app.person("eve@example.com").await;
    let nobodys = "00000000-0000-4000-8000-000000000000";
    let version = app.version().await;
    let mut seen = 0;
    for (method, path, who, ..) in TABLE {
        if who.contains(&Who::Nobody)
            || path.starts_with("/api/v5/admin/")
            || !path.contains("{id}")
        {
            continue;
        }
        let mut answers = Vec::new();
        for address in [
            address(&world, path).await,
            address(&world, &path.replace("{id}", nobodys)).await,
        ] {
            let body = body(&world, method, path).await;
            let answer = app.call(&eve, &method.to_uppercase(), &address, body).await;
            let request_id = answer.header("x-request-id").to_owned();
            answers.push(answer.text.replace(&request_id, ""));
            answer.expect_problem(404, "not-found");
        }
        assert_eq!(answers[0], answers[1], "{method} {path}");
        seen += 1;
    }
    assert!(seen >= 10, "{seen}");
    assert_eq!(app.version().await, version, "something was written");
    let listed = app
        .call(&eve, "GET", "/api/v5/workspaces", None)
        .await
        .expect(200);
    assert!(!listed.text.contains(&world.named.workspace));
}

#[tokio::test]
async fn a_token_from_elsewhere_opens_nothing() {
    let (here, elsewhere) = (App::start().await, App::start().await);
    let person = elsewhere.person("ada@example.com").await;
    here.call(&person, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
    here.refresh(&person.cookie)
        .await
        .expect_problem(401, "unauthenticated");
    let none = Person {
        token: String::new(),
        cookie: String::new(),
    };
    here.call(&none, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
}
