//! Every operation of the document is behind the door or on the list of those that are open.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    api_keys,
    harness::{App, Person},
};

/// What anybody may call, and why.
const PUBLIC: &[(&str, &str)] = &[
    ("post", "/api/v5/auth/register"), // nobody has an account before it
    ("get", "/api/v5/auth/registrations/{id}"), // the id is the secret
    ("post", "/api/v5/auth/registrations/{id}/session"), // the id is the secret, once
    ("post", "/api/v5/auth/verify-email"), // checks a code that only a letter tells
    ("post", "/api/v5/auth/forgot-password"), // answers alike for every address
    ("post", "/api/v5/auth/reset-password"), // checks a code that only a letter tells
    ("post", "/api/v5/auth/login/second-factor"), // checks what a right password gave, and a code
    ("post", "/api/v5/auth/login"),    // checks a password
    ("post", "/api/v5/auth/refresh"),  // checks the refresh cookie
    ("post", "/api/v5/auth/logout"),   // takes away, gives nothing
    ("get", "/api/v5/auth/providers"), // for the sign-in page
    ("get", "/api/v5/auth/{provider}"), // before one is in
    ("get", "/api/v5/auth/{provider}/callback"), // the browser's cookie and the provider's code
    ("post", "/api/v5/auth/identity/session"), // the browser's cookie and a code
    ("get", "/api/v5/plans"),          // a price list
    ("get", "/health"),                // for machines
    ("get", "/health/ready"),
    ("get", "/health/fdb"),
    ("get", "/metrics"),
    ("get", "/.well-known/jwks.json"),
];

/// What a signed-in person may do and no API key, and why.
const NO_KEY: &[(&str, &str)] = &[
    ("patch", "/api/v5/me"),                // who the person is, is theirs to say
    ("delete", "/api/v5/me"),               // asks for the password
    ("get", "/api/v5/me/export"),           // everything at once: for the person alone
    ("post", "/api/v5/me/restore"),         // a marked person's keys are none
    ("put", "/api/v5/me/password"),         // asks for the password
    ("put", "/api/v5/me/email"),            // asks for the password
    ("get", "/api/v5/me/second-factor"),    // sign-ins
    ("post", "/api/v5/me/second-factor"),   // asks for the password
    ("delete", "/api/v5/me/second-factor"), // asks for the password
    ("post", "/api/v5/me/second-factor/confirm"), // sign-ins
    ("get", "/api/v5/me/logins"),           // sign-ins
    ("delete", "/api/v5/me/logins/{id}"),   // sign-ins
    ("get", "/api/v5/me/connections"),      // sign-ins
    ("post", "/api/v5/me/connections/{provider}"), // sign-ins
    ("delete", "/api/v5/me/connections/{provider}"), // sign-ins
    ("get", "/api/v5/me/api-keys"),         // keys themselves
    ("post", "/api/v5/me/api-keys"),        // keys themselves
    ("delete", "/api/v5/me/api-keys/{id}"), // keys themselves
    ("put", "/api/v5/tenant/plan"),         // costs money
    ("get", "/api/v5/tenants"),             // a key is of one tenant
    ("get", "/api/v5/me/left-behind"),      // a key is of one tenant
    ("post", "/api/v5/tenants/{id}/switch"), // is of a sign-in
    ("post", "/api/v5/tenant/leave"),       // the person goes themselves
    ("post", "/api/v5/tenant/members/{id}/hand-over"), // gives a person's files away
    ("get", "/api/v5/me/invitations"),      // the person joins themselves
    ("post", "/api/v5/me/invitations/{id}/accept"), // the person joins themselves
    ("post", "/api/v5/me/invitations/{id}/decline"), // the person joins themselves
    ("post", "/api/v5/workspaces/{id}/connect"), // lets a browser in as the person
    ("put", "/api/v5/workspaces/{id}/activity"), // says that a person is there
    ("post", "/api/v5/workspaces/{id}/erase"), // asks for the password
];

/// What administrators of the installation call: by their own sign-in alone. Who else may not is tried beside them.
const ADMINISTRATORS: &str = "/api/v5/admin/";

/// What workspaces' gateways call, each with what a pod has.
const GATEWAYS: &str = "/api/v5/sidecar/";

