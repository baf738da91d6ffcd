//! Calls to the API.

use std::{path::Path, sync::Arc, time::Duration};

use coditect_core::{Error, Kind, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header,
};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::time::timeout;

/// Largest answer that is read whole.
const LARGEST_ANSWER: usize = 1024 * 1024;
/// How long a connection is kept that nothing goes over.
const KEPT: Duration = Duration::from_secs(60);

/// Calls one API.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Scheme, authority and what stands before every path, without a slash at its end.
    base: String,
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) bearer: Option<String>,
    /// JSON.
    pub(crate) body: Option<Bytes>,
    /// How long until the answer's head is there, and its end if it is read whole.
    pub(crate) limit: Duration,
}

impl Api {
    /// The API at this address. `ca` is a PEM file with authorities to trust in place of the system's.
    ///
    /// # Errors
    /// `Invalid` if the address or the file is not usable.
    pub(crate) fn new(address: &str, ca: Option<&Path>) -> Result<Self> {
        let wrong = |why: &str| Error::invalid("api", why);
        let uri: Uri = address.parse().map_err(|_| wrong("is no web address"))?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("must begin with https:// or http://")),
        };
        if uri
            .authority()
            .is_none_or(|authority| authority.as_str().contains('@'))
            || uri.query().is_some()
        {
            return Err(wrong(
                "must name a host and hold no user, password or query",
            ));
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(https, ca)?)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .pool_idle_timeout(KEPT)
                .pool_timer(TokioTimer::new())
                .build(connector),
            base: address.trim_end_matches('/').to_owned(),
        })
    }

    /// Calls, and gives the body of a good answer.
    ///
    /// # Errors
    /// By status: `Invalid`, `Unauthenticated`, `Forbidden`, `NotFound`, `Conflict`, `TooMany`; `Unavailable` for
    /// everything else, an API that is not there included.
    pub(crate) async fn call(&self, call: Call) -> Result<Bytes> {
        let (limit, path) = (call.limit, call.path.clone());
        let answered = async {
            let answer = self.send(call).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LARGEST_ANSWER)
                .collect()
                .await
                .map_err(|error| Error::unavailable("the API's answer broke off").because(error))?
                .to_bytes();
            judge(status, &path).map(|()| body)
        };
        match timeout(limit, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(slow(limit)),
        }
    }

    /// Calls, and gives a good answer whose body is still coming.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub(crate) async fn open(&self, call: Call) -> Result<Response<Incoming>> {
        let (limit, path) = (call.limit, call.path.clone());
        match timeout(limit, self.send(call)).await {
            Ok(answer) => {
                let answer = answer?;
                judge(answer.status(), &path).map(|()| answer)
            }
            Err(_) => Err(slow(limit)),
        }
    }

    async fn send(&self, call: Call) -> Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{}{}", self.base, call.path))
            .header(header::USER_AGENT, "coditect-sidecar")
            .header(header::ACCEPT, "application/json, text/event-stream");
        if let Some(bearer) = call.bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(call.body.unwrap_or_default()))
            .map_err(|error| Error::internal("a call cannot be written").because(error))?;
        let answer = self.client.request(request).await;
        answer.map_err(|error| Error::unavailable("the API does not answer").because(error))
    }
}

fn slow(limit: Duration) -> Error {
    Error::unavailable(format!(
        "the API does not answer within {} s",
        limit.as_secs()
    ))
}

fn judge(status: StatusCode, path: &str) -> Result<()> {
    let path = path.split('?').next().unwrap_or_default();
    let kind = match status {
        status if status.is_success() => return Ok(()),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Kind::Invalid {
            field: "body".to_owned(),
        },
        StatusCode::UNAUTHORIZED => Kind::Unauthenticated,
        StatusCode::FORBIDDEN => Kind::Forbidden,
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::CONFLICT => Kind::Conflict,
        StatusCode::TOO_MANY_REQUESTS => Kind::TooMany {
            retry_after: Duration::from_secs(30),
        },
        _ => Kind::Unavailable,
    };
    Err(Error::new(
        kind,
        format!("the API answers {status} to {path}"),
    ))
}

/// Whom we trust to be the API. Nobody, where nothing is encrypted.
fn tls(https: bool, ca: Option<&Path>) -> Result<ClientConfig> {
    let unusable = |why: String| Error::invalid("api_ca", why);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("TLS cannot be set up").because(error))?;
    let mut roots = RootCertStore::empty();
    match ca {
        _ if !https => {}
        None => {
            let builder = builder.with_native_roots().map_err(|error| {
                unusable("is not given, and the system has no authorities".to_owned())
                    .because(error)
            })?;
            return Ok(builder.with_no_client_auth());
        }
        Some(file) => {
            let shown = file.display();
            let unreadable =
                |error| unusable(format!("{shown} cannot be read as PEM")).because(error);
            for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
                roots
                    .add(certificate.map_err(unreadable)?)
                    .map_err(|error| {
                        unusable(format!("{shown} holds a certificate that cannot be used"))
                            .because(error)
                    })?;
            }
            if roots.is_empty() {
                return Err(unusable(format!("{shown} holds no certificate")));
            }
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
