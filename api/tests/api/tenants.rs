//! Tenants: invitations, and where a person acts.

use serde_json::{Value, json};

use crate::{
    api_keys::{make, program},
    harness::{App, PASSWORD, Person},
    letters,
};

pub(crate) const INVITATIONS: &str = "/api/v5/tenant/invitations";

pub(crate) async fn invite(app: &App, by: &Person, email: &str, role: &str) -> Value {
    let body = json!({ "email": email, "role": role });
    let answer = app.call(by, "POST", INVITATIONS, Some(body)).await;
    answer.expect(201).json()
}

pub(crate) async fn answer(app: &App, person: &Person, invitation: &Value, verb: &str) -> Value {
    let path = format!(
        "/api/v5/me/invitations/{}/{verb}",
        invitation["id"].as_str().unwrap()
    );
    let body = json!({ "code": invitation["code"] });
    let answered = app.call(person, "POST", &path, Some(body)).await;
    if verb == "accept" {
        answered.expect(201).json()
    } else {
        answered.expect(204);
        Value::Null
    }
}

/// A token of the same login, for the tenant.
pub(crate) async fn switch(app: &App, person: &Person, tenant: &Value) -> Person {
    let path = format!("/api/v5/tenants/{}/switch", tenant.as_str().unwrap());
    let switched = app.call(person, "POST", &path, None).await.expect(200);
    let token = switched.json()["access_token"].as_str().unwrap().to_owned();
    Person {
        token,
        cookie: person.cookie.clone(),
    }
}

/// Signs somebody up, who joins the host's tenant and acts there.
pub(crate) async fn join(app: &App, host: &Person, email: &str, role: &str) -> Person {
    let person = app.person(email).await;
    let invitation = invite(app, host, email, role).await;
    let joined = answer(app, &person, &invitation, "accept").await;
    switch(app, &person, &joined["tenant"]).await
}

#[tokio::test]
async fn an_invitation_is_for_one_address_and_one_use() {
    let app = App::start().await;
    let (ada, bob, eve) = (
        app.person("ada@example.com").await,
        app.person("bob@example.com").await,
        app.person("eve@example.com").await,
    );
    let invitation = invite(&app, &ada, "bob@example.com", "admin").await;
    assert!(invitation["code"].is_string());
    let listed = app.call(&ada, "GET", INVITATIONS, None).await.expect(200);
    assert_eq!(listed.json()["items"][0]["id"], invitation["id"]);
    assert!(!listed.text.contains("code"));

    let path = format!(
        "/api/v5/me/invitations/{}/accept",
        invitation["id"].as_str().unwrap()
    );
    let code = Some(json!({ "code": invitation["code"] }));
    app.call(&eve, "POST", &path, code.clone())
        .await
        .expect_problem(404, "not-found");
    for wrong in [json!({ "code": "guess" }), json!({ "code": "" })] {
        app.call(&bob, "POST", &path, Some(wrong))
            .await
            .expect_problem(404, "not-found");
    }
    // Addresses are not verified here, so the address alone proves nothing.
    let problem = app
        .call(&bob, "POST", &path, Some(json!({})))
        .await
        .expect_problem(422, "invalid-input");
    assert_eq!(problem["field"], "code");
    let mine = app.call(&bob, "GET", "/api/v5/me/invitations", None).await;
    let mine = mine.expect(200).json();
    assert_eq!(
        (&mine["items"][0]["id"], &mine["items"][0]["needs_code"]),
        (&invitation["id"], &json!(true))
    );

    app.call(&bob, "POST", &path, code.clone())
        .await
        .expect(201);
    app.call(&bob, "POST", &path, code)
        .await
        .expect_problem(404, "not-found");
    let again = json!({ "email": "bob@example.com", "role": "member" });
    app.call(&ada, "POST", INVITATIONS, Some(again))
        .await
        .expect_problem(409, "conflict");
}

