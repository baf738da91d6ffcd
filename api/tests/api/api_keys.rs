//! API keys: made, used within their scopes, revoked.

use coditect_registry::record::ApiKey;
use serde_json::{Value, json};

use crate::harness::{App, PASSWORD, Person};

const KEYS: &str = "/api/v5/me/api-keys";

/// Makes a key of these scopes and answers with what the API showed of it.
pub(crate) async fn make(app: &App, person: &Person, scopes: &[&str]) -> Value {
    let body = json!({ "name": "script", "scopes": scopes });
    app.call(person, "POST", KEYS, Some(body))
        .await
        .expect(201)
        .json()
}

/// A program with this key.
pub(crate) fn program(key: &Value) -> Person {
    Person {
        token: key["secret"].as_str().unwrap().to_owned(),
        cookie: String::new(),
    }
}

async fn listed(app: &App, person: &Person) -> Vec<Value> {
    let answer = app.call(person, "GET", KEYS, None).await.expect(200);
    answer.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let made = make(&app, &ada, &["workspaces:read"]).await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with(made["prefix"].as_str().unwrap()) && secret.len() == 52);

    let shown = listed(&app, &ada).await;
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (&shown[0]["id"], &shown[0]["name"], &shown[0]["scopes"]),
        (&made["id"], &json!("script"), &json!(["workspaces:read"]))
    );
    assert!(shown[0].get("secret").is_none() && shown[0]["used_at"].is_null());

    let script = program(&made);
    assert_eq!(app.workspaces(&script).await.len(), 1);
    let first_use = listed(&app, &ada).await[0]["used_at"].clone();
    assert_eq!(first_use, json!(app.now().to_string()));
    // Within the hour nothing more is written.
    let version = app.version().await;
    app.advance(60);
    app.workspaces(&script).await;
    assert_eq!(app.version().await, version);
    app.advance(ApiKey::USED_AGAIN.as_secs());
    app.workspaces(&script).await;
    assert_ne!(app.version().await, version);

    let ada = Person::of(&app.login("ada@example.com", PASSWORD).await.expect(200));
    let path = format!("{KEYS}/{}", made["id"].as_str().unwrap());
    app.call(&ada, "DELETE", &path, None).await.expect(204);
    app.call(&ada, "DELETE", &path, None)
        .await
        .expect_problem(404, "not-found");
    app.call(&script, "GET", "/api/v5/workspaces", None)
        .await
        .expect_problem(401, "unauthenticated");
    assert!(listed(&app, &ada).await.is_empty());
}

#[tokio::test]
async fn a_key_ends_when_it_says() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let end = app.now() + jiff::SignedDuration::from_secs(30);
    let body = json!({ "name": "for today", "expires_at": end });
    let made = app.call(&ada, "POST", KEYS, Some(body)).await.expect(201);
    let script = program(&made.json());
    app.call(&script, "GET", "/api/v5/me", None)
        .await
        .expect(200);
    app.advance(30);
    app.call(&script, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
    assert!(listed(&app, &ada).await.is_empty());
    for (field, body) in [
        (
            "expires_at",
            json!({ "name": "x", "expires_at": app.now() }),
        ),
        ("scopes", json!({ "name": "x", "scopes": [] })),
        (
            "scopes",
            json!({ "name": "x", "scopes": ["profile:read", "profile:read"] }),
        ),
        (
            "scopes[0]",
            json!({ "name": "x", "scopes": ["everything"] }),
        ),
        ("name", json!({ "name": "" })),
    ] {
        let problem = app
            .call(&ada, "POST", KEYS, Some(body))
            .await
            .expect_problem(422, "invalid-input");
        assert_eq!(problem["field"], field);
    }
}

