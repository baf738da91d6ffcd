//! Health, metrics, keys, headers.

use coditect_api::{ServeLimits, ops_router, serve_router};
use coditect_core::health::Health;
use coditect_registry::store::{
    StoreError,
    faulty::{Fault, FaultyStore},
    memory::MemoryStore,
};
use tokio::net::TcpListener;

use crate::harness::{App, capture_log, captured_log, metrics_handle};

#[tokio::test]
async fn health_tells_what_is_wrong_and_readiness_whether_to_send_requests() {
    let app = App::start().await;
    app.get("/health").await.expect(200);
    app.get("/health/ready").await.expect(200);
    app.health.degraded(
        "mirror",
        "the mirror is three commits behind; pushing again in 20 s",
    );
    let board = app.get("/health").await.expect(200).json();
    assert_eq!(
        (
            board["status"].as_str(),
            board["parts"]["mirror"]["status"].as_str()
        ),
        (Some("degraded"), Some("degraded"))
    );
    app.get("/health/ready").await.expect(200);
    app.health.failing(
        "renderer",
        "the disk is full; sign-ups are kept and committed later",
    );
    let board = app.get("/health").await.expect(503).json();
    assert_eq!(
        (
            board["status"].as_str(),
            board["parts"]["renderer"]["status"].as_str()
        ),
        (Some("failing"), Some("failing"))
    );
    app.get("/health/ready").await.expect(503);
    app.health.ok("renderer", "commits");
    app.get("/health/ready").await.expect(200);
}

#[tokio::test]
async fn the_registry_is_asked_for_real() {
    let app = App::start().await;
    let body = app.get("/health/fdb").await.expect(200).json();
    assert!(
        body["latency_ms"].as_f64().unwrap() > 0.0 && body["version"].as_u64().unwrap() > 0,
        "{body}"
    );
    assert!(body["store"].as_str().unwrap().contains("memory"), "{body}");
    app.store
        .inject_always(Fault::Get(StoreError::Unavailable("gone".into())));
    assert_eq!(
        app.get("/health/fdb").await.expect(503).json()["status"],
        "failing"
    );
    app.get("/health/ready").await.expect(503);
    app.get("/health").await.expect(200);
    app.store.heal();
    app.get("/health/ready").await.expect(200);
}

#[tokio::test]
async fn metrics_know_routes_and_never_paths() {
    let app = App::start().await;
    let person = app.person("metrics@example.com").await;
    let path = app.workspace(&person).await;
    app.call(&person, "GET", &path, None).await.expect(200);
    app.get("/api/v5/secret-path").await.expect(404);
    let text = app.get("/metrics").await.expect(200).text;
    let id = path.rsplit('/').next().unwrap();
    assert!(text.contains("route=\"/api/v5/workspaces/{id}\""), "{text}");
    assert!(text.contains("route=\"unmatched\""), "{text}");
    assert!(
        text.contains("coditect_api_request_seconds_bucket{"),
        "{text}"
    );
    assert!(
        text.contains("coditect_api_password_hash_seconds_count"),
        "{text}"
    );
    for secret in [id, "secret-path", "metrics@example.com"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_token_verifies_with_the_published_keys_alone() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let set = app.get("/.well-known/jwks.json").await.expect(200).json();
    let header = jsonwebtoken::decode_header(&person.token).unwrap();
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(set).unwrap();
    let key = keys.find(&header.kid.unwrap()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    rules.set_audience(&["coditect"]);
    rules.set_issuer(&[&app.base]);
    let key = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
    let claims = jsonwebtoken::decode::<serde_json::Value>(&person.token, &key, &rules)
        .unwrap()
        .claims;
    let me = app
        .call(&person, "GET", "/api/v5/me", None)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&claims["sub"], &claims["uid"], &claims["tid"]),
        (&me["id"], &me["user_id"], &me["tenant"]["id"])
    );
    assert!(claims["sid"].is_string() && claims["jti"].is_string());
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        300
    );
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_protect() {
    let app = App::with(|config| config.public_url = "https://api.example.com".to_owned()).await;
    for path in ["/", "/api/v5/plans", "/api/v5/me", "/nope", "/health"] {
        let answer = app.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert!(
            answer
                .header("content-security-policy")
                .contains("frame-ancestors 'none'")
        );
        assert!(
            answer
                .header("strict-transport-security")
                .starts_with("max-age=")
        );
        assert!(answer.headers.contains_key("x-request-id"));
        assert!(answer.headers.contains_key("cache-control"));
    }
    let answer = app
        .send(
            app.request("GET", "/api/v5/plans")
                .header("x-request-id", "my-request-1"),
        )
        .await;
    assert_eq!(answer.header("x-request-id"), "my-request-1");
    let answer = app
        .send(
            app.request("GET", "/nope")
                .header("x-request-id", "not one \"of\" ours"),
        )
        .await;
    assert_ne!(answer.header("x-request-id"), "not one \"of\" ours");
    answer.expect_problem(404, "not-found");
}

