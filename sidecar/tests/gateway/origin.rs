//! Which pages may act with a person's cookie.

use hyper::StatusCode;

use crate::{
    api::WEB_APP,
    socket::refused,
    world::{HOST, ORIGIN, World},
};

#[tokio::test]
async fn a_foreign_page_gets_nothing_with_the_cookie_not_even_a_socket() {
    let world = World::new().await;
    for (origin, site) in [
        (Some("https://sibling.ws.test"), Some("same-site")),
        (Some("https://evil.test"), Some("cross-site")),
        (Some(WEB_APP), Some("cross-site")),
        (Some("null"), None),
        (None, Some("cross-site")),
        (None, Some("none")),
        (None, None),
        (Some(ORIGIN), Some("same-site")),
    ] {
        let mut headers = vec![("cookie", world.cookie())];
        headers.extend(origin.map(|value| ("origin", value.to_owned())));
        headers.extend(site.map(|value| ("sec-fetch-site", value.to_owned())));
        for method in ["GET", "POST", "DELETE"] {
            let answer = world.send(method, "/x", &headers, "").await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
        }
        refused(&world, &headers, "403").await;
        let own = world.get("/coditect/session", &headers).await;
        assert_eq!(own.status, StatusCode::FORBIDDEN);
    }
    assert!(world.ide.state.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_window_may_go_there_and_is_framed_by_the_web_app_only() {
    let world = World::new().await;
    let mut headers = vec![("cookie", world.cookie())];
    for (name, value) in [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-site", "cross-site"),
    ] {
        headers.push((name, value.to_owned()));
    }
    let page = world.get("/", &headers).await;
    assert_eq!(
        (page.status, page.header("content-security-policy")),
        (
            StatusCode::OK,
            Some(format!("frame-ancestors {WEB_APP}").as_str())
        )
    );
    let posted = world.send("POST", "/", &headers, "").await;
    assert_eq!(posted.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_request_for_another_host_is_not_answered() {
    let world = World::new().await;
    for (host, status) in [
        ("other.ws.test", 421),
        ("127.0.0.1", 421),
        ("calm-lake.ws.test.evil.test", 421),
        ("calm-lake.ws.test.", 400),
        ("", 400),
    ] {
        let mut headers = world.own();
        headers.push(("host", host.to_owned()));
        let answer = world.get("/", &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{host}");
        headers.truncate(0);
        headers.push(("host", host.to_owned()));
        assert_eq!(world.get("/health", &headers).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_webviews_host_has_the_programs_files_and_nothing_of_a_person() {
    let world = World::new().await;
    let host = format!("w-00001013-3d41-4b7a-8c55-19e06fa2b713-{HOST}");
    let headers = [("host", host.clone())];
    let file = world.get("/webview/index.html", &headers).await;
    assert_eq!(file.status, StatusCode::OK);
    assert_eq!(
        file.header("content-security-policy"),
        Some(format!("frame-ancestors 'self' {ORIGIN} {WEB_APP}").as_str())
    );
    assert_eq!(world.ide.state.last().headers["host"], host.as_str());
    let mut with_cookie = world.own();
    with_cookie.push(("host", host));
    for path in [
        "/",
        "/services",
        "/coditect/session",
        "/coditect/enter",
        "/webview/../files",
        "/webview/%2e%2e/files",
        "/webview",
    ] {
        let answer = world.get(path, &with_cookie).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let posted = world.send("POST", "/webview/x", &with_cookie, "").await;
    assert_eq!(posted.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_service_worker_comes_between_the_browser_and_our_pages() {
    let world = World::new().await;
    let mut headers = world.own();
    headers.push(("service-worker", "script".to_owned()));
    let answer = world.get("/sw.js", &headers).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}
