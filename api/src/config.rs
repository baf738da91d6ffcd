//! What an operator decides about the API. The command line fills it; nothing here reads the environment.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use axum::http::Uri;
use coditect_core::{AccountId, Error, Result};
pub use coditect_registry::operation::Verification;

use crate::identity::ProviderConfig;
use crate::mail::Delivery;

/// The API's configuration.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Where people reach the API, without a slash at the end (`https://api.example.com`): the issuer of
    /// access tokens, and an origin that may use the refresh cookie.
    pub public_url: String,
    /// The address of a workspace; `{host}` stands for `<slug>.<domain>`.
    pub workspace_url_template: String,
    /// Other origins whose pages may call the API with credentials, each exactly as a browser sends it
    /// (`https://app.example.com`, no path).
    pub origins: Vec<String>,
    /// Origin of the web app, whose pages alone may frame a workspace and hand it codes; none: that of the public URL.
    pub web_app: Option<String>,
    /// Folder of the built web app, to be served at this address; none: a small page in its place.
    pub web_app_folder: Option<PathBuf>,
    /// Folder of the keys with which the cells' clusters sign the tokens of pods: `<cell>/openid-configuration.json` and
    /// `<cell>/jwks.json`, as each cluster publishes them. None: no gateway is known here.
    pub cell_keys: Option<PathBuf>,
    /// Whether a new person must prove that the e-mail address is theirs. `None` is for development alone.
    pub verification: Verification,
    /// What becomes of letters.
    pub mail: Delivery,
    /// Sign-ins of others that people may use here.
    pub providers: Vec<ProviderConfig>,
    /// Whether anybody may sign up now.
    pub sign_up: SignUp,
    /// The accounts that administer the platform: they see everybody, and hold whoever abuses it.
    pub administrators: BTreeSet<AccountId>,
    /// Who may change a tenant's plan.
    pub plan_changes: PlanChanges,
    /// How many proxies of our own stand before the API, each adding one entry to `X-Forwarded-For`. With 0
    /// the header is ignored, so that nobody can invent an address for themselves.
    pub trusted_proxy_hops: usize,
    /// Rate limits; none switches them off, for load tests.
    pub rates: Option<Rates>,
    /// How passwords are hashed, and how many at a time.
    pub hashing: Hashing,
    /// How long an access token is valid. Short, because only the login behind it can be revoked.
    pub access_token_lifetime: Duration,
    /// Largest request body in bytes; above it 413.
    pub largest_body: usize,
    /// Longest time a connection may wait for a request and its headers. Longer than the minute for which
    /// proxies usually keep idle connections, so that they close them and not we, between two requests.
    pub idle_timeout: Duration,
    /// Longest time a client may take to send a request's body; above it 408.
    pub receive_timeout: Duration,
    /// Longest time for answering a request; above it 503.
    pub answer_timeout: Duration,
    /// How many connections are served at a time; more wait in the listener's queue.
    pub connections: usize,
    /// How many event streams one account may hold open.
    pub streams_per_account: usize,
    /// How long requests in flight may take to finish once the server is told to stop.
    pub drain: Duration,
}

impl ApiConfig {
    /// The defaults for an installation that people reach at `public_url`.
    #[must_use]
    pub fn new(public_url: impl Into<String>) -> Self {
        Self {
            public_url: public_url.into(),
            workspace_url_template: "https://{host}".to_owned(),
            origins: Vec::new(),
            web_app: None,
            web_app_folder: None,
            cell_keys: None,
            verification: Verification::Email,
            mail: Delivery::None,
            providers: Vec::new(),
            sign_up: SignUp::Open,
            administrators: BTreeSet::new(),
            plan_changes: PlanChanges::Billing,
            trusted_proxy_hops: 0,
            rates: Some(Rates::default()),
            hashing: Hashing::default(),
            access_token_lifetime: Duration::from_secs(5 * 60),
            largest_body: 64 * 1024,
            idle_timeout: Duration::from_secs(75),
            receive_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            connections: 10_000,
            streams_per_account: 16,
            drain: Duration::from_secs(20),
        }
    }

    /// The web app's origin.
    ///
    /// # Errors
    /// `Invalid` naming the setting if it is no origin.
    pub(crate) fn web_app_origin(&self) -> Result<String> {
        match &self.web_app {
            Some(text) => origin("web_app", text),
            None => origin("public_url", &self.public_url),
        }
    }