#[tokio::test]
async fn making_a_key_asks_whether_the_person_is_there() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let make = async |password: Option<&str>| {
        let body = json!({ "name": "x", "password": password });
        app.call(&ada, "POST", KEYS, Some(body)).await
    };
    app.advance(200);
    make(None).await.expect(201);
    app.advance(401);
    let cookie = app.refresh(&ada.cookie).await.expect(200);
    let ada = Person::of(&cookie);
    let make = async |password: Option<&str>| {
        let body = json!({ "name": "x", "password": password });
        app.call(&ada, "POST", KEYS, Some(body)).await
    };
    for password in [None, Some("not the right one")] {
        let problem = make(password).await.expect_problem(422, "invalid-input");
        assert_eq!(problem["field"], "password");
    }
    make(Some(PASSWORD)).await.expect(201);
    assert_eq!(listed(&app, &ada).await.len(), 2);
}

#[tokio::test]
async fn an_attempt_sent_again_makes_one_key() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let attempt = async |name: &str| {
        let body = json!({ "name": name });
        let header = ("idempotency-key", "attempt-1");
        app.call_with(&ada, "POST", KEYS, header, Some(body)).await
    };
    let first = attempt("laptop").await.expect(201).json();
    assert_eq!(attempt("laptop").await.expect(201).json(), first);
    assert_eq!(listed(&app, &ada).await.len(), 1);
    let path = format!("{KEYS}/{}", first["id"].as_str().unwrap());
    app.call(&ada, "DELETE", &path, None).await.expect(204);
    attempt("laptop").await.expect_problem(409, "conflict");
}

#[tokio::test]
async fn a_program_is_counted_with_its_person() {
    let app = App::with(|config| {
        config.rates = Some(coditect_api::Rates {
            account: coditect_api::Rate {
                burst: 3,
                per_minute: 1,
            },
            ..coditect_api::Rates::default()
        });
    })
    .await;
    let ada = app.person("ada@example.com").await;
    let script = program(&make(&app, &ada, &["profile:read"]).await);
    app.call(&script, "GET", "/api/v5/me", None)
        .await
        .expect(200);
    // A refusal counts, too.
    app.call(&script, "GET", "/api/v5/workspaces", None)
        .await
        .expect_problem(403, "forbidden");
    for caller in [&script, &ada] {
        app.call(caller, "GET", "/api/v5/me", None)
            .await
            .expect_problem(429, "too-many-requests");
    }
}

#[tokio::test]
async fn what_looks_like_a_key_and_is_none_opens_nothing() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let made = make(&app, &ada, &["profile:read"]).await;
    let secret = made["secret"].as_str().unwrap();
    let mut wrong = secret.to_owned();
    let last = if wrong.ends_with('A') { 'E' } else { 'A' };
    wrong.pop();
    wrong.push(last);
    for token in [
        wrong.as_str(),
        &secret[..51],
        made["prefix"].as_str().unwrap(),
    ] {
        let stranger = Person {
            token: token.to_owned(),
            cookie: String::new(),
        };
        app.call(&stranger, "GET", "/api/v5/me", None)
            .await
            .expect_problem(401, "unauthenticated");
    }
}

/// How often keys were used so.
async fn uses(app: &App, scope: &str, outcome: &str) -> u64 {
    let text = app.get("/metrics").await.expect(200).text;
    let line = format!("coditect_api_key_uses_total{{scope=\"{scope}\",outcome=\"{outcome}\"}} ");
    let found = text.lines().find_map(|found| found.strip_prefix(&line));
    found.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn uses_are_counted_by_scope_and_outcome_and_never_by_key() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let made = make(&app, &ada, &["workspaces:read"]).await;
    let script = program(&made);
    let unknown = Person {
        token: format!("coditect_{}", "A".repeat(43)),
        cookie: String::new(),
    };
    for (key, path, scope, outcome) in [
        (&script, "/api/v5/workspaces", "workspaces:read", "let_in"),
        (&script, "/api/v5/tenant", "tenant:read", "refused"),
        (&script, "/api/v5/me/api-keys", "none", "refused"),
        (&unknown, "/api/v5/workspaces", "workspaces:read", "unknown"),
    ] {
        let before = uses(&app, scope, outcome).await;
        app.call(key, "GET", path, None).await;
        let after = uses(&app, scope, outcome).await;
        assert!(after > before, "{scope} {outcome}");
    }
    let text = app.get("/metrics").await.expect(200).text;
    for id in [&made["id"], &made["prefix"]] {
        assert!(!text.contains(id.as_str().unwrap()));
    }
}
