//! A browser's tab on a workspace's own address.

use std::time::{Duration, Instant};

use reqwest::{
    Client, Method, RequestBuilder, StatusCode,
    header::{COOKIE, HOST, ORIGIN, SET_COOKIE},
    redirect::Policy,
};
use serde_json::{Value, json};

use super::Person;

/// How long a gateway may take to hear of its API.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_millis(50);

/// A tab that was let in.
pub(crate) struct Tab {
    client: Client,
    /// Where requests go. The workspace's name leads to this machine in every browser (RFC 6761 section 6.3); here the
    /// address is used as it is.
    door: String,
    origin: String,
    pub(crate) cookie: String,
}

impl Tab {
    /// A tab that nobody has let in yet, on the person's workspace behind a door (`http://<address>`).
    pub(crate) async fn new(person: &Person, door: &str) -> Self {
        let path = format!("/api/v5/workspaces/{}", person.workspace);
        let shown = person.get(&path).await.unwrap();
        Self {
            client: Client::builder().redirect(Policy::none()).build().unwrap(),
            door: door.to_owned(),
            origin: shown["url"]
                .as_str()
                .unwrap()
                .trim_end_matches('/')
                .to_owned(),
            cookie: String::new(),
        }
    }

    /// A tab that comes in as the web app's page does.
    pub(crate) async fn open(person: &Person, door: &str) -> Self {
        let mut tab = Self::new(person, door).await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = tab.enter(&way_in(person).await).await;
            if status == StatusCode::OK && tab.is_in().await {
                return tab;
            }
            assert!(Instant::now() < deadline, "not let in: {status}");
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Hands over a code, and keeps the cookie that comes back.
    pub(crate) async fn enter(&mut self, way: &Value) -> StatusCode {
        assert_eq!(way["origin"], self.origin.as_str());
        let answer = self
            .request(Method::POST, "/coditect/enter")
            .json(&json!({ "code": way["code"] }))
            .send()
            .await
            .unwrap();
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            self.cookie = pair.to_owned();
        }
        answer.status()
    }

    async fn is_in(&self) -> bool {
        let answer = self.request(Method::GET, "/coditect/session").send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    /// A request as a page of the workspace sends it.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let host = self.origin.split_once("://").unwrap().1;
        self.client
            .request(method, format!("{}{path}", self.door))
            .header(HOST, host)
            .header(ORIGIN, &self.origin)
            .header("sec-fetch-site", "same-origin")
            .header(COOKIE, &self.cookie)
    }
}

/// A code, and where it is good.
pub(crate) async fn way_in(person: &Person) -> Value {
    let path = format!("/api/v5/workspaces/{}/connect", person.workspace);
    person.must(Method::POST, &path, None).await
}
