//! The built web app, served at the API's own address.

use std::fs;

use tempfile::TempDir;

use crate::harness::{Answer, App};

const INDEX: &str = "<!doctype html><title>App</title><div id=\"root\"></div>";

async fn start() -> (App, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("assets")).unwrap();
    fs::create_dir(folder.path().join(".vite")).unwrap();
    write("index.html", INDEX);
    write("icon.svg", "<svg/>");
    write("assets/index-BqW2C8la.js", &"let a = 1;\n".repeat(100));
    write(".vite/manifest.json", "{}");
    fs::write(
        folder.path().parent().unwrap().join("outside.txt"),
        "secret",
    )
    .unwrap();
    let path = folder.path().to_owned();
    let app = App::with(|config| {
        config.web_app_folder = Some(path);
        config.workspace_url_template = "https://{host}".to_owned();
    })
    .await;
    (app, folder)
}

async fn visit(app: &App, path: &str) -> Answer {
    let request = app.request("GET", path);
    app.send(request.header("accept", "text/html,*/*;q=0.8"))
        .await
}

#[tokio::test]
async fn every_address_of_the_app_is_its_page_which_frames_workspaces_alone() {
    let (app, _folder) = start().await;
    for path in [
        "/",
        "/dashboard",
        "/wake/quiet-otter-7k3fm",
        "/ide/1",
        "/settings/files",
        "/workspaces/1/manifests",
        "/nothing",
    ] {
        let page = visit(&app, path).await.expect(200);
        assert_eq!(page.text, INDEX, "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-cache");
        assert_eq!(
            page.header("cross-origin-opener-policy"),
            "same-origin-allow-popups"
        );
        let policy = page.header("content-security-policy");
        let mut frames = policy
            .split(';')
            .map(str::trim)
            .filter(|one| one.starts_with("frame-src"));
        assert_eq!(frames.next(), Some("frame-src https://*.ide.example"));
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn what_is_not_the_apps_stays_what_it_is() {
    let (app, _folder) = start().await;
    for path in [
        "/api/v5/nothing",
        "/assets/none.js",
        "/.well-known/nothing",
        "/health/nothing",
        "/index.html/",
    ] {
        let answer = visit(&app, path).await;
        match path {
            "/index.html/" => assert_eq!(answer.text, INDEX),
            _ => {
                answer.expect_problem(404, "not-found");
            }
        }
    }
    visit(&app, "/api/v5/me")
        .await
        .expect_problem(401, "unauthenticated");
    assert!(visit(&app, "/docs").await.expect(200).text != INDEX);
    app.get("/openapi.json").await.expect(200).json();
    // Only people navigate, and only by reading.
    let program = app
        .request("GET", "/dashboard")
        .header("accept", "application/json");
    app.send(program).await.expect_problem(404, "not-found");
    let posted = app
        .request("POST", "/dashboard")
        .header("accept", "text/html");
    app.send(posted).await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn files_are_kept_for_ever_where_their_names_say_their_content() {
    let (app, _folder) = start().await;
    let script = app.get("/assets/index-BqW2C8la.js").await.expect(200);
    assert_eq!(
        script.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(
        script.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert!(!script.headers.contains_key("content-encoding"));
    let smaller = app
        .request("GET", "/assets/index-BqW2C8la.js")
        .header("accept-encoding", "br, gzip");
    let smaller = smaller.send().await.unwrap();
    assert_eq!(smaller.headers()["content-encoding"], "gzip");
    let vary: Vec<_> = smaller.headers().get_all("vary").iter().collect();
    assert!(
        vary.iter().any(|value| *value == "accept-encoding"),
        "{vary:?}"
    );
    assert!(smaller.bytes().await.unwrap().len() < script.text.len());
    let icon = app.get("/icon.svg").await.expect(200);
    assert_eq!(icon.header("cache-control"), "no-cache");
    // What the API brings itself is there beside it.
    app.get("/assets/style.css").await.expect(200);
    for path in [
        "/.vite/manifest.json",
        "/../outside.txt",
        "/assets/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/assets/%2e%2e%2f%2e%2e%2foutside.txt",
    ] {
        let answer = app.get(path).await;
        assert!(
            !answer.text.contains("secret") && answer.status == 404,
            "{path} {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_folder_without_a_page_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = coditect_api::ApiConfig::new("http://127.0.0.1:1");
    config.web_app_folder = Some(folder.path().to_owned());
    let refused = crate::harness::state(config).await.unwrap_err().to_string();
    assert!(
        refused.contains(&folder.path().display().to_string()),
        "{refused}"
    );
}
