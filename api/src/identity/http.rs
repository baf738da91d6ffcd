//! Calls to providers.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::http::{HeaderValue, header};
use coditect_core::{Error, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::{ClientConfig, crypto::ring};
use tokio::time::timeout;

/// How long a provider may take to answer: a person waits for it.
const PATIENCE: Duration = Duration::from_secs(8);
/// Largest answer that is read. Metadata and keys of the large providers take some ten KiB.
const LARGEST: usize = 512 * 1024;
/// How long a connection is kept that nothing goes over.
const KEPT: Duration = Duration::from_secs(30);

/// Calls providers: follows no redirect, waits for nobody long, reads no end of anything.
#[derive(Clone, Debug)]
pub(super) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    pub(super) fn new() -> Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS cannot be set up").because(error))?
            .with_native_roots()
            .map_err(|error| {
                let what = "need certificate authorities, and the system has none; install ca-certificates";
                Error::invalid("providers", what).because(error)
            })?
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEPT)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self(client))
    }

    /// Sends the request and reads the answer, whatever its status.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let mut request = request.map(|body| Full::new(Bytes::from(body)));
        request
            .headers_mut()
            .entry(header::USER_AGENT)
            .or_insert(HeaderValue::from_static("coditect"));
        let answered = async {
            let answer = self.0.request(request).await.map_err(|error| {
                Error::unavailable(format!("{host} does not answer")).because(error)
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LARGEST).collect().await.map_err(|_| {
                Error::unavailable(format!("the answer of {host} broke off or was too long"))
            })?;
            Ok(HttpResponse::from_parts(head, body.to_bytes().to_vec()))
        };
        timeout(PATIENCE, answered).await.unwrap_or_else(|_| {
            let seconds = PATIENCE.as_secs();
            Err(Error::unavailable(format!(
                "{host} does not answer within {seconds} s"
            )))
        })
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
