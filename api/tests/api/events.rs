//! Live updates.

use std::{sync::Arc, time::Duration};

use coditect_core::{Cause, Notice, NoticeKind, Phase, Reason, RequestId};
use coditect_registry::operation::EndLogin;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    harness::{App, LIMIT, PASSWORD, Person},
    status::status,
};

/// An open stream, read one event at a time.
pub(crate) struct Events {
    body: futures::stream::BoxStream<'static, Vec<u8>>,
    buffer: String,
}

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: String,
    id: Option<String>,
    pub(crate) data: Value,
}

impl Events {
    pub(crate) async fn open(app: &App, person: &Person, path: &str, last: Option<&str>) -> Self {
        let mut request = app
            .request("GET", &format!("{path}/events"))
            .bearer_auth(&person.token);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let body = response
            .bytes_stream()
            .map(|chunk| chunk.unwrap().to_vec())
            .boxed();
        Self {
            body,
            buffer: String::new(),
        }
    }

    /// The next event; none at the stream's end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((text, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    text.lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(|value| value.trim().to_owned())
                };
                let event = field("event:").map(|kind| Event {
                    kind,
                    id: field("id:"),
                    data: serde_json::from_str(&field("data:").unwrap()).unwrap(),
                });
                self.buffer = rest.to_owned();
                if event.is_some() {
                    return event;
                }
                continue;
            }
            let chunk = timeout(LIMIT, self.body.next())
                .await
                .expect("an event in time")?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    pub(crate) async fn expect_workspace(&mut self) -> Event {
        let event = self.next().await.unwrap();
        assert_eq!(event.kind, "workspace", "{event:?}");
        event
    }

    /// The last event's reason; nothing follows it.
    pub(crate) async fn expect_end(&mut self) -> String {
        let event = self.next().await.unwrap();
        assert_eq!(event.kind, "end", "{event:?}");
        assert!(self.next().await.is_none());
        event.data["reason"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_stream_shows_the_state_now_and_after_each_change() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let mut events = Events::open(&app, &person, &path, None).await;
    let first = events.expect_workspace().await;
    let shown = app.call(&person, "GET", &path, None).await.expect(200);
    assert_eq!(first.data, shown.json());
    assert_eq!(format!("\"{}\"", first.id.unwrap()), shown.header("etag"));

    app.commit(&person, &path, "c0ffee").await;
    let committed = events.expect_workspace().await.data;
    assert_eq!(
        (committed["phase"].as_str(), committed["commit"].as_str()),
        (Some("committed"), Some("c0ffee"))
    );

    app.call(&person, "POST", &format!("{path}/stop"), None)
        .await
        .expect(202);
    assert_eq!(
        events.expect_workspace().await.data["power"]["wanted"],
        "off"
    );
    app.call(&person, "PATCH", &path, Some(json!({ "name": "thesis" })))
        .await
        .expect(200);
    assert_eq!(events.expect_workspace().await.data["name"], "thesis");
    app.policy.send_modify(|policy| {
        Arc::make_mut(policy)
            .cells
            .values_mut()
            .for_each(|cell| cell.domain = "other.example".to_owned())
    });
    assert!(
        events.expect_workspace().await.data["url"]
            .as_str()
            .unwrap()
            .ends_with(".other.example")
    );
    let password = Some(json!({ "password": PASSWORD }));
    app.call(&person, "POST", &format!("{path}/erase"), password)
        .await
        .expect(204);
    assert_eq!(events.expect_end().await, "deleted");
}

#[tokio::test]
async fn a_client_that_comes_back_hears_only_what_is_new() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let mut events = Events::open(&app, &person, &path, None).await;
    let last = events.expect_workspace().await.id.unwrap();
    drop(events);
    let mut unchanged = Events::open(&app, &person, &path, Some(&last)).await;
    app.commit(&person, &path, "c0ffee").await;
    assert_eq!(unchanged.expect_workspace().await.data["commit"], "c0ffee");
    // What happened while nobody listened is in the first event.
    let mut changed = Events::open(&app, &person, &path, Some(&last)).await;
    assert_eq!(changed.expect_workspace().await.data["commit"], "c0ffee");
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let app = App::with(|config| config.access_token_lifetime = Duration::from_secs(1)).await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let mut events = Events::open(&app, &person, &path, None).await;
    events.expect_workspace().await;
    assert_eq!(events.expect_end().await, "expired");
}

#[tokio::test]
async fn a_stream_ends_with_its_login() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let other = Person::of(&app.login("ada@example.com", PASSWORD).await.expect(200));
    let path = app.workspace(&person).await;
    let mut events = Events::open(&app, &person, &path, None).await;
    let mut others = Events::open(&app, &other, &path, None).await;
    events.expect_workspace().await;
    others.expect_workspace().await;
    app.send(
        app.request("POST", "/api/v5/auth/logout")
            .header("cookie", &person.cookie),
    )
    .await
    .expect(204);
    assert_eq!(events.expect_end().await, "signed_out");
    app.commit(&other, &path, "c0ffee").await;
    assert_eq!(others.expect_workspace().await.data["commit"], "c0ffee");
}