#[tokio::test]
async fn an_invitation_ends_after_seven_days_or_when_it_is_taken_back_or_declined() {
    let app = App::start().await;
    let (ada, bob) = (
        app.person("ada@example.com").await,
        app.person("bob@example.com").await,
    );
    let mine = async |bob: &Person| {
        let listed = app.call(bob, "GET", "/api/v5/me/invitations", None).await;
        listed.expect(200).json()["items"].as_array().unwrap().len()
    };
    let taken_back = invite(&app, &ada, "bob@example.com", "member").await;
    let path = format!("{INVITATIONS}/{}", taken_back["id"].as_str().unwrap());
    app.call(&ada, "DELETE", &path, None).await.expect(204);
    app.call(&ada, "DELETE", &path, None)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(mine(&bob).await, 0);

    let declined = invite(&app, &ada, "bob@example.com", "member").await;
    answer(&app, &bob, &declined, "decline").await;
    assert_eq!(mine(&bob).await, 0);

    let late = invite(&app, &ada, "bob@example.com", "member").await;
    assert_eq!(mine(&bob).await, 1);
    app.advance(7 * 86_400);
    let bob = Person::of(&app.login("bob@example.com", PASSWORD).await.expect(200));
    assert_eq!(mine(&bob).await, 0);
    let path = format!(
        "/api/v5/me/invitations/{}/accept",
        late["id"].as_str().unwrap()
    );
    app.call(&bob, "POST", &path, Some(json!({ "code": late["code"] })))
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn nobody_invites_above_their_role() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = join(&app, &ada, "bob@example.com", "admin").await;
    let carol = join(&app, &ada, "carol@example.com", "member").await;
    for (by, role) in [(&bob, "owner"), (&carol, "member")] {
        let body = json!({ "email": "dan@example.com", "role": role });
        app.call(by, "POST", INVITATIONS, Some(body))
            .await
            .expect_problem(403, "forbidden");
    }
    invite(&app, &bob, "dan@example.com", "admin").await;
    for path in [INVITATIONS, "/api/v5/tenant/audit"] {
        app.call(&carol, "GET", path, None)
            .await
            .expect_problem(403, "forbidden");
    }
    let body = json!({ "email": "no address", "role": "member" });
    app.call(&bob, "POST", INVITATIONS, Some(body))
        .await
        .expect_problem(422, "invalid-input");
    // The same attempt invites once.
    let mut ids = Vec::new();
    for _ in 0..2 {
        let body = json!({ "email": "fay@example.com", "role": "member" });
        let header = ("idempotency-key", "fay");
        let answer = app
            .call_with(&bob, "POST", INVITATIONS, header, Some(body))
            .await;
        ids.push(answer.expect(201).json());
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_person_acts_in_one_tenant_at_a_time() {
    let app = App::start().await;
    let (ada, bob) = (
        app.person("ada@example.com").await,
        app.person("bob@example.com").await,
    );
    let own = app.workspaces(&bob).await[0]["id"].clone();
    app.advance(1);
    let invitation = invite(&app, &ada, "bob@example.com", "member").await;
    let joined = answer(&app, &bob, &invitation, "accept").await;
    let tenants = async |person: &Person| {
        let listed = app.call(person, "GET", "/api/v5/tenants", None).await;
        let listed = listed.expect(200).json()["items"]
            .as_array()
            .unwrap()
            .clone();
        let present = listed.iter().map(|item| item["present"].as_bool().unwrap());
        present.collect::<Vec<_>>()
    };
    assert_eq!(tenants(&bob).await, [true, false]);
    let there = switch(&app, &bob, &joined["tenant"]).await;
    assert_eq!(tenants(&there).await, [false, true]);
    let tenant = app.call(&there, "GET", "/api/v5/tenant", None).await;
    let tenant = tenant.expect(200).json();
    assert_eq!(
        (&tenant["id"], &tenant["role"]),
        (&joined["tenant"], &json!("member"))
    );
    assert_eq!(app.workspaces(&there).await[0]["id"], joined["workspace"]);
    assert_eq!(app.workspaces(&bob).await[0]["id"], own);

    // The login stays there when it is refreshed; another begins at home.
    let refreshed = Person::of(&app.refresh(&bob.cookie).await.expect(200));
    assert_eq!(tenants(&refreshed).await, [false, true]);
    let elsewhere = Person::of(&app.login("bob@example.com", PASSWORD).await.expect(200));
    assert_eq!(tenants(&elsewhere).await, [true, false]);

    // Who has left is at home again.
    app.call(&refreshed, "POST", "/api/v5/tenant/leave", None)
        .await
        .expect(204);
    let path = format!("/api/v5/tenants/{}/switch", tenant["id"].as_str().unwrap());
    app.call(&refreshed, "POST", &path, None)
        .await
        .expect_problem(409, "conflict");
    app.advance(60);
    let home = Person::of(&app.refresh(&refreshed.cookie).await.expect(200));
    assert_eq!(tenants(&home).await, [true, false]);
    assert_eq!(app.workspaces(&home).await[0]["id"], own);
    app.call(&ada, "POST", "/api/v5/tenant/leave", None)
        .await
        .expect_problem(409, "conflict");
}

#[tokio::test]
async fn an_address_that_was_verified_is_proof_enough() {
    let app = App::with(letters::with_mail).await;
    let (ada, bob) = (
        letters::member(&app, "ada@example.com").await,
        letters::member(&app, "bob@example.com").await,
    );
    let invitation = invite(&app, &ada, "bob@example.com", "member").await;
    let mine = app.call(&bob, "GET", "/api/v5/me/invitations", None).await;
    assert_eq!(mine.expect(200).json()["items"][0]["needs_code"], false);
    let path = format!(
        "/api/v5/me/invitations/{}/accept",
        invitation["id"].as_str().unwrap()
    );
    app.call(&ada, "POST", &path, Some(json!({})))
        .await
        .expect_problem(404, "not-found");
    app.call(&bob, "POST", &path, Some(json!({})))
        .await
        .expect(201);
}

#[tokio::test]
async fn the_code_goes_to_the_address_where_letters_are_sent() {
    let app = App::with(|config| config.mail = coditect_api::Delivery::Mailbox).await;
    let (ada, bob) = (
        app.person("ada@example.com").await,
        app.person("bob@example.com").await,
    );
    let invitation = invite(&app, &ada, "bob@example.com", "member").await;
    assert!(invitation.get("code").is_none());
    let letters = app.get("/dev/mailbox").await.expect(200).text;
    let (_, code) = letters.split_once("/invitation#code=").unwrap();
    let code: String = code.chars().take(36 + 1 + 43).collect();
    assert!(code.starts_with(invitation["id"].as_str().unwrap()));
    assert!(letters.contains("bob@example.com") && letters.contains("ada@example.com"));
    let path = format!(
        "/api/v5/me/invitations/{}/accept",
        invitation["id"].as_str().unwrap()
    );
    app.call(&bob, "POST", &path, Some(json!({ "code": code })))
        .await
        .expect(201);
    // An address is not flooded, whoever asks.
    for at in 0..4 {
        let body = json!({ "email": "carol@example.com", "role": "member" });
        let answer = app.call(&ada, "POST", INVITATIONS, Some(body)).await;
        if at < 3 {
            answer.expect(201);
        } else {
            answer.expect_problem(429, "too-many-requests");
        }
    }
}

#[tokio::test]
async fn a_key_is_of_the_tenant_in_which_it_was_made() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = app.person("bob@example.com").await;
    let own = app.workspace(&bob).await;
    let invitation = invite(&app, &ada, "bob@example.com", "member").await;
    let joined = answer(&app, &bob, &invitation, "accept").await;
    let scopes = ["workspaces:read", "workspaces:write", "files:read"];
    let at_home = program(&make(&app, &bob, &scopes).await);
    let there = switch(&app, &bob, &joined["tenant"]).await;
    let made_there = program(&make(&app, &there, &scopes).await);
    let other = app.workspace(&there).await;
    for (script, open, closed) in [(&at_home, &own, &other), (&made_there, &other, &own)] {
        app.call(script, "GET", open, None).await.expect(200);
        for (method, path) in [
            ("GET", closed.clone()),
            ("DELETE", closed.clone()),
            ("POST", format!("{closed}/start")),
            ("GET", format!("{closed}/events")),
            ("GET", format!("{closed}/files")),
            // The same id in other characters.
            ("GET", closed.replacen('-', "%2D", 1)),
        ] {
            app.call(script, method, &path, None)
                .await
                .expect_problem(404, "not-found");
        }
        assert_eq!(app.workspaces(script).await.len(), 1);
    }
    // The person themselves reaches both.
    for path in [&own, &other] {
        app.call(&bob, "GET", path, None).await.expect(200);
    }
}
