//! What letters prove: addresses of sign-ups, changed addresses, forgotten passwords.

use coditect_api::{ApiConfig, Delivery, Rates, Verification};
use serde_json::{Value, json};

use crate::harness::{Answer, App, PASSWORD, Person};

const NEW: &str = "another horse battery";

/// As an installation with mail is set up, its letters kept.
pub(crate) fn with_mail(config: &mut ApiConfig) {
    config.verification = Verification::Email;
    config.mail = Delivery::Mailbox;
}

/// The letters to an address, newest first.
pub(crate) async fn letters(app: &App, to: &str) -> Vec<Value> {
    app.settled().await;
    let kept = app.get("/dev/mailbox").await.expect(200).json();
    let all = kept["items"].as_array().unwrap().iter();
    all.filter(|letter| letter["to"] == to).cloned().collect()
}

/// The newest letter to an address.
async fn letter(app: &App, to: &str, subject: &str) -> Value {
    let letter = letters(app, to).await.into_iter().next().unwrap();
    assert_eq!(letter["subject"], subject);
    letter
}

/// The code in a letter's link.
fn code(letter: &Value) -> String {
    let link = letter["links"][0].as_str().unwrap();
    link.split_once("#code=").unwrap().1.to_owned()
}

async fn verify(app: &App, code: &str) -> Answer {
    app.post("/api/v5/auth/verify-email", &json!({ "code": code }))
        .await
}

async fn reset(app: &App, code: &str, password: &str) -> Answer {
    let body = json!({ "code": code, "password": password });
    app.post("/api/v5/auth/reset-password", &body).await
}

/// Asks for a letter for a forgotten password and waits until what the request left behind is done.
async fn forgot(app: &App, email: &str) {
    let body = json!({ "email": email });
    app.post("/api/v5/auth/forgot-password", &body)
        .await
        .expect(202);
    app.settled().await;
}

/// Signs up, proves the address, signs in.
pub(crate) async fn member(app: &App, email: &str) -> Person {
    app.register(email).await.expect(202);
    let code = code(&letter(app, email, "Confirm your address").await);
    verify(app, &code).await.expect(200);
    Person::of(&app.login(email, PASSWORD).await.expect(200))
}

#[tokio::test]
async fn a_workspace_exists_once_the_address_is_proved_and_not_before() {
    let app = App::with(with_mail).await;
    let accepted = app.register("ada@example.com").await.expect(202).json();
    let status = accepted["status_url"].as_str().unwrap();
    assert_eq!(app.get(status).await.json()["state"], "pending");
    let local = "local".parse().unwrap();
    let mut view = app.registry.view().await.unwrap();
    assert_eq!(view.cell_load(&local).await.unwrap(), 0);
    app.login("ada@example.com", PASSWORD)
        .await
        .expect_problem(401, "unauthenticated");

    let code = code(&letter(&app, "ada@example.com", "Confirm your address").await);
    for wrong in ["", "x", &code[1..], &"A".repeat(44)] {
        verify(&app, wrong).await.expect_problem(403, "forbidden");
    }
    reset(&app, &code, NEW)
        .await
        .expect_problem(403, "forbidden");
    for _ in 0..2 {
        let done = verify(&app, &code).await.expect(200).json();
        assert_eq!(done["done"], "sign_up");
    }
    let mut view = app.registry.view().await.unwrap();
    assert_eq!(view.cell_load(&local).await.unwrap(), 1);
    // Whoever made the sign-up is let in where they made it, and everywhere by the password.
    assert_eq!(app.get(status).await.json()["state"], "complete");
    let session = app.request("POST", &format!("{status}/session"));
    let ada = Person::of(&app.send(session).await.expect(200));
    assert_eq!(app.workspaces(&ada).await.len(), 1);
    Person::of(&app.login("ada@example.com", PASSWORD).await.expect(200));
}

#[tokio::test]
async fn who_signs_up_again_is_told_by_letter_alone() {
    let app = App::with(with_mail).await;
    member(&app, "ada@example.com").await;
    let again = app.register("ada@example.com").await.expect(202).json();
    let status = app.get(again["status_url"].as_str().unwrap()).await;
    assert_eq!(status.json()["state"], "pending");
    let told = letter(&app, "ada@example.com", "You have an account already").await;
    assert!(!told.to_string().contains("#code="), "{told}");
}