async fn operations(app: &App) -> Vec<(String, String, Value)> {
    let document = app.get("/openapi.json").await.expect(200).json();
    let paths = document["paths"].as_object().unwrap();
    let mut all = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.clone(), path.clone(), operation.clone()));
        }
    }
    assert!(all.len() > 20, "the document lost its operations");
    all
}

fn is_public(method: &str, path: &str) -> bool {
    PUBLIC.contains(&(method, path))
}

/// A body that passes every check of form, so that nothing but the door can refuse.
fn body(method: &str, path: &str) -> Option<Value> {
    match (method, path) {
        ("patch", "/api/v5/me") => Some(json!({ "display_name": "Eve" })),
        ("delete", "/api/v5/me") => {
            Some(json!({ "password": "correct horse battery", "mode": "now" }))
        }
        ("post", "/api/v5/workspaces/{id}/erase") => {
            Some(json!({ "password": "correct horse battery" }))
        }
        ("post", "/api/v5/me/connections/{provider}") => {
            Some(json!({ "password": "correct horse battery" }))
        }
        ("put", "/api/v5/me/password") => Some(
            json!({ "current_password": "correct horse battery", "new_password": "staple staple staple" }),
        ),
        ("post" | "delete", "/api/v5/me/second-factor") => {
            Some(json!({ "password": "correct horse battery" }))
        }
        ("post", "/api/v5/me/second-factor/confirm") => Some(json!({ "code": "123456" })),
        ("put", "/api/v5/me/email") => {
            Some(json!({ "current_password": "correct horse battery", "email": "eve@example.org" }))
        }
        ("put", "/api/v5/workspaces/{id}/activity") => {
            Some(json!({ "input_at": "2026-01-01T00:00:00Z" }))
        }
        ("post", "/api/v5/sidecar/codes/redeem") => Some(json!({ "code": "A".repeat(107) })),
        ("put", "/api/v5/sidecar/heartbeat") => {
            Some(json!({ "used": "idle", "sockets": 0, "waiting": 0 }))
        }
        ("post", "/api/v5/sidecar/files") => Some(
            json!({ "queue": "00000000-0000-4000-8000-000000000000", "number": 1, "events": [] }),
        ),
        ("post", "/api/v5/sidecar/files/wanted") => Some(json!({ "contents": [] })),
        ("post", "/api/v5/sidecar/restores/{restore}") => {
            Some(json!({ "outcome": "done", "beside": null }))
        }
        ("put", "/api/v5/sidecar/state") => Some(json!({ "revision": 1, "values": {} })),
        ("post", "/api/v5/me/api-keys") => Some(json!({ "name": "script" })),
        ("post", "/api/v5/sessions") => {
            Some(json!({ "workspace": "00000000-0000-4000-8000-000000000000", "state": {} }))
        }
        ("put", "/api/v5/sessions/{id}") => Some(json!({ "state": {} })),
        ("patch", "/api/v5/tenant/members/{id}") => Some(json!({ "role": "admin" })),
        ("post", "/api/v5/tenant/members/{id}/hand-over") => Some(json!({ "to": null })),
        ("post", "/api/v5/tenant/invitations") => {
            Some(json!({ "email": "carol@example.com", "role": "member" }))
        }
        ("post", "/api/v5/me/invitations/{id}/accept" | "/api/v5/me/invitations/{id}/decline") => {
            Some(json!({ "code": "x" }))
        }
        ("put", "/api/v5/tenant/plan") => Some(json!({ "plan": "pro" })),
        ("post", "/api/v5/workspaces") | ("patch", "/api/v5/workspaces/{id}") => {
            Some(json!({ "name": "x" }))
        }
        _ => None,
    }
}

