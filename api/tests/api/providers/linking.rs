//! A provider's sign-in linked to an account, and unlinked.

use serde_json::json;

use super::{Browser, Place, fragment, led};
use crate::harness::{Answer, PASSWORD, Person};

const GOOGLE: &str = "/api/v5/me/connections/google";
const GITHUB: &str = "/api/v5/me/connections/github";

async fn ask(
    browser: &Browser<'_>,
    person: &Person,
    path: &str,
    body: serde_json::Value,
) -> Answer {
    let request = browser.app.request("POST", path).bearer_auth(&person.token);
    browser.send(request.json(&body)).await
}

/// The way of somebody who was answered with where to go.
async fn on(browser: &Browser<'_>, begun: Answer) -> (String, String) {
    let url = begun.expect(200).json()["authorize_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let back = led(&browser.go(&url).await);
    fragment(&browser.app.base, &browser.go(&back).await)
}

/// Signs in with a provider.
async fn inside(browser: &Browser<'_>, start: &str) -> Person {
    let (name, code) = browser.whole_way(start).await;
    assert_eq!(name, "code", "{code}");
    let answer = browser.hand_in(&code).await.expect(200);
    Person::of(&answer)
}

#[tokio::test]
async fn who_links_a_provider_comes_in_by_it_until_they_unlink_it() {
    let place = Place::start().await;
    let ada = place.app.person("ada@home.example").await;
    let browser = place.browser();
    for wrong in [json!({}), json!({ "password": "wrong horse battery" })] {
        ask(&browser, &ada, GOOGLE, wrong)
            .await
            .expect_problem(422, "invalid-input");
    }
    let begun = ask(&browser, &ada, GOOGLE, json!({ "password": PASSWORD })).await;
    assert_eq!(
        on(&browser, begun).await,
        ("connected".into(), "google".into())
    );

    let by_google = inside(&place.browser(), "/api/v5/auth/google").await;
    let me = |person: Person| {
        let app = &place.app;
        async move {
            app.call(&person, "GET", "/api/v5/me", None)
                .await
                .expect(200)
                .json()
        }
    };
    assert_eq!(me(by_google).await["id"], me(ada.clone()).await["id"]);

    // It is theirs, and nobody else's.
    let eve = place.app.person("eve@home.example").await;
    let begun = ask(&browser, &eve, GOOGLE, json!({ "password": PASSWORD })).await;
    assert_eq!(
        on(&browser, begun).await,
        ("problem".into(), "conflict".into())
    );

    place
        .app
        .call(&ada, "DELETE", GOOGLE, None)
        .await
        .expect(204);
    place
        .app
        .call(&ada, "DELETE", GOOGLE, None)
        .await
        .expect_problem(404, "not-found");
    assert_eq!(
        place.browser().refused("/api/v5/auth/google").await,
        "no-account"
    );
}

#[tokio::test]
async fn the_last_way_in_stays() {
    let place = Place::start().await;
    let browser = place.browser();
    let ada = inside(&browser, super::WITH_TERMS).await;
    place
        .app
        .call(&ada, "DELETE", GOOGLE, None)
        .await
        .expect_problem(409, "conflict");
    // Who has no password has just signed in, or does it again.
    let begun = ask(&browser, &ada, GITHUB, json!({})).await;
    assert_eq!(
        on(&browser, begun).await,
        ("connected".into(), "github".into())
    );
    place
        .app
        .call(&ada, "DELETE", GITHUB, None)
        .await
        .expect(204);
    place.app.advance(600);
    let later = place.app.refresh(&ada.cookie).await.expect(200);
    let later = Person::of(&later);
    ask(&browser, &later, GITHUB, json!({}))
        .await
        .expect_problem(403, "forbidden");
}

#[tokio::test]
async fn who_has_no_password_goes_by_a_sign_in_of_the_last_minutes() {
    let place = Place::start().await;
    let browser = place.browser();
    let ada = inside(&browser, super::WITH_TERMS).await;
    place.app.advance(600);
    let later = Person::of(&place.app.refresh(&ada.cookie).await.expect(200));
    let go = json!({ "mode": "now" });
    place
        .app
        .call(&later, "DELETE", "/api/v5/me", Some(go.clone()))
        .await
        .expect_problem(403, "forbidden");
    let again = inside(&browser, super::WITH_TERMS).await;
    place
        .app
        .call(&again, "DELETE", "/api/v5/me", Some(go))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_link_that_was_begun_by_a_login_that_ended_is_not_made() {
    let place = Place::start().await;
    let ada = place.app.person("ada@home.example").await;
    let browser = place.browser();
    let begun = ask(&browser, &ada, GOOGLE, json!({ "password": PASSWORD }))
        .await
        .expect(200);
    let logout = place
        .app
        .request("POST", "/api/v5/auth/logout")
        .bearer_auth(&ada.token);
    place.app.send(logout).await.expect(204);
    assert_eq!(
        on(&browser, begun).await,
        ("problem".into(), "sign-in-ended".into())
    );
    let again = Person::of(
        &place
            .app
            .login("ada@home.example", PASSWORD)
            .await
            .expect(200),
    );
    let linked = place
        .app
        .call(&again, "GET", "/api/v5/me/connections", None)
        .await
        .expect(200);
    assert_eq!(linked.json()["items"], json!([]));
}

#[tokio::test]
async fn what_was_begun_to_come_in_does_not_link_nor_the_other_way_round() {
    let place = Place::start().await;
    let ada = place.app.person("ada@home.example").await;
    let browser = place.browser();
    let begun = ask(&browser, &ada, GOOGLE, json!({ "password": PASSWORD }))
        .await
        .expect(200);
    let url = begun.json()["authorize_url"].as_str().unwrap().to_owned();
    let back = led(&browser.go(&url).await);
    // Another sign-in begins in the same browser meanwhile: the one before is over.
    browser.go("/api/v5/auth/google").await;
    let answer = fragment(&place.app.base, &browser.go(&back).await);
    assert_eq!(answer, ("problem".into(), "sign-in-ended".into()));
    ask(
        &browser,
        &ada,
        "/api/v5/me/connections/nobody",
        json!({ "password": PASSWORD }),
    )
    .await
    .expect_problem(404, "provider-off");
}
