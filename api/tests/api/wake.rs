//! What a workspace's address answers while no pod does, and what wakes it.

use coditect_api::{Rate, Rates};
use coditect_core::{Cause, Phase, Reason, RequestId, WorkspaceId};
use coditect_registry::{
    operation::NoteStatus,
    record::Status,
    store::{StoreError, faulty::Fault},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{Answer, App, PASSWORD, Person};

const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const STATE: &str = "/.coditect/wake";

/// A person with a workspace, as its address sees them.
struct Owner {
    person: Person,
    path: String,
    id: WorkspaceId,
    slug: String,
    host: String,
}

impl Owner {
    async fn new(app: &App, email: &str) -> Self {
        let person = app.person(email).await;
        let workspace = app.workspaces(&person).await[0].clone();
        let text = |field: &str| workspace[field].as_str().unwrap().to_owned();
        let path = format!("/api/v5/workspaces/{}", text("id"));
        app.commit(&person, &path, "3f786850e387550fdab836ed7e6dc881de23001b")
            .await;
        let slug = text("slug");
        Self {
            person,
            path,
            id: text("id").parse().unwrap(),
            host: format!("{slug}.ide.example"),
            slug,
        }
    }

    async fn power(&self, app: &App, path: &str) {
        app.call(&self.person, "POST", &format!("{}/{path}", self.path), None)
            .await
            .expect(202);
    }

    async fn shown(&self, app: &App) -> Value {
        app.call(&self.person, "GET", &self.path, None)
            .await
            .expect(200)
            .json()
    }

    /// What an observer notes.
    async fn note(&self, app: &App, phase: Phase) {
        let place = {
            let mut view = app.registry.view().await.unwrap();
            view.place_of(self.id).await.unwrap().unwrap()
        };
        let reason = (phase == Phase::Failed).then(|| Reason::new(Cause::Image, "no such image"));
        let status = Status {
            phase,
            since: app.now(),
            reason,
            generation: 1,
            steps: Vec::new(),
            notices: Vec::new(),
        };
        let noted = NoteStatus {
            cell: place.cell,
            statuses: vec![(place.user, self.id, status)],
            at: app.now(),
        };
        app.registry
            .apply(RequestId::random(), &noted)
            .await
            .unwrap();
    }
}

/// A person's browser goes to an address.
async fn visit(app: &App, host: &str, path: &str) -> Answer {
    let request = app.request("GET", path).header("host", host);
    let request = request
        .header("accept", HTML)
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document");
    app.send(request).await
}

async fn state(app: &App, host: &str) -> Answer {
    let request = app.request("GET", STATE).header("host", host);
    app.send(request.header("sec-fetch-mode", "cors")).await
}

/// Checks everything that holds of each page, whatever it tells.
#[track_caller]
fn assert_page(answer: &Answer, owner: &Owner) {
    assert!(answer.header("content-type").starts_with("text/html"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!answer.headers.contains_key("set-cookie"));
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe") && policy.matches("sha256-").count() == 2);
    for told in [
        "Ada",
        "ada@example.com",
        &owner.id.to_string(),
        "no such image",
        "workspace-",
    ] {
        assert!(!answer.text.contains(told), "{told}: {}", answer.text);
    }
}

#[tokio::test]
async fn every_state_has_its_page() {
    let app = App::start().await;
    let ada = Owner::new(&app, "ada@example.com").await;
    let wake = format!("href=\"{}/wake/{}\"", app.base, ada.slug);
    for (power, phase, name, waits, link) in [
        ("start", Phase::Synced, "starting", Some("2"), false),
        ("start", Phase::Starting, "starting", Some("2"), false),
        ("start", Phase::Ready, "starting", Some("2"), false),
        ("start", Phase::Failed, "failed", Some("60"), true),
        ("stop", Phase::Ready, "suspending", Some("2"), true),
        ("stop", Phase::Suspending, "suspending", Some("2"), true),
        ("stop", Phase::Suspended, "suspended", Some("60"), true),
        ("start", Phase::Suspended, "starting", Some("2"), false),
    ] {
        ada.power(&app, power).await;
        ada.note(&app, phase).await;
        let page = visit(&app, &ada.host, "/some/file?x=1").await.expect(503);
        assert_page(&page, &ada);
        assert!(
            page.text.contains(&format!("data-state=\"{name}\"")),
            "{power} {phase}: {}",
            page.text
        );
        assert_eq!(page.text.contains(&wake), link, "{power} {phase}");
        let waits_for = page.headers.get("retry-after");
        assert_eq!(waits_for.map(|value| value.to_str().unwrap()), waits);
        let asked = state(&app, &ada.host).await.expect(503);
        assert_eq!(asked.json(), json!({ "state": name }));
        assert_eq!(asked.header("coditect-wake"), name);
    }
}

#[tokio::test]
async fn no_workspace_looks_the_same_whether_it_never_was_or_is_gone() {
    let app = App::start().await;
    let ada = Owner::new(&app, "ada@example.com").await;
    let never = visit(&app, "calm-lake-2abcd.ide.example", "/")
        .await
        .expect(404);
    assert_page(&never, &ada);
    let body = |answer: &Answer| answer.text.clone();
    for host in ["ide.example", "a.b.ide.example", "w-x.ide.example"] {
        let page = visit(&app, host, "/").await.expect(404);
        assert_eq!(body(&page), body(&never), "{host}");
    }
    app.call(&ada.person, "DELETE", &ada.path, None).await;
    let marked = visit(&app, &ada.host, "/").await.expect(404);
    assert_eq!(body(&marked), body(&never), "marked for deletion");
    let password = json!({ "password": PASSWORD });
    app.call(
        &ada.person,
        "POST",
        &format!("{}/erase", ada.path),
        Some(password),
    )
    .await;
    let erased = visit(&app, &ada.host, "/").await.expect(404);
    assert_eq!(body(&erased), body(&never), "erased");
    assert_eq!(
        state(&app, &ada.host)
            .await
            .expect(404)
            .header("coditect-wake"),
        "missing"
    );
}

#[tokio::test]
async fn a_workspaces_host_is_never_the_api() {
    let app = App::start().await;
    let ada = Owner::new(&app, "ada@example.com").await;
    let webview = format!("w-00001013-3d41-4b7a-8c55-19e06fa2b713-{}", ada.host);
    for host in [
        ada.host.clone(),
        webview,
        ada.host.to_uppercase(),
        format!("{}.", ada.host),
        format!("{}:8443", ada.host),
    ] {
        for path in [
            "/",
            "/health",
            "/metrics",
            "/docs",
            "/openapi.json",
            "/api/v5/me",
            "/api/v5/plans",
            "/wake/x",
        ] {
            let request = app.request("GET", path).header("host", &host);
            let answer = app.send(request.bearer_auth(&ada.person.token)).await;
            let answer = answer.expect(503);
            assert_eq!(answer.text, "", "{host}{path}");
            assert_eq!(answer.header("coditect-wake"), "starting");
        }
    }
    let malformed = app
        .request("GET", "/")
        .header("host", format!("user@{}", ada.host));
    assert_eq!(app.send(malformed).await.expect(400).text, "");
}

#[tokio::test]
async fn the_target_in_absolute_form_decides_and_may_not_contradict() {
    let app = App::start().await;
    let ada = Owner::new(&app, "ada@example.com").await;
    let address = app.base.strip_prefix("http://").unwrap();
    for (target, host, status) in [
        (format!("http://{}/", ada.host), ada.host.as_str(), "503"),
        (format!("http://{}/health", ada.host), address, "400"),
        (format!("http://{address}/health"), ada.host.as_str(), "400"),
        (format!("http://{address}/api/v5/plans"), address, "200"),
    ] {
        let answer = raw(
            &app,
            &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        )
        .await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{target} {host}: {answer}"
        );
    }
}

/// Sends bytes and reads the answer to its end.
async fn raw(app: &App, request: &str) -> String {
    let address = app.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// What a tab that was left open sends when its workspace goes away: its socket again, its calls, its assets,
/// its own page's reload by script, and our page's questions.
async fn reconnect(app: &App, ada: &Owner, round: usize) -> String {
    let host = &ada.host;
    let kind = round % 8;
    let send = |method: &str, path: &str, mode: &str, dest: &str| {
        let request = app.request(method, path).header("host", host);
        app.send(
            request
                .header("accept", "*/*")
                .header("sec-fetch-mode", mode)
                .header("sec-fetch-dest", dest),
        )
    };
    let answer = match kind {
        0 => {
            let upgrade = format!(
                "GET /coditect/ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAccept: {HTML}\r\n\r\n"
            );
            let answer = raw(app, &upgrade).await;
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(
                answer.ends_with("\r\n\r\n"),
                "nothing but a status: {answer}"
            );
            return "socket".to_owned();
        }
        1 => send("POST", "/services/rpc", "cors", "empty").await,
        2 => send("GET", "/services/poll?transport=polling", "cors", "empty").await,
        3 => send("GET", "/bundle.js", "no-cors", "script").await,
        4 => send("HEAD", "/", "cors", "empty").await,
        5 => send("GET", "/webview/", "navigate", "iframe").await,
        6 => send("OPTIONS", "/services/rpc", "cors", "empty").await,
        _ => {
            let answer = state(app, host).await.expect(503);
            assert_eq!(answer.json(), json!({ "state": "suspended" }));
            return "question".to_owned();
        }
    };
    let answer = answer.expect(503);
    assert_eq!(answer.text, "", "{kind}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.header("coditect-wake").to_owned()
}

#[tokio::test]
async fn a_suspended_workspace_with_a_tab_that_reconnects_for_an_hour_stays_suspended() {
    let app = App::start().await;
    let ada = Owner::new(&app, "ada@example.com").await;
    ada.power(&app, "stop").await;
    ada.note(&app, Phase::Suspended).await;
    let before = (app.version().await, ada.shown(&app).await);
    for round in 0..3_600 {
        reconnect(&app, &ada, round).await;
        app.advance(1);
        // A reload by the browser's own hand gets the page, which wakes nothing either.
        if round % 60 == 0 {
            visit(&app, &ada.host, "/").await.expect(503);
        }
    }
    assert_eq!(app.version().await, before.0, "something was written");
    let later = app.login("ada@example.com", PASSWORD).await.expect(200);
    let shown = app
        .call(&Person::of(&later), "GET", &ada.path, None)
        .await
        .expect(200)
        .json();
    assert_eq!(shown, before.1);
    assert_eq!(shown["phase"], "suspended");
    assert_eq!(shown["power"]["wanted"], "off");
    let mut view = app.registry.view().await.unwrap();
    let activities = view.activities(&"local".parse().unwrap()).await.unwrap();
    assert!(activities.is_empty(), "{activities:?}");
}

#[tokio::test]
async fn health_and_metrics_scraped_every_second_do_not_count_as_activity() {
    let app = App::start().await;
    let ada = Owner::new(&app, "ada@example.com").await;
    ada.note(&app, Phase::Ready).await;
    let version = app.version().await;
    for _ in 0..1_800 {
        for path in ["/health", "/health/ready", "/metrics"] {
            app.get(path).await.expect(200);
        }
        let probe = app.request("GET", "/health").header("host", &ada.host);
        app.send(probe.header("accept", "*/*")).await.expect(503);
        app.advance(1);
    }
    assert_eq!(app.version().await, version, "something was written");
    let mut view = app.registry.view().await.unwrap();
    let activities = view.activities(&"local".parse().unwrap()).await.unwrap();
    assert!(activities.is_empty(), "{activities:?}");
}

#[tokio::test]
async fn the_owners_click_wakes_and_nobody_elses_does() {
    let app = App::start().await;
    let ada = Owner::new(&app, "ada@example.com").await;
    let eve = app.person("eve@example.com").await;
    ada.power(&app, "stop").await;
    ada.note(&app, Phase::Suspended).await;
    let version = app.version().await;
    // A stranger sees no workspace of that address among theirs, and may not start it.
    let listed = app.workspaces(&eve).await;
    assert!(listed.iter().all(|workspace| workspace["slug"] != ada.slug));
    let start = format!("{}/start", ada.path);
    app.call(&eve, "POST", &start, None)
        .await
        .expect_problem(404, "not-found");
    let anybody = app.request("POST", &start);
    app.send(anybody)
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(app.version().await, version, "something was written");
    assert_eq!(ada.shown(&app).await["power"]["wanted"], "off");
    // The click.
    ada.power(&app, "start").await;
    assert_eq!(ada.shown(&app).await["power"]["wanted"], "on");
    let asked = state(&app, &ada.host).await.expect(503);
    assert_eq!(asked.header("coditect-wake"), "starting");
}

#[tokio::test]
async fn reconnecting_tabs_have_a_bucket_of_their_own() {
    let app = App::with(|config| {
        config.trusted_proxy_hops = 1;
        config.rates = Some(Rates {
            wake: Rate {
                burst: 3,
                per_minute: 1,
            },
            ..Rates::default()
        });
    })
    .await;
    let host = "calm-lake-2abcd.ide.example";
    let ask = |from: &str| {
        let request = app.request("GET", "/").header("host", host);
        app.send(request.header("x-forwarded-for", from))
    };
    for _ in 0..3 {
        ask("192.0.2.1").await.expect(404);
    }
    let refused = ask("192.0.2.1").await.expect(429);
    assert_eq!(refused.text, "");
    assert!(refused.headers.contains_key("retry-after"));
    ask("192.0.2.2").await.expect(404);
    // Whoever shares the address still reaches the API.
    let plans = app
        .request("GET", "/api/v5/plans")
        .header("x-forwarded-for", "192.0.2.1");
    app.send(plans).await.expect(200);
}

#[tokio::test]
async fn a_registry_that_is_away_is_no_missing_workspace() {
    let app = App::start().await;
    let ada = Owner::new(&app, "ada@example.com").await;
    app.store
        .inject_always(Fault::Get(StoreError::Unavailable("gone".into())));
    let page = visit(&app, &ada.host, "/").await.expect(503);
    assert!(
        page.text.contains("data-state=\"unknown\""),
        "{}",
        page.text
    );
    app.store.heal();
    let page = visit(&app, &ada.host, "/").await.expect(503);
    assert!(
        page.text.contains("data-state=\"starting\""),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn a_workspaces_requests_have_one_name_in_the_metrics() {
    let app = App::start().await;
    let ada = Owner::new(&app, "ada@example.com").await;
    visit(&app, &ada.host, "/docs").await.expect(503);
    let metrics = app.get("/metrics").await.expect(200);
    assert!(metrics.text.contains("route=\"workspace host\""));
    assert!(
        metrics
            .text
            .contains("coditect_api_wake_answers_total{state=\"starting\",wants=\"page\"}"),
        "counted by state and kind"
    );
    assert!(!metrics.text.contains(&ada.slug));
}