#[tokio::test]
async fn of_two_sign_ups_of_one_address_the_first_that_is_proved_counts() {
    let app = App::with(with_mail).await;
    app.register("ada@example.com").await.expect(202);
    let first = code(&letter(&app, "ada@example.com", "Confirm your address").await);
    app.register("ada@example.com").await.expect(202);
    let second = code(&letter(&app, "ada@example.com", "Confirm your address").await);
    assert_ne!(first, second);
    verify(&app, &second).await.expect(200);
    verify(&app, &first).await.expect_problem(409, "conflict");
}

#[tokio::test]
async fn without_mail_nobody_waits_for_a_letter_that_never_comes() {
    let app = App::with(|config| config.verification = Verification::Email).await;
    let state = format!("{:?}", app.health.snapshot()["mail"]);
    assert!(state.contains("--mail-relay"), "{state}");
    let version = app.version().await;
    let told = app.register("ada@example.com").await;
    let told = told.expect_problem(503, "unavailable");
    assert!(
        told["detail"].as_str().unwrap().contains("no mail"),
        "{told}"
    );
    let body = json!({ "email": "ada@example.com" });
    let asked = app.post("/api/v5/auth/forgot-password", &body).await;
    asked.expect_problem(404, "no-mail");
    app.get("/dev/mailbox")
        .await
        .expect_problem(404, "not-found");
    assert_eq!(app.version().await, version);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_and_ends_every_sign_in() {
    let app = App::with(with_mail).await;
    let ada = member(&app, "ada@example.com").await;
    forgot(&app, "ada@example.com").await;
    let replaced = code(&letter(&app, "ada@example.com", "Set a new password").await);
    forgot(&app, "ada@example.com").await;
    let newest = code(&letter(&app, "ada@example.com", "Set a new password").await);
    reset(&app, &replaced, NEW)
        .await
        .expect_problem(403, "forbidden");
    verify(&app, &newest).await.expect_problem(403, "forbidden");
    let short = reset(&app, &newest, "short").await;
    assert_eq!(
        short.expect_problem(422, "invalid-input")["field"],
        "password"
    );

    reset(&app, &newest, NEW).await.expect(204);
    letter(&app, "ada@example.com", "Your password was changed").await;
    reset(&app, &newest, NEW)
        .await
        .expect_problem(403, "forbidden");
    app.call(&ada, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
    app.refresh(&ada.cookie)
        .await
        .expect_problem(401, "unauthenticated");
    app.login("ada@example.com", PASSWORD)
        .await
        .expect_problem(401, "unauthenticated");
    Person::of(&app.login("ada@example.com", NEW).await.expect(200));
}

#[tokio::test]
async fn a_code_for_a_forgotten_password_ends_after_an_hour() {
    let app = App::with(with_mail).await;
    member(&app, "ada@example.com").await;
    forgot(&app, "ada@example.com").await;
    let code = code(&letter(&app, "ada@example.com", "Set a new password").await);
    app.advance(3_600);
    reset(&app, &code, NEW)
        .await
        .expect_problem(403, "forbidden");
}

#[tokio::test]
async fn nobody_learns_from_a_forgotten_password_who_has_an_account() {
    let app = App::with(with_mail).await;
    member(&app, "ada@example.com").await;
    let mut answers = Vec::new();
    for email in ["ada@example.com", "eve@example.com"] {
        let body = json!({ "email": email });
        let answer = app.post("/api/v5/auth/forgot-password", &body).await;
        let answer = answer.expect(202);
        let names: Vec<_> = answer.headers.keys().cloned().collect();
        answers.push((answer.text, names));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(letters(&app, "eve@example.com").await.is_empty());
}

#[tokio::test]
async fn letters_that_are_not_sent_replace_none_that_were() {
    let app = App::with(with_mail).await;
    member(&app, "ada@example.com").await;
    for _ in 0..10 {
        forgot(&app, "ada@example.com").await;
    }
    let all = letters(&app, "ada@example.com").await;
    let sent = all
        .iter()
        .filter(|letter| letter["subject"] == "Set a new password");
    assert_eq!(sent.count(), 3);
    reset(&app, &code(&all[0]), NEW).await.expect(204);
}

#[tokio::test]
async fn an_address_changes_when_the_new_one_is_proved() {
    let app = App::with(with_mail).await;
    let ada = member(&app, "ada@example.com").await;
    member(&app, "bob@example.com").await;
    let change = |email: &str, password: &str| {
        let body = json!({ "email": email, "current_password": password });
        app.call(&ada, "PUT", "/api/v5/me/email", Some(body))
    };
    let wrong = change("ada@example.org", NEW).await;
    assert_eq!(
        wrong.expect_problem(422, "invalid-input")["field"],
        "current_password"
    );
    let own = change("ada@example.com", PASSWORD).await;
    assert_eq!(own.expect_problem(422, "invalid-input")["field"], "email");

    // Whose address it is, is told to who reads its mail.
    let taken = change("bob@example.com", PASSWORD).await.expect(202);
    letter(
        &app,
        "bob@example.com",
        "This address has an account already",
    )
    .await;
    let free = change("ada@example.org", PASSWORD).await.expect(202);
    assert_eq!(taken.text, free.text);
    let code = code(&letter(&app, "ada@example.org", "Confirm your new address").await);
    let me = app.call(&ada, "GET", "/api/v5/me", None).await.json();
    assert_eq!(me["email"], "ada@example.com");

    assert_eq!(
        verify(&app, &code).await.expect(200).json()["done"],
        "new_address"
    );
    letter(&app, "ada@example.com", "Your address was changed").await;
    let me = app.call(&ada, "GET", "/api/v5/me", None).await.json();
    assert_eq!(me["email"], "ada@example.org");
    verify(&app, &code).await.expect_problem(403, "forbidden");
    app.login("ada@example.com", PASSWORD)
        .await
        .expect_problem(401, "unauthenticated");
    Person::of(&app.login("ada@example.org", PASSWORD).await.expect(200));
}

#[tokio::test]
async fn who_changes_the_password_is_told() {
    let app = App::with(with_mail).await;
    let ada = member(&app, "ada@example.com").await;
    let body = json!({ "current_password": PASSWORD, "new_password": NEW });
    app.call(&ada, "PUT", "/api/v5/me/password", Some(body))
        .await
        .expect(204);
    letter(&app, "ada@example.com", "Your password was changed").await;
}

#[tokio::test]
async fn the_mailbox_is_shown_to_nobody_who_comes_by_another_name() {
    let app = App::with(with_mail).await;
    member(&app, "ada@example.com").await;
    let foreign = app
        .request("GET", "/dev/mailbox")
        .header("host", "evil.example");
    app.send(foreign).await.expect_problem(404, "not-found");
    let page = app
        .request("GET", "/dev/mailbox")
        .header("accept", "text/html");
    let page = app.send(page).await.expect(200);
    assert!(page.text.contains("Confirm your address"), "{}", page.text);
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
}

#[tokio::test]
async fn a_network_gets_so_many_new_workspaces_an_hour() {
    let app = App::with(|config| {
        with_mail(config);
        config.rates = Some(Rates {
            new_workspaces_an_hour: 2,
            ..Rates::default()
        });
        config.trusted_proxy_hops = 1;
    })
    .await;
    let prove = async |email: &str, from: &str| {
        app.register(email).await.expect(202);
        let code = code(&letter(&app, email, "Confirm your address").await);
        let request = app.request("POST", "/api/v5/auth/verify-email");
        let request = request.header("x-forwarded-for", from);
        app.send(request.json(&json!({ "code": code }))).await
    };
    prove("a@example.com", "2001:db8:1:2::1").await.expect(200);
    prove("b@example.com", "2001:db8:1:2::2").await.expect(200);
    let refused = prove("c@example.com", "2001:db8:1:2:ffff::3").await;
    assert!(refused.headers.contains_key("retry-after"));
    refused.expect_problem(429, "too-many-requests");
    // Nor does whoever has an account already get more.
    let member = Person::of(&app.login("a@example.com", PASSWORD).await.expect(200));
    let more = async |from: &str| {
        let request = app.request("POST", "/api/v5/workspaces");
        let request = request
            .bearer_auth(&member.token)
            .header("x-forwarded-for", from);
        app.send(request.json(&json!({ "name": "more" }))).await
    };
    more("2001:db8:1:2::4")
        .await
        .expect_problem(429, "too-many-requests");
    more("2001:db8:1:4::1").await.expect(201);
    prove("d@example.com", "2001:db8:1:3::1").await.expect(200);
}
