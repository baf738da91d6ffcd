//! What must not pass.

use serde_json::{Value, json};

use super::{Place, WITH_TERMS, fragment};

fn with_state(back: &str, state: &str) -> String {
    let (before, _) = back.split_once("state=").unwrap();
    format!("{before}state={state}")
}

/// Nobody was made and nobody was let in.
async fn nobody(place: &Place) {
    let email = "ada@example.com".parse().unwrap();
    let mut view = place.app.registry.view().await.unwrap();
    let google = "google".parse().unwrap();
    let subject = "1".parse().unwrap();
    assert_eq!(
        view.account_by_identity(&google, &subject).await.unwrap(),
        None
    );
    assert!(view.account_by_email(&email).await.unwrap().is_none());
}

#[tokio::test]
async fn an_answer_to_what_this_browser_did_not_ask_is_refused() {
    let place = Place::start().await;
    let (ada, eve) = (place.browser(), place.browser());
    let of_ada = ada.returning(WITH_TERMS).await;
    let of_eve = eve.returning(WITH_TERMS).await;
    let asked = place.google.asked("token");
    let state_of_eve = of_eve.split("state=").nth(1).unwrap();
    let ended = ("problem".to_owned(), "sign-in-ended".to_owned());
    let stranger = place.browser();
    for (browser, address) in [
        (&stranger, of_ada.clone()),
        (&eve, of_ada.clone()),
        (&eve, with_state(&of_eve, "")),
        (&ada, with_state(&of_ada, state_of_eve)),
        (&ada, with_state(&of_ada, &"A".repeat(43))),
        (&ada, of_ada.replace("state=", "stat=")),
        // Another provider's door.
        (&ada, of_ada.replace("/google/", "/github/")),
    ] {
        let cookies = browser.cookies.borrow().clone();
        let answer = browser.go(&address).await;
        assert_eq!(fragment(&place.app.base, &answer), ended, "{address}");
        *browser.cookies.borrow_mut() = cookies;
    }
    assert_eq!(place.google.asked("token"), asked, "no code was redeemed");
    nobody(&place).await;
    // None of that has cost Ada her sign-in, until it is too late for it.
    assert_eq!(fragment(&place.app.base, &ada.go(&of_ada).await).0, "code");
    let late = ada.returning(WITH_TERMS).await;
    place.app.advance(600);
    assert_eq!(fragment(&place.app.base, &ada.go(&late).await), ended);
    // Who asks for no page is told in full.
    place
        .app
        .get(&late.replace(&place.app.base, ""))
        .await
        .expect_problem(403, "sign-in-ended");
}

#[tokio::test]
async fn an_answer_is_taken_once() {
    let place = Place::start().await;
    let of_octocat = json!([{ "email": "octo@example.com", "primary": true, "verified": true }]);
    place.github.script(|script| script.emails = of_octocat);
    for start in [WITH_TERMS, "/api/v5/auth/github?terms_version=1"] {
        let browser = place.browser();
        let back = browser.returning(start).await;
        browser.go(&back).await;
        let again = fragment(&place.app.base, &browser.go(&back).await);
        assert_eq!(
            again,
            ("problem".into(), "provider-refused".into()),
            "{start}"
        );
    }
}