#[tokio::test]
async fn browsers_are_not_told_to_come_by_tls_alone_to_their_own_machine() {
    for url in ["https://localhost:8080", "https://127.0.0.1:8080"] {
        let app = App::with(|config| config.public_url = url.to_owned()).await;
        let answer = app.get("/health").await;
        assert!(
            !answer.headers.contains_key("strict-transport-security"),
            "{url}: the name is other programs' too"
        );
    }
}

#[tokio::test]
async fn only_pages_of_configured_origins_may_call() {
    let app = App::with(|config| config.origins.push("https://app.example.com".to_owned())).await;
    let preflight = |origin: &str| {
        app.send(
            app.request("OPTIONS", "/api/v5/workspaces")
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header(
                    "access-control-request-headers",
                    "authorization,content-type,idempotency-key",
                ),
        )
    };
    let answer = preflight("https://app.example.com").await.expect(200);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example.com"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert!(
        answer
            .header("access-control-allow-headers")
            .contains("idempotency-key")
    );
    for origin in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "null",
    ] {
        assert!(
            !preflight(origin)
                .await
                .headers
                .contains_key("access-control-allow-origin"),
            "{origin}"
        );
    }
    let answer = app
        .send(
            app.request("GET", "/api/v5/me")
                .header("origin", "https://app.example.com"),
        )
        .await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example.com",
        "problems are readable too"
    );
    let none = App::start().await;
    let answer = none
        .send(
            none.request("GET", "/api/v5/plans")
                .header("origin", "https://app.example.com"),
        )
        .await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_renderer_answers_health_and_metrics_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let health = Health::default();
    let store = FaultyStore::new(MemoryStore::new());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve_router(
        listener,
        ops_router(health.clone(), metrics_handle(), Some(store.clone())),
        ServeLimits::default(),
        async {
            let _ = stopped.await;
        },
    ));
    let status = async |path: &str| {
        reqwest::get(format!("{base}{path}"))
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(status("/health").await, 200);
    assert_eq!(status("/metrics").await, 200);
    assert_eq!(status("/health/fdb").await, 200);
    store.inject(Fault::Begin(StoreError::Unavailable("gone".into())), 1);
    assert_eq!(status("/health/fdb").await, 503);
    health.failing("git", "the repository is read-only");
    assert_eq!(status("/health").await, 503);
    assert_eq!(status("/health/ready").await, 503);
    assert_eq!(status("/api/v5/plans").await, 404);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn logs_hold_templates_and_ids_and_nothing_of_the_person() {
    let app = App::start().await;
    capture_log();
    let person = app.person("logged@example.com").await;
    app.login("logged@example.com", "wrong password given")
        .await
        .expect(401);
    app.call(
        &person,
        "GET",
        "/api/v5/workspaces?limit=7&cursor=hidden-query",
        None,
    )
    .await
    .expect(422);
    app.call_with(
        &person,
        "GET",
        "/api/v5/me",
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        None,
    )
    .await
    .expect(200);
    app.store
        .inject_always(Fault::Begin(StoreError::Unavailable(
            "disk of the registry".into(),
        )));
    app.call(&person, "GET", "/api/v5/me", None)
        .await
        .expect(503);
    let text = captured_log();
    assert!(
        text.contains("/api/v5/auth/register") && text.contains("request_id"),
        "{text}"
    );
    assert!(text.contains("4bf92f3577b34da6a3ce929d0e0e4736"), "{text}");
    assert!(
        text.contains("disk of the registry"),
        "the cause is logged: {text}"
    );
    for secret in [
        "logged@example.com",
        "wrong password",
        "correct horse",
        "hidden-query",
        &person.token,
        person.cookie.split('=').nth(1).unwrap(),
        "Ada",
    ] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}
