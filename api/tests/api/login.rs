//! Signing in, staying signed in, signing out.

use coditect_api::{Hashing, Rate, Rates};
use serde_json::json;

use crate::harness::{Answer, App, PASSWORD, Person};

const ADA: &str = "ada@example.com";
const WRONG: &str = "wrong horse battery";

/// An API behind one proxy in which so many guesses at an account are answered.
async fn guessed(burst: u32, per_minute: u32) -> App {
    App::with(|config| {
        config.rates = Some(Rates {
            guesses: Rate { burst, per_minute },
            ..Rates::default()
        });
        config.trusted_proxy_hops = 1;
    })
    .await
}

/// Signs in from an address, as the proxy tells it.
async fn login_from(app: &App, from: &str, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    let request = app.request("POST", "/api/v5/auth/login");
    app.send(request.header("x-forwarded-for", from).json(&body))
        .await
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_answered_alike() {
    let app = App::start().await;
    app.person(ADA).await;
    let wrong = app.login(ADA, WRONG).await;
    let unknown = app.login("bob@example.com", WRONG).await;
    let without_id = |text: &str, id: &str| text.replace(id, "ID");
    assert_eq!(
        without_id(&wrong.text, wrong.header("x-request-id")),
        without_id(&unknown.text, unknown.header("x-request-id"))
    );
    assert_eq!(
        wrong.header("www-authenticate"),
        "Bearer realm=\"coditect\""
    );
    wrong.expect_problem(401, "unauthenticated");
    unknown.expect_problem(401, "unauthenticated");
    // A password that nobody can have is not compared with anything, whoever asks.
    for email in [ADA, "bob@example.com"] {
        let body = app
            .login(email, &"x".repeat(2_000))
            .await
            .expect_problem(422, "invalid-input");
        assert_eq!(body["field"], "password");
    }
}

#[tokio::test]
async fn a_password_is_hashed_for_nobody_too() {
    let app = App::with(|config| {
        config.hashing = Hashing {
            memory_kib: 64,
            passes: 1,
            workers: 1,
            queue: 0,
        }
    })
    .await;
    // With no place in the queue, whatever hashes is refused: so both do.
    app.register(ADA).await.expect_problem(503, "unavailable");
    app.login("nobody@example.com", PASSWORD)
        .await
        .expect_problem(503, "unavailable");
}

#[tokio::test]
async fn the_refresh_cookie_is_for_this_host_and_no_script() {
    let app = App::start().await;
    app.person(ADA).await;
    let answer = app.login("Ada@Example.com", PASSWORD).await.expect(200);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-coditect-refresh="), "{cookie}");
    for attribute in [
        "Secure",
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
        "Max-Age=86400",
    ] {
        assert!(
            cookie.split("; ").any(|part| part == attribute),
            "{attribute}: {cookie}"
        );
    }
    assert!(!cookie.to_lowercase().contains("domain"), "{cookie}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    assert_eq!(
        (body["token_type"].as_str(), body["expires_in"].as_i64()),
        (Some("Bearer"), Some(300))
    );
    assert_eq!(
        body.as_object().unwrap().len(),
        3,
        "no refresh token in the body: {body}"
    );
}

#[tokio::test]
async fn refreshing_rotates_and_two_tabs_get_the_same_successor() {
    let app = App::start().await;
    let person = app.person(ADA).await;
    let second = app.refresh(&person.cookie).await.expect(200);
    assert_ne!(second.cookie(), person.cookie);
    // The other tab, or an answer that was lost.
    app.advance(9);
    let same = app.refresh(&person.cookie).await.expect(200);
    assert_eq!(same.cookie(), second.cookie());
    let third = app.refresh(&second.cookie()).await.expect(200);
    assert_ne!(third.cookie(), second.cookie());
    app.call(&Person::of(&third), "GET", "/api/v5/me", None)
        .await
        .expect(200);
}

#[tokio::test]
async fn an_old_refresh_token_used_again_ends_the_login() {
    let app = App::start().await;
    let person = app.person(ADA).await;
    let thief = Person::of(&app.refresh(&person.cookie).await.expect(200));
    app.call(&thief, "GET", "/api/v5/me", None)
        .await
        .expect(200);
    app.advance(10);
    let refused = app.refresh(&person.cookie).await;
    assert!(
        refused.header("set-cookie").contains("Max-Age=0"),
        "{refused:?}"
    );
    refused.expect_problem(401, "unauthenticated");
    // Neither of the two has a login any more, tokens already handed out included.
    app.refresh(&thief.cookie)
        .await
        .expect_problem(401, "unauthenticated");
    for token in [&person, &thief] {
        app.call(token, "GET", "/api/v5/me", None)
            .await
            .expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn refreshing_needs_our_cookie_and_an_origin_of_ours() {
    let app = App::with(|config| config.origins.push("https://app.example.com".to_owned())).await;
    let person = app.person(ADA).await;
    let from = |name: &str, value: &str| {
        app.send(
            app.request("POST", "/api/v5/auth/refresh")
                .header("cookie", &person.cookie)
                .header(name, value),
        )
    };
    for origin in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "https://APP.example.com:444",
        "null",
    ] {
        from("origin", origin)
            .await
            .expect_problem(403, "forbidden");
    }
    from("sec-fetch-site", "cross-site")
        .await
        .expect_problem(403, "forbidden");
    from("sec-fetch-site", "same-site")
        .await
        .expect_problem(403, "forbidden");
    from("origin", "https://app.example.com").await.expect(200);
    from("origin", &app.base).await.expect(200);
    for cookie in [
        "",
        "x=y",
        "__Host-coditect-refresh=",
        "__Host-coditect-refresh=AAAA",
        &format!("{}x", person.cookie),
        &person.cookie.replace("__Host-", ""),
    ] {
        app.refresh(cookie)
            .await
            .expect_problem(401, "unauthenticated");
    }
    // A cookie tossed in by another host of the domain hides ours no more than a stale one would.
    let second = from("sec-fetch-site", "same-origin").await.expect(200);
    app.refresh(&format!(
        "a=b; __Host-coditect-refresh=AAAA; {}",
        second.cookie()
    ))
    .await
    .expect(200);
}

#[tokio::test]
async fn no_foreign_page_signs_its_visitor_in() {
    let app = App::with(|config| config.origins.push("https://app.example.com".to_owned())).await;
    let accepted = app.register(ADA).await.expect(202).json();
    let claim = format!("{}/session", accepted["status_url"].as_str().unwrap());
    let password = json!({ "email": ADA, "password": PASSWORD });
    let from = |path: &str, header: (&str, &str)| {
        let request = app.request("POST", path).header(header.0, header.1);
        app.send(request.json(&password))
    };
    for path in [claim.as_str(), "/api/v5/auth/login"] {
        for header in [
            ("origin", "https://evil.example"),
            ("origin", "https://app.example.com.evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let answer = from(path, header).await;
            assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
            answer.expect_problem(403, "forbidden");
        }
        // The refusals have not used up the sign-up's one sign-in.
        from(path, ("origin", "https://app.example.com"))
            .await
            .expect(200);
    }
    from("/api/v5/auth/login", ("origin", &app.base))
        .await
        .expect(200);
}

#[tokio::test]
async fn signing_out_ends_the_login_for_its_next_request() {
    let app = App::start().await;
    let one = app.person(ADA).await;
    let other = Person::of(&app.login(ADA, PASSWORD).await.expect(200));
    let answer = app
        .send(
            app.request("POST", "/api/v5/auth/logout")
                .header("cookie", &one.cookie),
        )
        .await
        .expect(204);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    app.call(&one, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
    app.refresh(&one.cookie)
        .await
        .expect_problem(401, "unauthenticated");
    app.call(&other, "GET", "/api/v5/me", None)
        .await
        .expect(200);
    // The access token alone is enough, and doing it twice is harmless.
    for _ in 0..2 {
        app.call(&other, "POST", "/api/v5/auth/logout", None)
            .await
            .expect(204);
    }
    app.call(&other, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
    app.send(app.request("POST", "/api/v5/auth/logout"))
        .await
        .expect(204);
}

#[tokio::test]
async fn an_access_token_lasts_minutes_and_a_login_a_day_unused() {
    let app = App::start().await;
    let person = app.person(ADA).await;
    app.advance(299);
    app.call(&person, "GET", "/api/v5/me", None)
        .await
        .expect(200);
    app.advance(1);
    let body = app
        .call(&person, "GET", "/api/v5/me", None)
        .await
        .expect_problem(401, "unauthenticated");
    assert!(
        body["detail"].as_str().unwrap().contains("expired"),
        "{body}"
    );
    app.advance(23 * 3_600);
    let person = Person::of(&app.refresh(&person.cookie).await.expect(200));
    app.advance(24 * 3_600);
    app.refresh(&person.cookie)
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn no_login_lasts_longer_than_thirty_days() {
    let app = App::start().await;
    let mut cookie = app.person(ADA).await.cookie;
    for _ in 0..31 {
        app.advance(23 * 3_600);
        cookie = app.refresh(&cookie).await.expect(200).cookie();
    }
    app.advance(23 * 3_600);
    app.refresh(&cookie)
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn guessing_one_password_from_many_addresses_is_bounded() {
    let app = guessed(2, 1).await;
    let guess = |from: &'static str| login_from(&app, from, ADA, WRONG);
    guess("192.0.2.1")
        .await
        .expect_problem(401, "unauthenticated");
    guess("192.0.2.2")
        .await
        .expect_problem(401, "unauthenticated");
    guess("192.0.2.3")
        .await
        .expect_problem(429, "too-many-requests");
}

#[tokio::test]
async fn guessing_gets_slower_for_whoever_guesses_alone() {
    let app = guessed(100, 100).await;
    app.person(ADA).await;
    let login = |from, email, password| login_from(&app, from, email, password);
    // Whether or not there is such an account.
    for email in [ADA, "nobody@example.com"] {
        for _ in 0..5 {
            login("192.0.2.1", email, WRONG)
                .await
                .expect_problem(401, "unauthenticated");
        }
        let slower = login("192.0.2.1", email, PASSWORD).await;
        assert_eq!(slower.header("retry-after"), "1");
        slower.expect_problem(429, "too-many-requests");
    }
    login("192.0.2.2", ADA, PASSWORD).await.expect(200);
    app.advance(1);
    login("192.0.2.1", ADA, WRONG)
        .await
        .expect_problem(401, "unauthenticated");
    app.advance(1);
    let slower = login("192.0.2.1", ADA, PASSWORD).await;
    slower.expect_problem(429, "too-many-requests");
    app.advance(1);
    login("192.0.2.1", ADA, PASSWORD).await.expect(200);
    // Right once, everything is forgotten.
    for _ in 0..5 {
        login("192.0.2.1", ADA, WRONG)
            .await
            .expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn what_others_guess_shuts_nobody_out_who_signed_in_from_here_before() {
    let app = guessed(2, 1).await;
    app.person(ADA).await;
    let login = |from, password| login_from(&app, from, ADA, password);
    login("2001:db8:1:2::1", PASSWORD).await.expect(200);
    for from in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        login(from, WRONG).await;
    }
    login("192.0.2.9", PASSWORD)
        .await
        .expect_problem(429, "too-many-requests");
    login("2001:db8:1:2::77", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn requests_of_one_account_are_limited_together() {
    let app = App::with(|config| {
        config.rates = Some(Rates {
            account: Rate {
                burst: 2,
                per_minute: 1,
            },
            ..Rates::default()
        })
    })
    .await;
    let ada = app.person(ADA).await;
    let again = Person::of(&app.login(ADA, PASSWORD).await.expect(200));
    let bob = app.person("bob@example.com").await;
    let answer = app.call(&ada, "GET", "/api/v5/me", None).await.expect(200);
    assert!(
        answer.header("ratelimit").starts_with("\"account\";r=1"),
        "{answer:?}"
    );
    app.call(&again, "GET", "/api/v5/me", None)
        .await
        .expect(200);
    app.call(&ada, "GET", "/api/v5/workspaces", None)
        .await
        .expect_problem(429, "too-many-requests");
    app.call(&bob, "GET", "/api/v5/me", None).await.expect(200);
}
