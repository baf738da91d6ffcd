//! Posting one event.

use std::{path::PathBuf, time::Duration};

use coditect_core::Result;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Uri, body::Bytes, header};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::timeout;

use super::{
    WebhookConfig,
    event::{Event, signatures},
    unusable,
};
use crate::https::{self, Connector};

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

/// Knows the receiver.
pub(super) struct Sender {
    client: Client<Connector, Full<Bytes>>,
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
        let options = ["webhook", "webhook-ca-file"];
        let connector = https::connector(&url, config.ca_file.as_deref(), options)?;
        if url
            .authority()
            .is_none_or(|authority| authority.as_str().contains('@'))
        {
            let why = "must name a host and hold no user or password: events are signed";
            return Err(unusable("webhook", why));
        }
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
                .map_err(|error| https::chain(&error))?;
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

/// A status and the beginning of what was said with it, on one line.
fn quoted(status: u16, said: &[u8]) -> String {
    let line = https::quoted(&String::from_utf8_lossy(said), QUOTED);
    format!("{status} {line}").trim_end().to_owned()
}
