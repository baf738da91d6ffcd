//! What works, and that it works once, here, and soon.

use coditect_api::SignUp;
use serde_json::json;

use super::{Browser, Place, WITH_TERMS, fragment, led};
use crate::harness::{App, PASSWORD, Person};

#[tokio::test]
async fn a_person_signs_up_by_a_provider_and_comes_in_again() {
    let place = Place::start().await;
    let browser = place.browser();
    let started = browser.go(WITH_TERMS).await;
    let cookie = started.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-coditect-flow="), "{cookie}");
    for attribute in [
        "Secure",
        "HttpOnly",
        "SameSite=Lax",
        "Path=/",
        "Max-Age=600",
    ] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
    }
    assert!(!cookie.to_lowercase().contains("domain"), "{cookie}");

    let back = led(&browser.go(&led(&started)).await);
    assert!(back.starts_with(&format!("{}/api/v5/auth/google/callback?", place.app.base)));
    let (name, code) = fragment(&place.app.base, &browser.go(&back).await);
    assert_eq!(name, "code");
    let answer = browser.hand_in(&code).await.expect(200);
    let ada = Person::of(&answer);
    let me = place.app.me(&ada).await;
    assert_eq!(me["email"], "ada@example.com");
    assert_eq!(me["display_name"], "Ada of the provider");
    assert_eq!(me["terms"]["version"], "2026-11-01");
    assert_eq!(place.app.workspaces(&ada).await.len(), 1);
    let linked = place
        .app
        .call(&ada, "GET", "/api/v5/me/connections", None)
        .await
        .expect(200);
    assert_eq!(linked.json()["items"][0]["provider"], "google");

    // Again, in another browser, whatever the address is by now: no terms are needed any more.
    place.google.person("1", "countess@example.com");
    let (name, code) = place.browser().whole_way("/api/v5/auth/google").await;
    assert_eq!(name, "code");
    let other = place.browser();
    other
        .hand_in(&code)
        .await
        .expect_problem(403, "sign-in-ended");
    let browser = place.browser();
    let (_, code) = browser.whole_way("/api/v5/auth/google").await;
    let again = browser.hand_in(&code).await.expect(200);
    let again = Person::of(&again);
    let same = place.app.me(&again).await;
    assert_eq!(same["id"], me["id"]);
    assert_eq!(same["email"], "ada@example.com");
}

#[tokio::test]
async fn a_person_signs_up_by_github() {
    let place = Place::start().await;
    let browser = place.browser();
    let (name, code) = browser
        .whole_way("/api/v5/auth/github?terms_version=1")
        .await;
    assert_eq!(name, "code");
    let answer = browser.hand_in(&code).await.expect(200);
    let ada = Person::of(&answer);
    let me = place.app.me(&ada).await;
    assert_eq!(me["email"], "ada@example.com", "the primary one");
    assert_eq!(me["display_name"], "octocat");
    // The login changes hands, the number does not.
    place
        .github
        .script(|script| script.user = json!({ "id": 2, "login": "octocat", "name": "Eve" }));
    assert_eq!(
        place
            .browser()
            .refused("/api/v5/auth/github?terms_version=1")
            .await,
        "address-taken"
    );
}

#[tokio::test]
async fn a_code_lets_in_once_in_its_own_browser_within_a_minute() {
    let place = Place::start().await;
    let browser = place.browser();
    let (_, code) = browser.whole_way(WITH_TERMS).await;
    let cookies = browser.cookies.borrow().clone();
    for wrong in ["", "AAAA", &code[1..], &code.to_uppercase()] {
        browser
            .hand_in(wrong)
            .await
            .expect_problem(403, "sign-in-ended");
    }
    place
        .browser()
        .hand_in(&code)
        .await
        .expect_problem(403, "sign-in-ended");
    browser.hand_in(&code).await.expect(200);
    browser
        .hand_in(&code)
        .await
        .expect_problem(403, "sign-in-ended");
    // Nor to somebody who kept the cookie.
    *browser.cookies.borrow_mut() = cookies;
    browser
        .hand_in(&code)
        .await
        .expect_problem(403, "sign-in-ended");

    let (_, code) = browser.whole_way(WITH_TERMS).await;
    place.app.advance(60);
    browser
        .hand_in(&code)
        .await
        .expect_problem(403, "sign-in-ended");
}

#[tokio::test]
async fn whoever_sends_a_code_many_times_at_once_comes_in_once() {
    let place = Place::start().await;
    let browser = place.browser();
    let (_, code) = browser.whole_way(WITH_TERMS).await;
    let cookies = browser.cookies.borrow().clone();
    let tries = (0..8).map(|_| {
        let one = Browser::new(&place.app);
        *one.cookies.borrow_mut() = cookies.clone();
        let code = code.clone();
        async move { one.hand_in(&code).await.status }
    });
    let mut statuses = futures::future::join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403, 403, 403, 403, 403, 403, 403]);
}