#[tokio::test]
async fn a_code_of_somebody_elses_sign_in_is_worth_nothing_here() {
    let place = Place::start().await;
    let (ada, eve) = (place.browser(), place.browser());
    let (of_ada, of_eve) = (
        ada.returning(WITH_TERMS).await,
        eve.returning(WITH_TERMS).await,
    );
    let code = |back: &str| {
        back.split("code=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap()
            .to_owned()
    };
    // PKCE: the provider gives nothing for a code to whoever did not ask for it.
    let injected = of_ada.replace(&code(&of_ada), &code(&of_eve));
    let answer = fragment(&place.app.base, &ada.go(&injected).await);
    assert_eq!(answer, ("problem".into(), "provider-refused".into()));
    nobody(&place).await;
}

#[tokio::test]
async fn an_address_that_the_provider_has_not_verified_is_nobodys() {
    let place = Place::start().await;
    for (name, value) in [
        ("email_verified", json!(false)),
        ("email_verified", Value::Null),
        ("email", Value::Null),
        ("email", json!("no address")),
    ] {
        place
            .google
            .script(|script| script.claims = [(name, value)].into());
        assert_eq!(
            place.browser().refused(WITH_TERMS).await,
            "email-not-verified"
        );
    }
    for emails in [
        json!([{ "email": "ada@example.com", "primary": true, "verified": false }]),
        json!([{ "email": "ada@example.com", "primary": false, "verified": true }]),
        json!([]),
    ] {
        place.github.script(|script| script.emails = emails);
        let refused = place
            .browser()
            .refused("/api/v5/auth/github?terms_version=1")
            .await;
        assert_eq!(refused, "email-not-verified");
    }
    nobody(&place).await;
}

#[tokio::test]
async fn a_token_that_is_not_exactly_what_was_asked_for_is_refused() {
    let place = Place::start().await;
    let now = jiff::Timestamp::now().as_second();
    for (name, value) in [
        ("nonce", json!("another")),
        ("nonce", Value::Null),
        ("exp", json!(now - 1)),
        ("iss", json!("https://accounts.google.com")),
        ("aud", json!("somebody-else")),
        ("aud", json!(["coditect-here", "somebody-else"])),
    ] {
        place
            .google
            .script(|script| script.claims = [(name, value.clone())].into());
        let refused = place.browser().refused(WITH_TERMS).await;
        assert_eq!(refused, "provider-refused", "{name}: {value}");
    }
    place.google.script(|script| script.claims.clear());
    place.google.script(|script| script.hides_key = true);
    assert_eq!(
        place.browser().refused(WITH_TERMS).await,
        "provider-refused"
    );
    place.google.script(|script| {
        script.hides_key = false;
        script.signs_by_secret = true;
    });
    assert_eq!(
        place.browser().refused(WITH_TERMS).await,
        "provider-refused"
    );
    nobody(&place).await;
    place.google.script(|script| script.signs_by_secret = false);
    assert_eq!(place.browser().whole_way(WITH_TERMS).await.0, "code");
}

#[tokio::test]
async fn an_answer_of_another_provider_than_was_asked_is_not_redeemed() {
    let place = Place::start().await;
    place
        .google
        .script(|script| script.names_itself = Some("https://evil.example".into()));
    assert_eq!(
        place.browser().refused(WITH_TERMS).await,
        "provider-refused"
    );
    assert_eq!(place.google.asked("token"), 0);
    let issuer = place.google.issuer.clone();
    place
        .google
        .script(|script| script.names_itself = Some(issuer.clone()));
    assert_eq!(place.browser().whole_way(WITH_TERMS).await.0, "code");

    // One that always says who it is must.
    let strict = Place::start().await;
    strict
        .google
        .script(|script| script.always_names_itself = true);
    assert_eq!(
        strict.browser().refused(WITH_TERMS).await,
        "provider-refused"
    );
    assert_eq!(strict.google.asked("token"), 0);
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_to_be_and_nothing_is_lost() {
    let place = Place::start().await;
    place.google.script(|script| script.down = &["metadata"]);
    let answer = place.browser().go(WITH_TERMS).await;
    let down = ("problem".to_owned(), "provider-unavailable".to_owned());
    assert_eq!(fragment(&place.app.base, &answer), down);
    let told = place.app.get("/api/v5/auth/google").await;
    assert!(told.headers.contains_key("retry-after"), "{told:?}");
    told.expect_problem(503, "provider-unavailable");

    let place = Place::start().await;
    let browser = place.browser();
    let back = browser.returning(WITH_TERMS).await;
    place.google.script(|script| script.down = &["token"]);
    assert_eq!(fragment(&place.app.base, &browser.go(&back).await), down);
    nobody(&place).await;
    place.google.script(|script| script.down = &["metadata"]);
    assert_eq!(
        place.browser().whole_way(WITH_TERMS).await.0,
        "code",
        "what was known is enough"
    );

    place.github.script(|script| script.down = true);
    let start = "/api/v5/auth/github";
    assert_eq!(place.browser().refused(start).await, "provider-unavailable");
    place.github.script(|script| script.down = false);
    assert_eq!(place.browser().refused(start).await, "address-taken");
}

#[tokio::test]
async fn who_changes_their_mind_at_the_provider_is_not_in() {
    let place = Place::start().await;
    let browser = place.browser();
    let back = browser.returning(WITH_TERMS).await;
    let state = back.split("state=").nth(1).unwrap();
    for error in ["access_denied", "server_error", "<script>"] {
        let cookies = browser.cookies.borrow().clone();
        let address = format!("/api/v5/auth/google/callback?error={error}&state={state}");
        let answer = fragment(&place.app.base, &browser.go(&address).await);
        assert_eq!(answer, ("problem".into(), "provider-refused".into()));
        *browser.cookies.borrow_mut() = cookies;
    }
    let twice = format!("/api/v5/auth/google/callback?code=a&code=b&state={state}");
    place
        .app
        .get(&twice)
        .await
        .expect_problem(400, "malformed-request");
    assert_eq!(place.google.asked("token"), 0);
}

#[tokio::test]
async fn no_foreign_page_begins_or_ends_a_sign_in() {
    let place = Place::start().await;
    for site in ["cross-site", "same-site"] {
        let request = place
            .app
            .request("GET", WITH_TERMS)
            .header("sec-fetch-site", site);
        place
            .app
            .send(request)
            .await
            .expect_problem(403, "forbidden");
    }
    let browser = place.browser();
    let (_, code) = browser.whole_way(WITH_TERMS).await;
    let handed = place.app.request("POST", "/api/v5/auth/identity/session");
    let handed = handed
        .header("origin", "https://evil.example")
        .json(&json!({ "code": code }));
    browser.send(handed).await.expect_problem(403, "forbidden");
    browser.hand_in(&code).await.expect(200);
}
