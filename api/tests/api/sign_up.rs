//! From nobody to somebody with a workspace.

use coditect_api::{Delivery, Rate, Rates, SignUp, Verification};
use coditect_core::Error;
use coditect_registry::store::{StoreError, faulty::Fault};
use serde_json::json;

use crate::harness::{App, PASSWORD, Person};

#[tokio::test]
async fn a_person_signs_up_and_sees_their_workspace_reach_git() {
    let app = App::start().await;
    let accepted = app.register("ada@example.com").await.expect(202);
    assert_eq!(accepted.header("location"), accepted.json()["status_url"]);
    let status_url = accepted.json()["status_url"].as_str().unwrap().to_owned();
    let status = app.get(&status_url).await.expect(200).json();
    assert_eq!(status["state"], "complete");

    let session = status["session_url"].as_str().unwrap().to_owned();
    let person = Person::of(&app.send(app.request("POST", &session)).await.expect(200));
    app.send(app.request("POST", &session))
        .await
        .expect_problem(409, "conflict");

    let me = app
        .call(&person, "GET", "/api/v5/me", None)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (me["email"].as_str(), me["display_name"].as_str()),
        (Some("ada@example.com"), Some("Ada"))
    );
    assert_eq!(
        (me["tenant"]["plan"].as_str(), me["tenant"]["role"].as_str()),
        (Some("free"), Some("owner"))
    );

    let path = app.workspace(&person).await;
    let before = app
        .call(&person, "GET", &path, None)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (before["phase"].as_str(), &before["commit"]),
        (Some("requested"), &json!(null))
    );
    assert_eq!(
        before["url"],
        format!("https://{}.ide.example", before["slug"].as_str().unwrap())
    );
    assert_eq!(
        before["storage"],
        json!({ "gib": 1, "class": "standard-rwo" })
    );
    assert_eq!(before["power"]["wanted"], "on");

    app.advance(2);
    let commit = "3f786850e387550fdab836ed7e6dc881de23001b";
    app.commit(&person, &path, commit).await;
    let after = app
        .call(&person, "GET", &path, None)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (after["phase"].as_str(), after["commit"].as_str()),
        (Some("committed"), Some(commit))
    );
    assert_eq!(after["timeline"]["request_to_commit_ms"], 2_000);

    Person::of(&app.login("ada@example.com", PASSWORD).await.expect(200));
}

#[tokio::test]
async fn the_terms_that_a_person_agrees_to_are_recorded_with_their_version() {
    let app = App::start().await;
    let register = |email: &str, terms: &str| {
        let body = json!({
            "email": email, "password": PASSWORD, "display_name": "Ada", "terms_version": terms,
        });
        app.request("POST", "/api/v5/auth/register").json(&body)
    };
    for terms in ["", "a b", &"1".repeat(33)] {
        let refused = app.send(register("ada@example.com", terms)).await;
        let problem = refused.expect_problem(422, "invalid-input");
        assert_eq!(problem["field"], "terms_version", "{problem}");
    }
    let agreed = register("ada@example.com", "2026-11-01");
    let accepted = app.send(agreed).await.expect(202).json();
    let status = accepted["status_url"].as_str().unwrap();
    let session = format!("{status}/session");
    let ada = Person::of(&app.send(app.request("POST", &session)).await.expect(200));
    let me = app.call(&ada, "GET", "/api/v5/me", None).await.expect(200);
    assert_eq!(me.json()["terms"]["version"], "2026-11-01");
    assert_eq!(me.json()["terms"]["at"], me.json()["created_at"]);
    let eve = app.person("eve@example.com").await;
    let me = app.call(&eve, "GET", "/api/v5/me", None).await.expect(200);
    assert_eq!(me.json()["terms"], json!(null), "she was shown none");
}

