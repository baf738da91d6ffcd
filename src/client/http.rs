//! Calls to the API.

use std::time::Duration;

use coditect_core::{Error, Kind, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    header::{self, HeaderMap},
};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Connections, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde_json::Value;

/// Largest answer that is read.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
/// How long an answer may take: longer than the API gives itself.
const LONGEST: Duration = Duration::from_secs(60);

/// Calls one installation.
pub(crate) struct Client {
    connections: Connections<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    bearer: Option<String>,
}

/// What was answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Client {
    /// Of the installation at this address; with `bearer`, every call shows it.
    ///
    /// # Errors
    /// `Unavailable` if the system's authorities cannot be read.
    pub(crate) fn new(url: String, bearer: Option<String>) -> Result<Self> {
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS cannot be set up").because(error))?;
        let tls = if url.starts_with("https://") {
            builder.with_native_roots().map_err(|error| {
                let message = "the system's certificate authorities cannot be read";
                Error::unavailable(message).because(error)
            })?
        } else {
            // Nothing is trusted where nothing is encrypted: this machine.
            builder.with_root_certificates(RootCertStore::empty())
        }
        .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            connections: Connections::builder(TokioExecutor::new()).build(connector),
            url,
            bearer,
        })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Calls, and gives the good answer's JSON; null if it has none.
    ///
    /// # Errors
    /// What the API's problem says; `Unavailable` if it does not answer.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        self.try_call(method, path, body)
            .await?
            .map_err(|problem| problem.error)
    }

    /// As [`Client::call`], with the problem's document where the API answered with one.
    ///
    /// # Errors
    /// `Unavailable` if it does not answer.
    pub(crate) async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Result<Value, ApiProblem>> {
        let called = tokio::time::timeout(LONGEST, self.send(method, path, body));
        let late = |_| Error::unavailable(format!("{} does not answer in time", self.url));
        let answer = called.await.map_err(late)??;
        Ok(match answer.status.is_success() {
            true => Ok(answer.body),
            false => Err(ApiProblem::of(answer)),
        })
    }

    /// Every item of a list, page by page. `path` has no query.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut query = "?limit=100".to_owned();
        loop {
            let mut page = self
                .call(Method::GET, &format!("{path}{query}"), None)
                .await?;
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            match page["next_cursor"].as_str() {
                Some(cursor) => query = format!("?limit=100&cursor={cursor}"),
                None => return Ok(items),
            }
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(header::USER_AGENT, "coditect")
            .header(header::ACCEPT, "application/json");
        if let Some(bearer) = &self.bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let request = request
            .body(Full::new(Bytes::from(bytes)))
            .map_err(|error| Error::invalid("--url", "is no web address").because(error))?;
        let silent = || Error::unavailable(format!("{} does not answer", self.url));
        let answer = self.connections.request(request).await;
        let answer = answer.map_err(|error| silent().because(error))?;
        let (head, body) = answer.into_parts();
        let read = Limited::new(body, LARGEST_ANSWER).collect().await;
        let bytes = read
            .map_err(|error| Error::unavailable("the answer broke off").because(error))?
            .to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    }
}

/// A problem that the API answered with (RFC 9457).
pub(crate) struct ApiProblem {
    /// As an error of ours.
    pub(crate) error: Error,
    /// The document; null if it sent none.
    pub(crate) document: Value,
}

impl ApiProblem {
    fn of(answer: Answer) -> Self {
        let detail = answer.body["detail"].as_str();
        let detail = match detail {
            Some(detail) => detail.to_owned(),
            None => format!("the API answered {}; is this its address?", answer.status),
        };
        let wait = answer.headers.get(header::RETRY_AFTER);
        let wait = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
        let kind = match answer.status {
            StatusCode::UNAUTHORIZED => Kind::Unauthenticated,
            StatusCode::FORBIDDEN => Kind::Forbidden,
            StatusCode::NOT_FOUND => Kind::NotFound,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Kind::Conflict,
            StatusCode::TOO_MANY_REQUESTS => Kind::TooMany {
                retry_after: Duration::from_secs(wait.unwrap_or(1)),
            },
            status if status.is_server_error() => Kind::Unavailable,
            _ => Kind::Invalid {
                field: answer.body["field"]
                    .as_str()
                    .unwrap_or("request")
                    .to_owned(),
            },
        };
        // The problem's detail names the field already.
        let detail = match &kind {
            Kind::Invalid { field } => {
                let rest = detail.strip_prefix(field.as_str()).map(str::trim_start);
                rest.map(str::to_owned).unwrap_or(detail)
            }
            _ => detail,
        };
        Self {
            error: Error::new(kind, detail),
            document: answer.body,
        }
    }
}
