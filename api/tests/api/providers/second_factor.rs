//! Who switched a second factor on is asked for it by every door.

use coditect_core::RequestId;
use coditect_registry::operation::{LinkIdentity, UnlinkIdentity};
use serde_json::json;

use super::{Browser, Place};
use crate::{
    harness::{PASSWORD, Person},
    second_factor::{answer, code, switch_on},
};

const START: &str = "/api/v5/auth/google";

/// Somebody with a password, a provider's sign-in and a second factor.
struct Ada {
    place: Place,
    person: Person,
    account: coditect_core::AccountId,
    secret: String,
}

impl Ada {
    async fn start() -> Self {
        let place = Place::start().await;
        let person = place.app.person("ada@home.example").await;
        let account = place.app.me(&person).await["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let link = LinkIdentity {
            account,
            provider: "google".parse().unwrap(),
            subject: "1".parse().unwrap(),
            at: place.app.now(),
        };
        let request = RequestId::random();
        place.app.registry.apply(request, &link).await.unwrap();
        let (secret, _) = switch_on(&place.app, &person).await;
        // The code that switched it on is used up.
        place.app.advance(30);
        Self {
            place,
            person,
            account,
            secret,
        }
    }

    fn code(&self) -> String {
        code(&self.secret, self.place.app.now().as_second())
    }

    /// What handing in a provider's code is answered with.
    async fn challenge(&self, browser: &Browser<'_>, code: &str) -> String {
        let asked = browser.hand_in(code).await;
        assert!(!asked.headers.contains_key("set-cookie"), "{asked:?}");
        let asked = asked.expect_problem(403, "second-factor-required");
        asked["challenge"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_providers_word_is_not_enough_and_gives_one_login() {
    let ada = Ada::start().await;
    let app = &ada.place.app;
    let browser = ada.place.browser();
    let (name, handed) = browser.whole_way(START).await;
    assert_eq!(name, "code");
    let first = ada.challenge(&browser, &handed).await;
    let second = ada.challenge(&browser, &handed).await;
    answer(app, &first, "000000x")
        .await
        .expect_problem(401, "unauthenticated");
    let signed_in = Person::of(&answer(app, &first, &ada.code()).await.expect(200));
    app.call(&signed_in, "GET", "/api/v5/me", None)
        .await
        .expect(200);
    // Neither the challenge nor the provider's answer opens another login.
    for challenge in [first, second] {
        app.advance(30);
        answer(app, &challenge, &ada.code())
            .await
            .expect_problem(403, "sign-in-ended");
    }
}

#[tokio::test]
async fn a_challenge_ends_with_its_provider_or_with_its_minutes() {
    let ada = Ada::start().await;
    let app = &ada.place.app;
    let browser = ada.place.browser();
    let (_, handed) = browser.whole_way(START).await;
    let late = ada.challenge(&browser, &handed).await;
    app.advance(300);
    answer(app, &late, &ada.code())
        .await
        .expect_problem(401, "unauthenticated");
    let (_, handed) = browser.whole_way(START).await;
    let challenge = ada.challenge(&browser, &handed).await;
    let unlink = UnlinkIdentity {
        account: ada.account,
        provider: "google".parse().unwrap(),
        at: app.now(),
    };
    let request = RequestId::random();
    app.registry.apply(request, &unlink).await.unwrap();
    answer(app, &challenge, &ada.code())
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn what_was_switched_off_meanwhile_is_not_asked_for() {
    let ada = Ada::start().await;
    let app = &ada.place.app;
    let browser = ada.place.browser();
    let (_, handed) = browser.whole_way(START).await;
    let challenge = ada.challenge(&browser, &handed).await;
    let body = Some(json!({ "password": PASSWORD }));
    app.call(&ada.person, "DELETE", "/api/v5/me/second-factor", body)
        .await
        .expect(204);
    Person::of(&answer(app, &challenge, "no code").await.expect(200));
    let (_, handed) = browser.whole_way(START).await;
    browser.hand_in(&handed).await.expect(200);
}