#[tokio::test]
async fn nobody_learns_from_a_sign_up_who_has_an_account() {
    for verification in [Verification::None, Verification::Email] {
        let app = App::with(|config| {
            config.verification = verification;
            config.mail = Delivery::Mailbox;
        })
        .await;
        let mut answers = Vec::new();
        for email in ["ada@example.com", "ADA@example.com", "bob@example.com"] {
            let answer = app.register(email).await.expect(202);
            let id = answer.json()["id"].as_str().unwrap().to_owned();
            let headers: Vec<String> = answer
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {value:?}"))
                .collect();
            let headers = headers
                .into_iter()
                .filter(|line| !line.starts_with("date") && !line.starts_with("x-request-id"));
            answers.push((
                answer.text.replace(&id, "ID"),
                headers
                    .map(|line| line.replace(&id, "ID"))
                    .collect::<Vec<_>>(),
            ));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0], answers[2]);
    }
}

#[tokio::test]
async fn before_an_address_is_proved_nothing_is_provisioned() {
    let app = App::with(|config| {
        config.verification = Verification::Email;
        config.mail = Delivery::Mailbox;
    })
    .await;
    let first = app.register("ada@example.com").await.expect(202).json();
    let again = app.register("ada@example.com").await.expect(202).json();
    for accepted in [first, again] {
        let status_url = accepted["status_url"].as_str().unwrap();
        assert_eq!(
            app.get(status_url).await.expect(200).json()["state"],
            "pending"
        );
        app.send(app.request("POST", &format!("{status_url}/session")))
            .await
            .expect_problem(409, "conflict");
    }
    app.login("ada@example.com", PASSWORD)
        .await
        .expect_problem(401, "unauthenticated");
    let mut view = app.registry.view().await.unwrap();
    assert_eq!(view.cell_load(&"local".parse().unwrap()).await.unwrap(), 0);
    assert!(
        view.account_by_email(&"ada@example.com".parse().unwrap())
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_sign_up_sent_again_under_its_key_is_one_sign_up() {
    let app = App::start().await;
    let send = |email: &str, password: &str, key: &str| {
        let body = json!({ "email": email, "password": password, "display_name": "Ada" });
        app.send(
            app.request("POST", "/api/v5/auth/register")
                .header("idempotency-key", key)
                .json(&body),
        )
    };
    let first = send("ada@example.com", PASSWORD, "k-1")
        .await
        .expect(202)
        .json();
    let version = app.version().await;
    let again = send("ada@example.com", PASSWORD, "k-1")
        .await
        .expect(202)
        .json();
    assert_eq!(first, again);
    assert_eq!(
        app.version().await,
        version,
        "nothing was written the second time"
    );

    // Somebody who guesses address and key but not the password must not be handed the same id: it signs in.
    let guessed = send("ada@example.com", "wrong horse battery", "k-1")
        .await
        .expect(202)
        .json();
    assert_ne!(first["id"], guessed["id"]);
    assert_eq!(
        app.get(guessed["status_url"].as_str().unwrap())
            .await
            .expect(200)
            .json()["state"],
        "pending"
    );
    let other = send("bob@example.com", PASSWORD, "k-1")
        .await
        .expect(202)
        .json();
    assert_ne!(first["id"], other["id"]);
    for key in ["", &"x".repeat(256), "kä"] {
        let body = send("eve@example.com", PASSWORD, key)
            .await
            .expect_problem(422, "invalid-input");
        assert_eq!(body["field"], "Idempotency-Key");
    }
}

#[tokio::test]
async fn a_commit_whose_result_is_unknown_is_one_sign_up() {
    let app = App::start().await;
    app.store.inject(Fault::CommitThenUnknown, 1);
    let accepted = app.register("ada@example.com").await.expect(202).json();
    assert!(app.store.is_spent());
    assert_eq!(
        app.get(accepted["status_url"].as_str().unwrap())
            .await
            .expect(200)
            .json()["state"],
        "complete"
    );
    assert_eq!(
        app.registry
            .view()
            .await
            .unwrap()
            .cell_load(&"local".parse().unwrap())
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn without_a_registry_a_sign_up_is_refused_not_lost() {
    let app = App::start().await;
    app.store
        .inject_always(Fault::Begin(StoreError::Unavailable(
            "no space left on /var/lib/secret".into(),
        )));
    let answer = app.register("ada@example.com").await;
    assert!(answer.headers.contains_key("retry-after"));
    assert!(!answer.text.contains("/var/lib"), "{}", answer.text);
    answer.expect_problem(503, "unavailable");
    app.store.heal();
    app.person("ada@example.com").await;
}

#[tokio::test]
async fn a_closed_door_a_full_cell_and_a_policy_without_a_plan_say_so() {
    let app = App::with(|config| config.sign_up = SignUp::Closed).await;
    app.register("ada@example.com")
        .await
        .expect_problem(503, "unavailable");

    let app = App::start().await;
    app.policy
        .send_modify(|policy| std::sync::Arc::make_mut(policy).default_plan = None);
    let body = app
        .register("ada@example.com")
        .await
        .expect_problem(503, "unavailable");
    assert!(body["detail"].as_str().unwrap().contains("plan"), "{body}");

    let app = App::start().await;
    app.policy.send_modify(|policy| {
        std::sync::Arc::make_mut(policy)
            .cells
            .values_mut()
            .for_each(|cell| cell.closed = true);
    });
    let body = app
        .register("ada@example.com")
        .await
        .expect_problem(503, "unavailable");
    assert!(
        body["detail"].as_str().unwrap().contains("no room"),
        "{body}"
    );
}

#[tokio::test]
async fn unknown_sign_ups_are_not_found() {
    let app = App::start().await;
    for id in [
        "00000000-0000-4000-8000-000000000000",
        "x",
        "..",
        "%2e%2e",
        "00000000-0000-4000-8000-00000000000G",
    ] {
        let answer = app.get(&format!("/api/v5/auth/registrations/{id}")).await;
        assert_eq!(answer.status, 404, "{id}: {answer:?}");
    }
}

#[tokio::test]
async fn sign_ups_are_limited_by_address_and_the_answer_says_until_when() {
    let app = App::with(|config| {
        let rate = Rate {
            burst: 3,
            per_minute: 1,
        };
        config.rates = Some(Rates {
            credentials: rate,
            ..Rates::default()
        });
        config.trusted_proxy_hops = 1;
    })
    .await;
    let send = |email: &str, from: &str| {
        let body = json!({ "email": email, "password": PASSWORD, "display_name": "Ada" });
        app.send(
            app.request("POST", "/api/v5/auth/register")
                .header("x-forwarded-for", from)
                .json(&body),
        )
    };
    for (count, left) in [(1, 2), (2, 1), (3, 0)] {
        let answer = send(&format!("a{count}@example.com"), "6.6.6.6, 203.0.113.9")
            .await
            .expect(202);
        assert!(
            answer
                .header("ratelimit")
                .starts_with(&format!("\"credentials\";r={left};t=")),
            "{answer:?}"
        );
        assert_eq!(
            answer.header("ratelimit-policy"),
            "\"credentials\";q=3;w=180"
        );
    }
    // What the client writes before the proxy's entry makes nobody of them.
    let refused = send("a4@example.com", "7.7.7.7, 203.0.113.9").await;
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").contains("r=0"), "{refused:?}");
    refused.expect_problem(429, "too-many-requests");
    send("a4@example.com", "203.0.113.10").await.expect(202);
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let mut config = coditect_api::ApiConfig::new("https://a.example");
    config.origins.push("*".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let error: Error = runtime.block_on(async {
        let store = coditect_registry::store::memory::MemoryStore::new();
        let registry = coditect_registry::Registry::open(store).await.unwrap();
        let (_policy, policies) = tokio::sync::watch::channel(Default::default());
        let keys = coditect_api::KeyRing::ephemeral().unwrap();
        let health = coditect_core::health::Health::default();
        coditect_api::ApiState::new(
            registry,
            config,
            policies,
            health,
            keys,
            crate::harness::metrics_handle(),
        )
        .unwrap_err()
    });
    assert!(
        error.to_string().starts_with("origins must be like"),
        "{error}"
    );
}