#[tokio::test]
async fn so_many_streams_and_no_more() {
    let app = App::with(|config| config.streams_per_account = 2).await;
    let (ada, bob) = (
        app.person("ada@example.com").await,
        app.person("bob@example.com").await,
    );
    let path = app.workspace(&ada).await;
    let first = Events::open(&app, &ada, &path, None).await;
    let _second = Events::open(&app, &ada, &path, None).await;
    app.call(&ada, "GET", &format!("{path}/events"), None)
        .await
        .expect_problem(429, "too-many-requests");
    let theirs = app.workspace(&bob).await;
    let _theirs = Events::open(&app, &bob, &theirs, None).await;
    // A place is given back when the server notices that the client has gone.
    drop(first);
    let retrying = async {
        loop {
            let answer = app
                .request("GET", &format!("{path}/events"))
                .bearer_auth(&ada.token)
                .send()
                .await
                .unwrap();
            if answer.status() == 200 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, retrying).await.expect("a place");
}

#[tokio::test]
async fn nobody_follows_somebody_elses_workspace() {
    let app = App::start().await;
    let (ada, bob) = (
        app.person("ada@example.com").await,
        app.person("bob@example.com").await,
    );
    let path = app.workspace(&ada).await;
    app.call(&bob, "GET", &format!("{path}/events"), None)
        .await
        .expect_problem(404, "not-found");
}

#[tokio::test]
async fn phases_have_the_words_of_the_product() {
    // The wire's words are the core's: one vocabulary in logs, registry and API.
    let app = App::start().await;
    let document = app.get("/openapi.json").await.expect(200).json();
    let words: Vec<&str> = document["components"]["schemas"]["PhaseName"]["oneOf"]
        .as_array()
        .map(|one| {
            one.iter()
                .map(|word| word["enum"][0].as_str().unwrap())
                .collect()
        })
        .unwrap_or_else(|| {
            document["components"]["schemas"]["PhaseName"]["enum"]
                .as_array()
                .unwrap()
                .iter()
                .map(|word| word.as_str().unwrap())
                .collect()
        });
    let phases = [
        Phase::Requested,
        Phase::Committed,
        Phase::Synced,
        Phase::Starting,
        Phase::Ready,
        Phase::Suspending,
        Phase::Suspended,
        Phase::Deleting,
        Phase::Failed,
    ];
    assert_eq!(words, phases.map(|phase| phase.to_string()));
}

#[tokio::test]
async fn a_login_ended_elsewhere_is_noticed() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let mut events = Events::open(&app, &person, &path, None).await;
    events.expect_workspace().await;
    let claims = claims(&person.token);
    let (account, login) = (
        claims["sub"].as_str().unwrap().parse().unwrap(),
        claims["sid"].as_str().unwrap().parse().unwrap(),
    );
    app.registry
        .apply(
            RequestId::random(),
            &EndLogin {
                account,
                login,
                at: app.now(),
            },
        )
        .await
        .unwrap();
    assert_eq!(events.expect_end().await, "signed_out");
}

fn claims(token: &str) -> Value {
    use base64::Engine;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(
        &base64::prelude::BASE64_URL_SAFE_NO_PAD
            .decode(part)
            .unwrap(),
    )
    .unwrap()
}

#[tokio::test]
async fn what_is_seen_in_the_cluster_travels_reason_notices_and_power_included() {
    let app = App::start().await;
    let person = app.person("ada@example.com").await;
    let path = app.workspace(&person).await;
    let mut events = Events::open(&app, &person, &path, None).await;
    events.expect_workspace().await;
    let mut seen = status(Phase::Failed, app.now());
    seen.reason = Some(Reason::new(Cause::Image, "ErrImagePull"));
    app.observe(&path, seen.clone()).await;
    let failed = events.expect_workspace().await.data;
    assert_eq!(
        (failed["phase"].as_str(), failed["reason"]["cause"].as_str()),
        (Some("failed"), Some("image"))
    );
    // Only a notice is new.
    seen.notices.push(Notice {
        kind: NoticeKind::Drift,
        at: app.now(),
        until: None,
        detail: "the scale was 3".into(),
    });
    app.observe(&path, seen).await;
    assert_eq!(
        events.expect_workspace().await.data["notices"][0]["kind"],
        "drift"
    );
    app.call(&person, "POST", &format!("{path}/stop"), None)
        .await
        .expect(202);
    let stopped = events.expect_workspace().await.data;
    assert_eq!(
        (
            stopped["power"]["wanted"].as_str(),
            stopped["power"]["cause"].as_str()
        ),
        (Some("off"), Some("person"))
    );
}
