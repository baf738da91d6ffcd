//! Who comes in, and how it ends.

use std::sync::atomic::Ordering;

use coditect_core::{LoginId, WorkspaceId};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::{
    api::WEB_APP,
    socket::{open, refused},
    world::{COOKIE, ORIGIN, World},
};

fn navigate() -> Vec<(&'static str, String)> {
    [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-site", "cross-site"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

#[tokio::test]
async fn a_code_becomes_a_cookie_that_opens_the_ide() {
    let world = World::new().await;
    let lost = world.get("/", &navigate()).await;
    assert_eq!(
        (lost.status, lost.header("location")),
        (StatusCode::SEE_OTHER, Some("/coditect/enter"))
    );
    let page = world.get("/coditect/enter", &navigate()).await;
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(html.contains(&format!("content=\"{WEB_APP}\"")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.ends_with(&format!("frame-ancestors {WEB_APP}")) && !policy.contains("unsafe"));

    let claims = world.api.state.claims(world.login);
    let entered = world
        .enter(&world.api.state.code(world.workspace, claims))
        .await;
    assert_eq!(entered.status, StatusCode::OK);
    let left = entered.json()["expires_in"].as_i64().unwrap();
    assert!((590..=600).contains(&left), "{left}");
    let cookie = entered.header("set-cookie").unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(
        attributes,
        format!("Path=/; Max-Age={left}; Secure; HttpOnly; SameSite=None; Partitioned")
    );
    let own = |cookie: &str| {
        vec![
            ("cookie", format!("theia=1; {cookie}")),
            ("sec-fetch-site", "same-origin".to_owned()),
        ]
    };
    let session = world.get("/coditect/session", &own(pair)).await;
    assert_eq!(session.status, StatusCode::OK);
    // Whom the IDE's page may speak to around it.
    assert_eq!(session.json()["web_app"], crate::api::WEB_APP);
    let ide = world.get("/some/file", &own(pair)).await;
    assert_eq!(ide.status, StatusCode::OK);
    // The IDE saw its own cookie and nothing of ours.
    let got = world.ide.state.last();
    assert_eq!(got.headers["cookie"], "theia=1");
}

#[tokio::test]
async fn a_code_is_good_once_and_here_only() {
    let world = World::new().await;
    let state = &world.api.state;
    let code = state.code(world.workspace, state.claims(world.login));
    assert_eq!(world.enter(&code).await.status, StatusCode::OK);
    let replayed = world.enter(&code).await;
    assert_eq!(replayed.status, StatusCode::FORBIDDEN);
    assert!(replayed.header("set-cookie").is_none());

    let elsewhere = state.code(WorkspaceId::random(), state.claims(world.login));
    let redirected = world.enter(&elsewhere).await;
    assert_eq!(redirected.status, StatusCode::FORBIDDEN);
    assert!(redirected.header("set-cookie").is_none());
}

#[tokio::test]
async fn a_code_is_taken_from_our_own_page_only_and_only_as_json() {
    let world = World::new().await;
    let state = &world.api.state;
    let code = state.code(world.workspace, state.claims(world.login));
    let body = json!({ "code": code }).to_string();
    let json_type = ("content-type", "application/json".to_owned());
    for (origin, site) in [
        (Some("https://app.test"), "cross-site"),
        (Some("https://sibling.ws.test"), "same-site"),
        (Some("null"), "same-origin"),
        (Some(ORIGIN), "cross-site"),
        (None, "none"),
    ] {
        let mut headers = vec![json_type.clone(), ("sec-fetch-site", site.to_owned())];
        headers.extend(origin.map(|origin| ("origin", origin.to_owned())));
        let answer = world
            .send("POST", "/coditect/enter", &headers, body.clone())
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin:?}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let headers = [
            ("origin", ORIGIN.to_owned()),
            ("content-type", kind.to_owned()),
        ];
        let answer = world
            .send("POST", "/coditect/enter", &headers, body.clone())
            .await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let headers = [("origin", ORIGIN.to_owned()), json_type];
    for body in [
        String::new(),
        "{}".to_owned(),
        json!({"code": "short"}).to_string(),
        json!({"code": "x".repeat(129)}).to_string(),
        json!({"code": "../../../../../../etc/passwd"}).to_string(),
        json!({"code": code, "more": 1}).to_string(),
        " ".repeat(2_000),
    ] {
        let answer = world
            .send("POST", "/coditect/enter", &headers, body.clone())
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(world.redeemed(), 0, "nothing of that reached the API");
    assert_eq!(world.enter(&code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_tries_many_codes_is_slowed_down_before_the_api() {
    let world = World::new().await;
    let mut refused = 0;
    for _ in 0..60 {
        let answer = world.enter(&"x".repeat(32)).await;
        refused += usize::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused > 0 && world.redeemed() + refused == 60);
}

#[tokio::test]
async fn a_token_that_the_api_should_not_have_given_is_no_cookie() {
    let world = World::new().await;
    let state = &world.api.state;
    let mut claims = state.claims(world.login);
    claims["aud"] = json!(coditect_core::sidecar::entry_audience(WorkspaceId::random()));
    let answer = world.enter(&state.code(world.workspace, claims)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.header("set-cookie").is_none());
}

#[tokio::test]
async fn only_a_token_for_this_workspace_from_this_api_by_a_known_key_lets_in() {
    let world = World::new().await;
    let state = &world.api.state;
    state.add_key("unknown", false);
    let good = || state.claims(world.login);
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        state.sign("k1", &claims)
    };
    let other = coditect_core::sidecar::entry_audience(WorkspaceId::random());
    let none = {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as B64};
        let header = json!({"alg": "none", "typ": "workspace+jwt", "kid": "k1"});
        format!(
            "{}.{}.",
            B64.encode(header.to_string()),
            B64.encode(good().to_string())
        )
    };
    for (what, token) in [
        ("another workspace's", with("aud", json!(other))),
        ("an access token's audience", with("aud", json!("coditect"))),
        ("another issuer's", with("iss", json!("https://evil.test"))),
        ("expired", with("exp", json!(1))),
        ("everlasting", with("exp", json!(i64::MAX))),
        ("none", none),
        ("a removed key's", state.sign("unknown", &good())),
        ("nothing", String::new()),
        ("garbage", "a.b.c".to_owned()),
    ] {
        let headers = [
            ("cookie", format!("{COOKIE}={token}")),
            ("origin", ORIGIN.to_owned()),
        ];
        let answer = world.get("/", &headers).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
        refused(&world, &headers, "401").await;
    }
    assert!(world.ide.state.got.lock().unwrap().is_empty());
    // The same without a flaw.
    let headers = [
        ("cookie", format!("{COOKIE}={}", state.sign("k1", &good()))),
        ("origin", ORIGIN.to_owned()),
    ];
    assert_eq!(world.get("/", &headers).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_bad_cookie_of_our_name_does_not_hide_a_good_one() {
    let world = World::new().await;
    let mut headers = world.own();
    headers[0].1 = format!("{COOKIE}=evil; {}", world.cookie());
    assert_eq!(world.get("/", &headers).await.status, StatusCode::OK);
}

#[tokio::test]
async fn made_up_keys_do_not_reach_the_api_through_us() {
    let world = World::new().await;
    let state = &world.api.state;
    let before = state.fetched_keys.load(Ordering::SeqCst);
    for at in 0..50 {
        let key = format!("made-up-{at}");
        state.add_key(&key, false);
        let token = state.sign(&key, &state.claims(world.login));
        let headers = [
            ("cookie", format!("{COOKIE}={token}")),
            ("origin", ORIGIN.to_owned()),
        ];
        assert_eq!(
            world.get("/", &headers).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    assert!(state.fetched_keys.load(Ordering::SeqCst) <= before + 1);
}

#[tokio::test]
async fn a_login_that_ends_is_cut_off_at_once_and_no_other() {
    let world = World::new().await;
    let other = LoginId::random();
    let mut open_one = open(&world, &world.own()).await;
    let mut headers = world.own();
    headers[0].1 = format!("{COOKIE}={}", world.api.state.token(other));
    let mut open_other = open(&world, &headers).await;
    // An answer that goes on and on is cut as well.
    let mut drip = world.connect().await;
    crate::socket::request(&mut drip, "/drip", &world.own(), "").await;
    crate::world::head(&mut drip).await;

    let login = world.login;
    world
        .api
        .state
        .change(|access| access.ended_logins.push(login));
    let mut rest = Vec::new();
    // The other side closes: nothing is left to read.
    let _ = open_one.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
    let _ = drip.read_to_end(&mut rest).await;
    world.ide.state.given_up.notified().await;
    let answer = world.get("/", &world.own()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    refused(&world, &world.own(), "401").await;
    crate::socket::echo(&mut open_other, b"still here").await;
}

#[tokio::test]
async fn a_key_that_is_removed_or_revoked_lets_nobody_in_any_more() {
    let world = World::new().await;
    let state = &world.api.state;
    state.add_key("k2", true);
    state.change(|access| access.keys.push("k2".to_owned()));
    let by = |key: &str| {
        vec![
            (
                "cookie",
                format!("{COOKIE}={}", state.sign(key, &state.claims(world.login))),
            ),
            ("origin", ORIGIN.to_owned()),
        ]
    };
    world
        .until(|| async { world.get("/", &by("k2")).await.status == StatusCode::OK })
        .await;
    let (mut removed, mut revoked) = (open(&world, &by("k1")).await, open(&world, &by("k2")).await);
    // Superseded long ago: no token of it is good, but whoever is in stays.
    state.change(|access| access.keys.retain(|key| key != "k1"));
    world
        .until(|| async { world.get("/", &by("k1")).await.status == StatusCode::UNAUTHORIZED })
        .await;
    crate::socket::echo(&mut removed, b"still here").await;
    // Revoked: whoever came in by it is out.
    state.unpublish("k2");
    state.change(|access| {
        access.keys.clear();
        access.revoked_keys.push("k2".to_owned());
    });
    let mut rest = Vec::new();
    let _ = revoked.read_to_end(&mut rest).await;
    refused(&world, &by("k2"), "401").await;
}

#[tokio::test]
async fn before_the_api_has_spoken_nobody_is_in_and_we_are_well() {
    let world = World::unheard().await;
    world.api.stop();
    assert_eq!(world.get("/health", &[]).await.status, StatusCode::OK);
    let early = world.get("/", &world.own()).await;
    // It may have spoken before it went away.
    assert!(early.status == StatusCode::SERVICE_UNAVAILABLE || early.status == StatusCode::OK);
    let page = world.get("/", &navigate()).await;
    assert!(matches!(page.status.as_u16(), 503 | 303));
}

#[tokio::test]
async fn open_sockets_and_good_tokens_outlive_the_api() {
    let world = World::new().await;
    let mut socket = open(&world, &world.own()).await;
    world.api.stop();
    crate::socket::echo(&mut socket, b"still here").await;
    assert_eq!(world.get("/", &world.own()).await.status, StatusCode::OK);
    let answer = world.enter(&"x".repeat(32)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}
