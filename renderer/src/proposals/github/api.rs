//! One request and its answer.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use coditect_core::{Error, Kind, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    body::Bytes,
    header::{self, HeaderValue},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{GithubConfig, limits::Limits};
use crate::https::{self, Connector};

/// How much of an answer is read. A list of 100 pull requests with long texts is about 8 MB.
const ANSWER: usize = 32 << 20;
/// How much of what GitHub says is told.
const QUOTED: usize = 200;
/// The options that an address and a certificate come from.
const OPTIONS: [&str; 2] = ["policy-host-api", "policy-host-ca-file"];

/// Asks GitHub. One client for all requests: its connections are used again.
pub(super) struct Api {
    client: Client<Connector, Full<Bytes>>,
    /// Without a slash at its end.
    base: String,
    token_file: PathBuf,
    limit: Duration,
    limits: Limits,
}

/// Tells one token from another without holding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bearer([u8; 32]);

/// An answer that is for the caller to judge.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) etag: Option<String>,
    /// Whether the list goes on.
    pub(super) more: bool,
    /// What was said of a refusal, without the token.
    said: String,
    body: Bytes,
}

impl Answer {
    /// # Errors
    /// `Unavailable` if the answer is not what GitHub's documentation says.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let why = format!("GitHub's answer cannot be read ({error}): check --policy-host-api");
            Error::unavailable(why)
        })
    }
}

