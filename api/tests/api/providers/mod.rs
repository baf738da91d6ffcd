//! Signing in with a provider: a browser, providers on the loopback, and everything that must not pass.

mod github;
mod linking;
mod openid;
mod refusals;
mod second_factor;
mod signing_in;

use std::{cell::RefCell, collections::BTreeMap};

use coditect_api::{ApiConfig, ProviderConfig, Service};
use serde_json::json;
use tempfile::TempDir;

use self::{
    github::GitHub,
    openid::{CLIENT, OpenId, SECRET},
};
use crate::harness::{Answer, App};

/// What people agree to who sign up.
const WITH_TERMS: &str = "/api/v5/auth/google?terms_version=2026-11-01";

/// A running API that knows both providers.
pub(crate) struct Place {
    pub(crate) app: App,
    pub(crate) google: OpenId,
    pub(crate) github: GitHub,
    /// Where the client's secret is.
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut ApiConfig)) -> Self {
        let (google, github) = (OpenId::start().await, GitHub::start().await);
        let folder = tempfile::tempdir().unwrap();
        let client_secret_file = folder.path().join("secret");
        std::fs::write(&client_secret_file, format!("{SECRET}\n")).unwrap();
        let provider = |service| ProviderConfig {
            service,
            client_id: CLIENT.to_owned(),
            client_secret_file: client_secret_file.clone(),
        };
        let services = [
            Service::Google {
                issuer: google.issuer.clone(),
            },
            Service::GitHub {
                url: github.url.clone(),
            },
        ];
        let app = App::with(|config| {
            config.providers = services.into_iter().map(provider).collect();
            adjust(config);
        })
        .await;
        Self {
            app,
            google,
            github,
            folder,
        }
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser::new(&self.app)
    }
}

/// A browser that follows nothing by itself.
pub(crate) struct Browser<'a> {
    app: &'a App,
    client: reqwest::Client,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a App) -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            app,
            client,
            cookies: RefCell::default(),
        }
    }

    /// Goes to an address: a path is the API's own. Its cookies are sent there alone.
    pub(crate) async fn go(&self, address: &str) -> Answer {
        let own = address.starts_with('/') || address.starts_with(&self.app.base);
        let url = match address.starts_with('/') {
            true => format!("{}{address}", self.app.base),
            false => address.to_owned(),
        };
        let request = self.client.get(url).header("accept", "text/html,*/*;q=0.8");
        match own {
            true => self.send(request).await,
            false => self.app.send(request).await,
        }
    }

    /// Sends a request to the API with its cookies, and keeps those that come back.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let cookies = self
            .cookies
            .borrow()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>();
        let answer = self
            .app
            .send(request.header("cookie", cookies.join("; ")))
            .await;
        for line in answer.headers.get_all("set-cookie") {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies
                .borrow_mut()
                .insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// To the provider and, the person having signed in there, back to the API, which is not asked yet.
    pub(crate) async fn returning(&self, start: &str) -> String {
        let to_provider = led(&self.go(start).await);
        led(&self.go(&to_provider).await)
    }

    /// The whole way: what stands behind `#` in the end.
    pub(crate) async fn whole_way(&self, start: &str) -> (String, String) {
        let back = self.returning(start).await;
        fragment(&self.app.base, &self.go(&back).await)
    }

    /// Hands in the code that the way ended with.
    pub(crate) async fn hand_in(&self, code: &str) -> Answer {
        let url = format!("{}/api/v5/auth/identity/session", self.app.base);
        self.send(self.client.post(url).json(&json!({ "code": code })))
            .await
    }

    /// The whole way, which ends with a problem.
    pub(crate) async fn refused(&self, start: &str) -> String {
        let (name, value) = self.whole_way(start).await;
        assert_eq!(name, "problem", "{value}");
        value
    }
}

/// Where an answer leads.
#[track_caller]
pub(crate) fn led(answer: &Answer) -> String {
    assert!((302..=303).contains(&answer.status), "{answer:?}");
    answer.header("location").to_owned()
}

/// What stands behind `#` where an answer leads: the web app's page, always.
#[track_caller]
pub(crate) fn fragment(base: &str, answer: &Answer) -> (String, String) {
    let to = led(answer);
    let rest = to.strip_prefix(&format!("{base}/identity#"));
    let (name, value) = rest
        .and_then(|rest| rest.split_once('='))
        .unwrap_or_else(|| panic!("{to}"));
    (name.to_owned(), value.to_owned())
}