#[tokio::test]
async fn everything_else_needs_an_access_token() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let id = app
        .workspace(&ada)
        .await
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let version = app.version().await;
    let wrong = [
        "Bearer x.y.z".to_owned(),
        "Bearer ".to_owned(),
        "Basic YTpi".to_owned(),
        ada.token.clone(),
        format!("Bearer {}x", ada.token),
        format!("Token {}", ada.token),
    ];
    for (method, path, operation) in operations(&app).await {
        let needed = match path.as_str() {
            "/api/v5/sidecar/credential" => "pod_token",
            path if path.starts_with(GATEWAYS) => "gateway_credential",
            _ => "access_token",
        };
        let protected = operation["security"].as_array().is_some_and(|all| {
            let known = |one: &Value| one.get(needed).is_some() || one.get("api_key").is_some();
            all.iter().all(known) && all[0].get(needed).is_some()
        });
        assert_eq!(
            protected,
            !is_public(&method, &path),
            "decide who may call {method} {path}"
        );
        if !protected {
            continue;
        }
        let address = path.replace("{id}", &id);
        // A person's own token is of no use where gateways call.
        let persons = (needed != "access_token").then(|| format!("Bearer {}", ada.token));
        let wrong = wrong.iter().chain(&persons).map(Some);
        for authorization in std::iter::once(None).chain(wrong) {
            let mut request = app.request(&method.to_uppercase(), &address);
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            if let Some(body) = body(&method, &path) {
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
async fn a_key_opens_what_its_scope_says_and_nothing_else() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let id = app.workspace(&ada).await;
    let id = id.rsplit('/').next().unwrap();
    let document = app.get("/openapi.json").await.expect(200).json();
    let scopes = document["components"]["schemas"]["Scope"]["enum"].clone();
    let mut programs = Vec::new();
    for scope in scopes.as_array().unwrap() {
        let scope = scope.as_str().unwrap();
        let key = api_keys::make(&app, &ada, &[scope]).await;
        programs.push((scope, api_keys::program(&key)));
    }
    let (mut opened, mut used) = (0, BTreeSet::new());
    for (method, path, operation) in operations(&app).await {
        if operation["security"][0].get("access_token").is_none() {
            continue;
        }
        let asked = operation["security"][1]["api_key"][0].as_str();
        assert_eq!(
            asked.is_none(),
            NO_KEY.contains(&(method.as_str(), path.as_str())) || path.starts_with(ADMINISTRATORS),
            "decide whether a key may {method} {path}"
        );
        for (scope, program) in &programs {
            let address = path.replace("{id}", id);
            let mut request = app
                .request(&method.to_uppercase(), &address)
                .bearer_auth(&program.token);
            if let Some(body) = body(&method, &path) {
                request = request.json(&body);
            }
            // Not read to its end: some of these are streams.
            let answer = request.send().await.unwrap();
            let (status, length) = (answer.status().as_u16(), answer.content_length());
            let refused = status == 403 && length.is_some() && {
                let problem: Value = answer.json().await.unwrap();
                problem["type"] == "/problems/forbidden"
            };
            assert_ne!(status, 401, "{scope}: {method} {path}");
            assert_eq!(refused, asked != Some(*scope), "{scope}: {method} {path}");
            opened += usize::from(!refused);
        }
        used.extend(asked.map(str::to_owned));
    }
    assert_eq!(used.len(), programs.len(), "a scope opens nothing");
    assert!(opened >= 20, "{opened}");
}

#[tokio::test]
async fn somebody_elses_things_look_as_if_they_were_not_there() {
    let app = App::start().await;
    let (ada, eve) = (
        app.person("ada@example.com").await,
        app.person("eve@example.com").await,
    );
    let id = app
        .workspace(&ada)
        .await
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let nobodys = "00000000-0000-4000-8000-000000000000";
    let version = app.version().await;
    let mut seen = 0;
    for (method, path, _) in operations(&app).await {
        let anybodys = is_public(&method, &path) || path.starts_with(ADMINISTRATORS);
        if anybodys || !path.contains("{id}") {
            continue;
        }
        let mut answers = Vec::new();
        for id in [id.as_str(), nobodys] {
            let answer = app
                .call(
                    &eve,
                    &method.to_uppercase(),
                    &path.replace("{id}", id),
                    body(&method, &path),
                )
                .await;
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
    assert!(!listed.text.contains(&id));
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

#[tokio::test]
async fn a_gateways_credential_opens_nothing_of_a_persons() {
    let cell = crate::gateway::Cell::start().await;
    let pod = cell.pod("ada@example.com").await;
    let id = pod.workspace.to_string();
    let version = cell.app.version().await;
    let mut seen = 0;
    for (method, path, operation) in operations(&cell.app).await {
        let of_person = operation["security"][0].get("access_token").is_some();
        if !of_person {
            continue;
        }
        let address = path.replace("{id}", &id);
        let answer = cell
            .call(&pod, &method.to_uppercase(), &address, body(&method, &path))
            .await;
        answer.expect_problem(401, "unauthenticated");
        seen += 1;
    }
    assert!(seen >= 15, "{seen}");
    assert_eq!(cell.app.version().await, version, "something was written");
}