impl Api {
    pub(super) fn new(config: &GithubConfig) -> Result<Self> {
        let [option, _] = OPTIONS;
        let url: Uri = config
            .api
            .parse()
            .map_err(|_| Error::invalid(option, "is not a web address"))?;
        let client = https::connector(&url, config.ca_file.as_deref(), OPTIONS)?;
        let wrong = |why: &str| Err(Error::invalid(option, why));
        match url.authority() {
            Some(authority) if !authority.as_str().contains('@') => {}
            _ => {
                return wrong(
                    "must name a host and hold no user or password: the token has a file",
                );
            }
        }
        let here = ["localhost", "127.0.0.1", "[::1]"];
        if url.scheme_str() == Some("http") && !url.host().is_some_and(|host| here.contains(&host))
        {
            return wrong("must begin with https://: the token goes with every request");
        }
        if url.query().is_some() {
            return wrong("must have no query");
        }
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(client),
            base: config.api.trim_end_matches('/').to_owned(),
            token_file: config.token_file.clone(),
            limit: config.limit,
            limits: Limits::default(),
        })
    }

    /// Whose requests these are.
    ///
    /// # Errors
    /// `Unavailable` if there is no token.
    pub(super) async fn bearer(&self) -> Result<Bearer> {
        Ok(Bearer(Sha256::digest(self.token().await?).into()))
    }

    /// Reads; with `etag`, only if it changed since.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub(super) async fn get(&self, path: &str, etag: Option<&str>) -> Result<Answer> {
        let mut headers = HeaderMap::new();
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            headers.insert(header::IF_NONE_MATCH, etag);
        }
        self.call(Method::GET, path, headers, None).await
    }

    /// Writes.
    ///
    /// # Errors
    /// `Unavailable` if there is no token, no answer, or GitHub asks to be left alone; it is not asked then until its
    /// time is over. `Unauthenticated` if the token is not
    /// accepted, `Forbidden` if it may not do this.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer> {
        self.call(method, path, HeaderMap::new(), body).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Value>,
    ) -> Result<Answer> {
        if let Some(rest) = self.limits.rest(Instant::now()) {
            return Err(left_alone(rest));
        }
        let token = self.token().await?;
        let request = self.request(method, path, headers, body, &token)?;
        let answered = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|error| https::chain(&error))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER).collect().await;
            let body = body.map_err(|error| format!("its answer was cut off: {error}"))?;
            Ok::<_, String>((head, body.to_bytes()))
        };
        let (head, body) = match timeout(self.limit, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Err(unreachable(&why)),
            Err(_) => {
                let why = format!("no answer within {} s", self.limit.as_secs());
                return Err(unreachable(&why));
            }
        };
        let status = head.status;
        let said = if status.is_success() {
            String::new()
        } else {
            said(&body, &token)
        };
        let now = (Instant::now(), Timestamp::now());
        let too_much = self.limits.told(status, &head.headers, &said, now);
        if too_much {
            let rest = self.limits.rest(Instant::now()).unwrap_or_default();
            return Err(left_alone(rest));
        }
        let text = |name| {
            head.headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let answer = Answer {
            status,
            etag: text(header::ETAG).map(ToOwned::to_owned),
            more: text(header::LINK).is_some_and(|link| link.contains("rel=\"next\"")),
            said,
            body,
        };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.refused(&answer)),
            _ if status.is_server_error()
                || status.is_redirection() && status != StatusCode::NOT_MODIFIED =>
            {
                Err(self.refused(&answer))
            }
            _ => Ok(answer),
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Value>,
        token: &str,
    ) -> Result<Request<Full<Bytes>>> {
        let unusable = || {
            let file = self.token_file.display();
            Error::unavailable(format!(
                "the token in {file} has characters that no token has"
            ))
        };
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| unusable())?;
        bearer.set_sensitive(true);
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::ACCEPT, "application/vnd.github+json")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "coditect")
            .header("x-github-api-version", "2022-11-28")
            .body(Full::from(body))
            .map_err(|error| Error::internal("a request cannot be made").because(error))?;
        request.headers_mut().extend(headers);
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        Ok(request)
    }

    /// Why an answer is not what was asked for, and what to do.
    pub(super) fn refused(&self, answer: &Answer) -> Error {
        let Answer { status, said, .. } = answer;
        let what = format!("{} {said}", status.as_u16());
        let what = what.trim_end();
        let file = self.token_file.display();
        let (kind, why) = match *status {
            StatusCode::UNAUTHORIZED => (
                Kind::Unauthenticated,
                format!(
                    "GitHub does not accept the token in {file} ({what}): write a new one into it"
                ),
            ),
            StatusCode::FORBIDDEN => (
                Kind::Forbidden,
                format!(
                    "the token in {file} may not do this ({what}): give it read and write access to contents and pull requests of the policy repository"
                ),
            ),
            StatusCode::NOT_FOUND => (
                Kind::Unavailable,
                format!(
                    "GitHub shows no such repository or pull request ({what}): check --policy-host-repository, and that the token in {file} has access to it"
                ),
            ),
            status if status.is_redirection() => (
                Kind::Unavailable,
                format!(
                    "the repository has another name by now ({what}): set --policy-host-repository to it"
                ),
            ),
            _ => (
                Kind::Unavailable,
                format!("GitHub refuses or fails ({what}); it is asked again"),
            ),
        };
        Error::new(kind, why)
    }

    async fn token(&self) -> Result<String> {
        let file = self.token_file.display();
        let token = tokio::fs::read_to_string(&self.token_file).await;
        let token = token.map_err(|error| {
            Error::unavailable(format!("the token file {file} cannot be read ({error})"))
        })?;
        match token.trim() {
            "" => Err(Error::unavailable(format!(
                "the token file {file} is empty: write GitHub's token into it"
            ))),
            token => Ok(token.to_owned()),
        }
    }
}

/// What GitHub says of a refusal, without the token: its message, and the first of its reasons.
fn said(body: &[u8], token: &str) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
        #[serde(default)]
        errors: Vec<Value>,
    }
    let body = String::from_utf8_lossy(body).replace(token, "…");
    let Ok(refusal) = serde_json::from_str::<Refusal>(&body) else {
        return https::quoted(&body, QUOTED);
    };
    let first = refusal.errors.first();
    let reason = first.and_then(|error| error["message"].as_str().or_else(|| error.as_str()));
    let said = match reason {
        Some(reason) => format!("{}: {reason}", refusal.message),
        None => refusal.message,
    };
    https::quoted(&said, QUOTED)
}

fn left_alone(rest: Duration) -> Error {
    Error::unavailable(format!(
        "GitHub asks to be left alone for another {} s, since its limit of requests is reached; it is asked again then",
        rest.as_secs() + 1
    ))
}

fn unreachable(why: &str) -> Error {
    Error::unavailable(format!(
        "GitHub does not answer ({why}): check the network, the address and the certificate"
    ))
}
