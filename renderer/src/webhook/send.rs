//! Posting one event.

use std::{fs, path::Path, path::PathBuf, sync::Arc, time::Duration};

use coditect_core::Result;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Uri, body::Bytes, header};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::time::timeout;

use super::{
    WebhookConfig,
    event::{Event, signatures},
    unusable,
};

/// How much of an answer is read, and quoted.
const ANSWER: usize = 64 * 1024;
const QUOTED: usize = 200;

/// Why an event was not taken, in words without any secret.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is nothing to sign with.
    NoSecret(String),
    /// The receiver answered and refused.
    Refused(String),
    /// It did not answer.
    Unreachable(String),
}

impl Failure {
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::NoSecret(what) => {
                format!("{what}: write Argo CD's `webhook.github.secret` into it")
            }
            Self::Refused(what) => format!(
                "the receiver refuses the push event ({what}): compare the secret with Argo CD's `webhook.github.secret`, and the address with its `/api/webhook`"
            ),
            Self::Unreachable(what) => format!(
                "the push event did not arrive ({what}): check the address, the network and the certificate"
            ),
        }
    }
}

/// Knows the receiver. The provider of cryptography is the one that the cluster's client uses.
pub(super) struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    secret_file: PathBuf,
    repository: String,
    limit: Duration,
}

impl Sender {
    pub(super) fn new(config: &WebhookConfig) -> Result<Self> {
        let url: Uri = config
            .url
            .parse()
            .map_err(|_| unusable("webhook", "is not a web address"))?;
        let https = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(unusable("webhook", "must begin with https:// or http://")),
        };
        if url
            .authority()
            .is_none_or(|authority| authority.as_str().contains('@'))
        {
            let why = "must name a host and hold no user or password: events are signed";
            return Err(unusable("webhook", why));
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(https, config.ca_file.as_deref())?)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url,
            secret_file: config.secret_file.clone(),
            repository: config.repository.clone(),
            limit: config.limit,
        })
    }

    pub(super) async fn send(&self, event: &Event) -> Result<(), Failure> {
        let secret = self.secret().await?;
        let body = event.body(&self.repository);
        let [sha256, sha1] = signatures(secret.as_bytes(), &body);
        let request = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "coditect")
            .header("x-github-event", "push")
            .header("x-github-delivery", event.after.to_string())
            .header("x-hub-signature-256", sha256)
            .header("x-hub-signature", sha1)
            .body(Full::from(body))
            .map_err(|error| Failure::Unreachable(error.to_string()))?;
        let answered = async {
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|error| chain(&error))?;
            let (status, body) = (answer.status(), answer.into_body());
            // Read to its end, so that the connection serves the next event too.
            let body = Limited::new(body, ANSWER).collect().await;
            let said = body
                .map(http_body_util::Collected::to_bytes)
                .unwrap_or_default();
            Ok((status, said))
        };
        match timeout(self.limit, answered).await {
            Ok(Ok((status, _))) if status.is_success() => Ok(()),
            Ok(Ok((status, said))) => Err(Failure::Refused(quoted(status.as_u16(), &said))),
            Ok(Err(error)) => Err(Failure::Unreachable(error)),
            Err(_) => Err(Failure::Unreachable(format!(
                "no answer within {} s",
                self.limit.as_secs()
            ))),
        }
    }

    async fn secret(&self) -> Result<String, Failure> {
        let file = self.secret_file.display();
        let secret = tokio::fs::read_to_string(&self.secret_file)
            .await
            .map_err(|error| {
                Failure::NoSecret(format!("the secret file {file} cannot be read ({error})"))
            })?;
        match secret.trim() {
            "" => Err(Failure::NoSecret(format!(
                "the secret file {file} is empty"
            ))),
            secret => Ok(secret.to_owned()),
        }
    }
}

fn tls(https: bool, ca_file: Option<&Path>) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("webhook", error.to_string()))?;
    let Some(file) = ca_file else {
        if !https {
            let none = RootCertStore::empty();
            return Ok(builder.with_root_certificates(none).with_no_client_auth());
        }
        let builder = builder.with_native_roots().map_err(|error| {
            let why = format!("the system has no certificate authorities ({error}); name a file");
            unusable("webhook-ca-file", why)
        })?;
        return Ok(builder.with_no_client_auth());
    };
    let wrong = |why: String| unusable("webhook-ca-file", format!("{}: {why}", file.display()));
    let pem = fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("holds no certificate in PEM".into()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A status and the beginning of what was said with it, on one line.
fn quoted(status: u16, said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let line: String = said
        .trim()
        .chars()
        .take(QUOTED)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("{status} {line}").trim_end().to_owned()
}

/// An error with its sources: the client's own sentence says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        said = format!("{said}: {inner}");
        source = inner.source();
    }
    said
}
