//! A second factor, from the offer to the last recovery code.

use coditect_api::{Delivery, Rates};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use crate::{
    harness::{Answer, App, PASSWORD, Person},
    letters::letters,
};

const EMAIL: &str = "ada@example.com";

/// What an authenticator app does: the code of a secret at a time (RFC 6238).
pub(crate) fn code(secret: &str, second: i64) -> String {
    let mut key = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for character in secret.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            _ => character - b'2' + 26,
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            key.push((bits >> count) as u8);
        }
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(&(second / 30).to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let four: [u8; 4] = digest[offset..offset + 4].try_into().unwrap();
    format!(
        "{:06}",
        (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000
    )
}

/// Switches a second factor on: its secret and its recovery codes.
pub(crate) async fn switch_on(app: &App, person: &Person) -> (String, Vec<String>) {
    let offered = call(app, person, "POST", "", json!({ "password": PASSWORD })).await;
    let offered = offered.expect(200).json();
    let secret = offered["secret"].as_str().unwrap().to_owned();
    assert!(
        offered["uri"].as_str().unwrap().contains(&secret),
        "{offered}"
    );
    let shown = code(&secret, app.now().as_second());
    let confirmed = call(app, person, "POST", "/confirm", json!({ "code": shown })).await;
    let confirmed = confirmed.expect(200).json();
    let codes = confirmed["recovery_codes"].as_array().unwrap().iter();
    let recovery = codes.map(|code| code.as_str().unwrap().to_owned());
    (secret, recovery.collect())
}

/// Answers a challenge.
pub(crate) async fn answer(app: &App, challenge: &str, code: &str) -> Answer {
    let body = json!({ "challenge": challenge, "code": code });
    app.post("/api/v5/auth/login/second-factor", &body).await
}

/// Ada's account with a second factor.
struct Ada {
    app: App,
    person: Person,
    secret: String,
    recovery: Vec<String>,
}

impl Ada {
    async fn start(rates: Option<Rates>) -> Self {
        let app = App::with(|config| {
            config.mail = Delivery::Mailbox;
            config.rates = rates;
        })
        .await;
        let person = app.person(EMAIL).await;
        let (secret, recovery) = switch_on(&app, &person).await;
        Self {
            app,
            person,
            secret,
            recovery,
        }
    }

    /// The app's code now.
    fn code(&self) -> String {
        code(&self.secret, self.app.now().as_second())
    }

    /// What a right password gives.
    async fn challenge(&self) -> String {
        let asked = self.app.login(EMAIL, PASSWORD).await;
        assert!(!asked.headers.contains_key("set-cookie"), "{asked:?}");
        let asked = asked.expect_problem(403, "second-factor-required");
        asked["challenge"].as_str().unwrap().to_owned()
    }

    async fn answer(&self, challenge: &str, code: &str) -> Answer {
        answer(&self.app, challenge, code).await
    }
}

async fn call(app: &App, person: &Person, method: &str, path: &str, body: Value) -> Answer {
    let path = format!("/api/v5/me/second-factor{path}");
    app.call(person, method, &path, Some(body)).await
}

#[tokio::test]
async fn a_password_alone_opens_nothing_any_more() {
    let ada = Ada::start(None).await;
    let challenge = ada.challenge().await;
    for wrong in ["", "000000x", "12345", &ada.recovery[0][1..]] {
        ada.answer(&challenge, wrong)
            .await
            .expect_problem(401, "unauthenticated");
    }
    // The code that switched it on is used up.
    ada.answer(&challenge, &ada.code())
        .await
        .expect_problem(401, "unauthenticated");
    ada.app.advance(30);
    let used = ada.code();
    let signed_in = Person::of(&ada.answer(&challenge, &used).await.expect(200));
    ada.app
        .call(&signed_in, "GET", "/api/v5/me", None)
        .await
        .expect(200);
    let challenge = ada.challenge().await;
    ada.answer(&challenge, &used)
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_recovery_code_signs_in_once_and_the_person_is_told() {
    let ada = Ada::start(None).await;
    assert_eq!(ada.recovery.len(), 10);
    let typed = ada.recovery[3].to_lowercase().replace('-', " ");
    let challenge = ada.challenge().await;
    Person::of(&ada.answer(&challenge, &typed).await.expect(200));
    ada.answer(&challenge, &ada.recovery[3])
        .await
        .expect_problem(401, "unauthenticated");
    let told = letters(&ada.app, EMAIL).await;
    assert_eq!(told[0]["subject"], "A recovery code was used");
    assert!(
        told[0]["text"].as_str().unwrap().contains("left: 9"),
        "{told:?}"
    );
    assert_eq!(told[1]["subject"], "A second factor was switched on");
    let status = ada
        .app
        .call(&ada.person, "GET", "/api/v5/me/second-factor", None);
    let expected = json!({ "enabled": true, "recovery_codes_left": 9 });
    assert_eq!(status.await.expect(200).json(), expected);
}

#[tokio::test]
async fn a_challenge_ends_with_its_minutes_and_with_its_password() {
    let ada = Ada::start(None).await;
    let late = ada.challenge().await;
    ada.app.advance(300);
    ada.answer(&late, &ada.code())
        .await
        .expect_problem(401, "unauthenticated");
    for foreign in ["", "x.y.z", &ada.person.token] {
        ada.answer(foreign, &ada.code())
            .await
            .expect_problem(401, "unauthenticated");
    }
    let challenge = ada.challenge().await;
    let person = Person::of(&ada.app.refresh(&ada.person.cookie).await.expect(200));
    let body = json!({ "current_password": PASSWORD, "new_password": "another horse battery" });
    ada.app
        .call(&person, "PUT", "/api/v5/me/password", Some(body))
        .await
        .expect(204);
    ada.answer(&challenge, &ada.code())
        .await
        .expect_problem(401, "unauthenticated");
    // Nor is a challenge good for anything else.
    let person = Person {
        token: challenge,
        cookie: String::new(),
    };
    ada.app
        .call(&person, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn it_is_switched_off_by_who_knows_the_password() {
    let ada = Ada::start(None).await;
    let remove = |password: &str| {
        let body = json!({ "password": password });
        call(&ada.app, &ada.person, "DELETE", "", body)
    };
    let offer = call(
        &ada.app,
        &ada.person,
        "POST",
        "",
        json!({ "password": PASSWORD }),
    );
    offer.await.expect_problem(409, "conflict");
    let wrong = remove("wrong horse battery").await;
    assert_eq!(
        wrong.expect_problem(422, "invalid-input")["field"],
        "password"
    );
    ada.challenge().await;
    remove(PASSWORD).await.expect(204);
    Person::of(&ada.app.login(EMAIL, PASSWORD).await.expect(200));
    let told = letters(&ada.app, EMAIL).await;
    assert_eq!(told[0]["subject"], "The second factor was switched off");
}

#[tokio::test]
async fn an_offer_is_nothing_until_it_is_confirmed() {
    let app = App::start().await;
    let ada = app.person(EMAIL).await;
    let confirm = |code: &str| call(&app, &ada, "POST", "/confirm", json!({ "code": code }));
    confirm("123456").await.expect_problem(409, "conflict");
    let offer = || call(&app, &ada, "POST", "", json!({ "password": PASSWORD }));
    let first = offer().await.expect(200).json();
    offer().await.expect(200);
    Person::of(&app.login(EMAIL, PASSWORD).await.expect(200));
    // The first secret was replaced.
    let code = code(first["secret"].as_str().unwrap(), app.now().as_second());
    let wrong = confirm(&code).await.expect_problem(422, "invalid-input");
    assert_eq!(wrong["field"], "code");
    Person::of(&app.login(EMAIL, PASSWORD).await.expect(200));
}

#[tokio::test]
async fn six_digits_are_not_guessed() {
    let ada = Ada::start(Some(Rates::default())).await;
    let challenge = ada.challenge().await;
    let guess = || ada.answer(&challenge, "no code");
    for _ in 0..5 {
        guess().await.expect_problem(401, "unauthenticated");
    }
    for wait in ["1", "2", "4"] {
        let slower = guess().await;
        assert_eq!(slower.header("retry-after"), wait);
        slower.expect_problem(429, "too-many-requests");
        ada.app.advance(wait.parse().unwrap());
        guess().await.expect_problem(401, "unauthenticated");
    }
    // A right one does not pass either until then.
    ada.answer(&challenge, &ada.recovery[0])
        .await
        .expect_problem(429, "too-many-requests");
    ada.app.advance(8);
    ada.answer(&challenge, &ada.recovery[0]).await.expect(200);
}