#[tokio::test]
async fn somebody_elses_password_and_sign_ins_do_not_survive_the_owners_first_visit() {
    let place = Place::start().await;
    // Eve signs up with Ada's address, which nobody here has asked her to prove.
    let eve = place.app.person("ada@example.com").await;
    let before = place.app.me(&eve).await;
    let browser = place.browser();
    let (name, code) = browser.whole_way(WITH_TERMS).await;
    assert_eq!(name, "code");
    let answer = browser.hand_in(&code).await.expect(200);
    let ada = Person::of(&answer);
    let me = place.app.me(&ada).await;
    assert_eq!(me["id"], before["id"]);
    assert_eq!(me["display_name"], "Ada of the provider");
    place
        .app
        .login("ada@example.com", PASSWORD)
        .await
        .expect_problem(401, "unauthenticated");
    place
        .app
        .call(&eve, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
    place
        .app
        .refresh(&eve.cookie)
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn nobody_signs_up_without_terms_or_where_sign_up_is_closed() {
    let place = Place::start().await;
    assert_eq!(
        place.browser().refused("/api/v5/auth/google").await,
        "no-account"
    );
    let closed = Place::with(|config| config.sign_up = SignUp::Closed).await;
    assert_eq!(closed.browser().refused(WITH_TERMS).await, "no-account");
    for terms in ["", "a%20b", &"1".repeat(33)] {
        let address = format!("/api/v5/auth/google?terms_version={terms}");
        place
            .app
            .get(&address)
            .await
            .expect_problem(422, "invalid-input");
    }
}

#[tokio::test]
async fn the_web_app_is_told_with_what_one_can_sign_in() {
    let place = Place::start().await;
    let listed = place
        .app
        .get("/api/v5/auth/providers")
        .await
        .expect(200)
        .json();
    let names: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["provider"].as_str().unwrap(),
                one["start_url"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            ("google", "/api/v5/auth/google"),
            ("github", "/api/v5/auth/github")
        ]
    );

    let none = App::start().await;
    let listed = none.get("/api/v5/auth/providers").await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
    for path in [
        "/api/v5/auth/google",
        "/api/v5/auth/google/callback?code=x&state=y",
        "/api/v5/auth/nobody",
    ] {
        none.get(path).await.expect_problem(404, "provider-off");
    }
    let browser = Browser::new(&none);
    let answer = browser.go("/api/v5/auth/github").await;
    assert_eq!(
        fragment(&none.base, &answer),
        ("problem".into(), "provider-off".into())
    );
}

#[tokio::test]
async fn a_provider_that_changes_its_keys_is_asked_for_them_again_but_not_at_anybodys_pace() {
    let place = Place::start().await;
    assert_eq!(place.browser().whole_way(WITH_TERMS).await.0, "code");
    assert_eq!(place.browser().whole_way(WITH_TERMS).await.0, "code");
    assert_eq!(place.google.asked("jwks"), 1, "kept");
    place.google.rotate();
    assert_eq!(place.browser().whole_way(WITH_TERMS).await.0, "code");
    assert_eq!(place.google.asked("jwks"), 2);
    place.google.rotate();
    assert_eq!(
        place.browser().refused(WITH_TERMS).await,
        "provider-refused"
    );
    assert_eq!(place.google.asked("jwks"), 2, "asked half a minute ago");
}

#[tokio::test]
async fn a_secret_is_replaced_without_a_restart() {
    let place = Place::start().await;
    let file = place.folder.path().join("secret");
    std::fs::write(&file, "a wrong one").unwrap();
    assert_eq!(
        place.browser().refused(WITH_TERMS).await,
        "provider-unavailable"
    );
    std::fs::remove_file(&file).unwrap();
    assert_eq!(
        place.browser().refused(WITH_TERMS).await,
        "provider-unavailable"
    );
    std::fs::write(&file, super::SECRET).unwrap();
    assert_eq!(place.browser().whole_way(WITH_TERMS).await.0, "code");
}

#[tokio::test]
async fn who_has_no_password_is_told_how_to_get_one() {
    let place = Place::start().await;
    let browser = place.browser();
    let (_, code) = browser.whole_way(WITH_TERMS).await;
    let ada = Person::of(&browser.hand_in(&code).await.expect(200));
    let body = json!({ "password": PASSWORD });
    let refused = place
        .app
        .call(&ada, "POST", "/api/v5/me/second-factor", Some(body))
        .await;
    let refused = refused.expect_problem(422, "invalid-input");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("forgot-password"),
        "{refused}"
    );
}
