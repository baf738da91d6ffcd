//! Hostile input: a problem document that names the field, and nothing written.

use coditect_api::ApiConfig;
use serde_json::{Value, json};

use crate::harness::{App, PASSWORD};

/// Things people send that are neither names nor addresses.
fn hostile() -> Vec<String> {
    [
        "",
        " ",
        "\n",
        "a\nb",
        "a\r\nSet-Cookie: x=y",
        "a\0b",
        "\u{7f}",
        "a\u{202e}b",
        "\u{200b}",
        "a\u{2028}b",
        "\u{feff}a",
        "../../etc/passwd\0",
        "\u{e0041}",
        "\u{fffd}\u{0}",
    ]
    .iter()
    .map(|text| (*text).to_owned())
    .chain(["x".repeat(300), "ä".repeat(5_000)])
    .collect()
}

fn person(email: &str, password: &str, display_name: &str) -> Value {
    json!({ "email": email, "password": password, "display_name": display_name })
}

#[tokio::test]
async fn hostile_sign_ups_name_the_field_and_write_nothing() {
    let app = App::start().await;
    let version = app.version().await;
    let mut emails = hostile();
    emails.extend(
        [
            "a",
            "@",
            "a@b",
            "a@@b.cd",
            "a b@c.de",
            "\"a\"@b.cd",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "\u{430}dmin@example.com",
            "a@b.cd\n",
            "{{7*7}}@b.cd x",
            "a: b@c.de",
            "!!python/object@b.cd ",
            "a@b..cd",
            "a@-b.cd",
            "*@b.cd.",
            "a@*.cd",
            "../../etc@b.cd/..",
            "a@b.cd,c@d.ef",
        ]
        .map(str::to_owned),
    );
    let cases = emails
        .into_iter()
        .map(|email| ("email", person(&email, PASSWORD, "Ada")))
        .chain(
            hostile()
                .into_iter()
                .map(|name| ("display_name", person("ada@example.com", PASSWORD, &name))),
        )
        .chain(
            [
                "",
                "short",
                "11 letters!",
                "ada@example.com",
                "ADA@EXAMPLE.COM",
                &"x".repeat(129),
                &"界".repeat(600),
            ]
            .map(|password| ("password", person("ada@example.com", password, "Ada"))),
        );
    for (field, body) in cases {
        let problem = app
            .post("/api/v5/auth/register", &body)
            .await
            .expect_problem(422, "invalid-input");
        assert_eq!(problem["field"], field, "{body}");
        assert!(problem["detail"].as_str().unwrap().len() < 400, "{problem}");
    }
    assert_eq!(app.version().await, version, "something was written");
}

#[tokio::test]
async fn every_field_that_is_wrong_is_named_at_once() {
    let app = App::start().await;
    let problem = app
        .post("/api/v5/auth/register", &person("a", "b", "\n"))
        .await
        .expect_problem(422, "invalid-input");
    let fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["email", "display_name", "password"]);
}

#[tokio::test]
async fn text_that_only_looks_dangerous_is_text() {
    let app = App::start().await;
    for (count, name) in [
        "{{ user }}",
        "a: b # c",
        "!!binary |",
        "'; drop table users; --",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "%s%n",
        "李小龍",
        "O'Brien",
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("a{count}@example.com");
        app.post("/api/v5/auth/register", &person(&email, PASSWORD, name))
            .await
            .expect(202);
        let answer = app.login(&email, PASSWORD).await.expect(200);
        let me = app
            .call(
                &crate::harness::Person::of(&answer),
                "GET",
                "/api/v5/me",
                None,
            )
            .await
            .expect(200)
            .json();
        assert_eq!(me["display_name"], name);
    }
}

#[tokio::test]
async fn hostile_workspace_names_write_nothing() {
    let app = App::start().await;
    let ada = app.person("ada@example.com").await;
    let path = app.workspace(&ada).await;
    let version = app.version().await;
    let mut names = hostile();
    names.extend(
        [
            "../x",
            "a/b",
            "a\\b",
            "{{x}}",
            "a: b",
            "&a *a",
            "p\u{430}ypal",
            "...",
            "a\tb",
            "a<b>",
            "a\"b",
            "$(id)",
            "`id`",
            &"x".repeat(41),
        ]
        .map(str::to_owned),
    );
    for name in names {
        for (method, path) in [("POST", "/api/v5/workspaces"), ("PATCH", path.as_str())] {
            let problem = app
                .call(&ada, method, path, Some(json!({ "name": name })))
                .await
                .expect_problem(422, "invalid-input");
            assert_eq!(problem["field"], "name", "{name:?}");
        }
    }
    assert_eq!(app.version().await, version, "something was written");
}