    /// Every origin that may use the refresh cookie: the public URL's own and the configured ones.
    ///
    /// # Errors
    /// `Invalid` naming the setting if one of them is not an origin.
    pub(crate) fn allowed_origins(&self) -> Result<Vec<String>> {
        let own = origin("public_url", &self.public_url)?;
        let others = self.origins.iter().map(|text| origin("origins", text));
        std::iter::once(Ok(own)).chain(others).collect()
    }
}

/// The origin `text` spells, as browsers write it: lower case, the scheme's own port left out.
pub(crate) fn origin(field: &str, text: &str) -> Result<String> {
    let bad = || {
        Error::invalid(
            field,
            format!(
                "must be like https://app.example.com or http://127.0.0.1:8080, without a path: {text:?}"
            ),
        )
    };
    let url: Uri = text.parse().map_err(|_| bad())?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (url.scheme_str(), url.authority())
    else {
        return Err(bad());
    };
    if !url.path().trim_end_matches('/').is_empty()
        || url.query().is_some()
        || authority.as_str().contains('@')
        || text.ends_with('/')
    {
        return Err(bad());
    }
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = authority
        .port_u16()
        .filter(|port| *port != usual)
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    Ok(format!(
        "{scheme}://{}{port}",
        authority.host().to_ascii_lowercase()
    ))
}

/// Whether anybody may sign up: the switch an operator throws when sign-ups are being abused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUp {
    /// Anybody may.
    Open,
    /// Nobody may now; they are asked to come back.
    Closed,
}

/// Who may change a tenant's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanChanges {
    /// The tenant's owner, without payment: for development.
    SelfService,
    /// The billing system alone.
    Billing,
}

/// How many requests are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Sign-ups, sign-ins and everything else that checks a password, by client address (by account where one
    /// is known): each costs a password hash.
    pub credentials: Rate,
    /// Sign-ins by e-mail address, whatever address they come from: what bounds guessing from many places. Networks from
    /// which the account was signed in to in the last 30 days are exempt: guessing by others shuts nobody out.
    pub guesses: Rate,
    /// Other requests without an access token, by client address.
    pub address: Rate,
    /// Requests with an access token, by account.
    pub account: Rate,
    /// Requests for workspaces' hosts that no pod answers, by client address: a bucket of their own, so that
    /// tabs that reconnect keep nobody from signing in.
    pub wake: Rate,
    /// Exchanges of pods' tokens, by client address: all pods of a cell may come from one.
    pub pods: Rate,
    /// Requests of gateways, by workspace.
    pub gateway: Rate,
    /// New workspaces an hour, of people who just signed up and of others, by the network they come from (an IPv4 address,
    /// 64 bits of an IPv6 address): what bounds compute that costs nobody anything.
    pub new_workspaces_an_hour: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            credentials: Rate {
                burst: 20,
                per_minute: 20,
            },
            guesses: Rate {
                burst: 10,
                per_minute: 6,
            },
            address: Rate {
                burst: 120,
                per_minute: 600,
            },
            account: Rate {
                burst: 240,
                per_minute: 1_200,
            },
            wake: Rate {
                burst: 240,
                per_minute: 1_200,
            },
            // A full cell of 5,000 workspaces asks 1,250 times a minute, and all at once after an outage.
            pods: Rate {
                burst: 6_000,
                per_minute: 6_000,
            },
            // Batches of files come as fast as they are taken, each at the price of two transactions.
            gateway: Rate {
                burst: 120,
                per_minute: 240,
            },
            // A class that signs up behind one address; above it a person waits some minutes.
            new_workspaces_an_hour: 30,
        }
    }
}

/// One limit: a bucket of `burst` requests that fills again by `per_minute`. Zero counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How many a minute in the long run.
    pub per_minute: u32,
}

/// How passwords are hashed (Argon2id, RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashing {
    /// Memory for one hash in KiB. 19 MiB with two passes is the first choice of the OWASP Password Storage
    /// Cheat Sheet.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// How many hashes are computed at a time. One core stays free for everything else.
    pub workers: usize,
    /// How many may wait; above it 503, because waiting longer would only make clients give up and retry.
    pub queue: usize,
}

impl Default for Hashing {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            workers: cores.saturating_sub(1).max(1),
            queue: 128,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_spelled_as_browsers_do() {
        for (text, spelled) in [
            ("https://App.Example.com", "https://app.example.com"),
            ("https://a.example:443", "https://a.example"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(origin("origins", text).unwrap(), spelled);
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://a.example/",
            "https://a.example/x",
            "ftp://a.example",
            "https://u@a.example",
            "https://a.example?x",
        ] {
            let error = origin("origins", text).unwrap_err();
            assert!(
                error.to_string().starts_with("origins must be like"),
                "{text}: {error}"
            );
        }
    }
}