#[tokio::test]
async fn a_body_of_any_shape_gets_a_problem_document() {
    let app = App::start().await;
    let version = app.version().await;
    let send = |kind: &str, body: Vec<u8>| {
        app.send(
            app.request("POST", "/api/v5/auth/register")
                .header("content-type", kind)
                .body(body),
        )
    };
    let json = "application/json";
    let body = send(json, b"{\n  \"email\": oops}".to_vec())
        .await
        .expect_problem(400, "malformed-json");
    assert!(
        body["detail"].as_str().unwrap().contains("line 2 column 1"),
        "{body}"
    );
    for text in [
        "",
        "{",
        "\"",
        "nul",
        "{\"email\":\"a\",}",
        "{\"email\":\"a\",\"password\":\"b\",\"display_name\":\"c\"} {",
        "\u{feff}{}",
    ] {
        send(json, text.as_bytes().to_vec())
            .await
            .expect_problem(400, "malformed-json");
    }
    send(json, b"{\"email\":\"\xff\xfe\"}".to_vec())
        .await
        .expect_problem(400, "malformed-json");
    for (text, field) in [
        ("null", "body"),
        ("[]", "body"),
        (
            "[\"ada@example.com\",\"correct horse battery\",\"Ada\"]",
            "body",
        ),
        (&"[".repeat(60_000), "body"),
        (&format!("{{\"email\":{}", "[".repeat(60_000)), "email"),
        ("{}", "email"),
        ("{\"email\":{}}", "email"),
        (
            "{\"email\":\"a@b.cd\",\"password\":12345678901234}",
            "password",
        ),
        ("{\"email\":\"a@b.cd\",\"emial\":\"x\"}", "emial"),
        ("{\"email\":\"a@b.cd\",\"email\":\"x\"}", "email"),
        (
            "{\"email\":\"a@b.cd\",\"password\":\"correct horse battery\",\"display_name\":\"A\",\"admin\":true}",
            "admin",
        ),
        ("{\"__proto__\":{}}", "__proto__"),
    ] {
        let body = send(json, text.as_bytes().to_vec())
            .await
            .expect_problem(422, "invalid-input");
        assert_eq!(body["field"], field, "{text}");
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "json",
    ] {
        send(kind, b"{}".to_vec())
            .await
            .expect_problem(415, "unsupported-media-type");
    }
    app.send(app.request("POST", "/api/v5/auth/register"))
        .await
        .expect_problem(415, "unsupported-media-type");
    assert_eq!(app.version().await, version, "something was written");
}

#[tokio::test]
async fn a_megabyte_is_refused_wherever_it_is_sent() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let version = app.version().await;
    let huge = "x".repeat(1 << 20);
    for (method, path, body) in [
        ("POST", "/api/v5/auth/register", json!({ "email": huge })),
        ("POST", "/api/v5/auth/login", json!({ "password": huge })),
        ("POST", "/api/v5/workspaces", json!({ "name": huge })),
        ("PATCH", "/api/v5/me", json!({ "display_name": huge })),
        ("DELETE", "/api/v5/me", json!({ "password": huge })),
        (
            "PUT",
            "/api/v5/me/password",
            json!({ "new_password": huge }),
        ),
        ("PUT", "/api/v5/tenant/plan", json!({ "plan": huge })),
    ] {
        app.call(&person, method, path, Some(body))
            .await
            .expect_problem(413, "payload-too-large");
    }
    // Also when its length is not told beforehand.
    let chunks =
        futures::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; 16 * 1024])));
    let request = app
        .request("POST", "/api/v5/auth/login")
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(chunks));
    app.send(request)
        .await
        .expect_problem(413, "payload-too-large");
    assert_eq!(app.version().await, version, "something was written");
}

#[tokio::test]
async fn a_body_just_within_the_limit_is_read() {
    let limit = ApiConfig::new("https://a.example").largest_body;
    let app = App::start().await;
    let padding = limit - "{\"email\":\"\"}".len();
    let text = format!("{{\"email\":\"{}\"}}", "x".repeat(padding));
    let send = |text: String| {
        app.send(
            app.request("POST", "/api/v5/auth/login")
                .header("content-type", "application/json")
                .body(text),
        )
    };
    send(text.clone())
        .await
        .expect_problem(422, "invalid-input");
    send(format!("{text} "))
        .await
        .expect_problem(413, "payload-too-large");
}

#[tokio::test]
async fn paths_methods_and_headers_of_any_shape_get_a_problem_document() {
    let app = App::start().await;
    for path in [
        "/nope",
        "/api/v5",
        "/api/v5/nope",
        "/api/v4/me",
        "/api/v5/workspaces/",
        "/assets/../style.css",
        "/problems/nope",
        "/%00",
        "//",
    ] {
        app.get(path).await.expect_problem(404, "not-found");
    }
    let answer = app.send(app.request("DELETE", "/api/v5/auth/login")).await;
    assert_eq!(answer.header("allow"), "POST");
    answer.expect_problem(405, "method-not-allowed");
    app.send(app.request("BREW", "/api/v5/plans"))
        .await
        .expect_problem(405, "method-not-allowed");
    app.send(
        app.request("GET", "/api/v5/plans")
            .header("x-large", "x".repeat(20_000)),
    )
    .await
    .expect_problem(431, "headers-too-large");
}
