//! Calls to others by HTTP: one kind of connection for all of them. The provider of cryptography is the one that the
//! cluster's client uses.

use std::{fs, path::Path, sync::Arc};

use coditect_core::{Error, Result};
use hyper::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// How the receiver at an address is reached, by HTTP or HTTPS as the address says.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// The receiver at `url`, whose certificate the authorities of `ca_file` vouch for, or the system's if there is none.
/// `options` are the names of the two options, for what is said of them.
///
/// # Errors
/// `Invalid` if the address is none of the web or the file holds no certificate; the message completes "`option` …".
pub(crate) fn connector(
    url: &Uri,
    ca_file: Option<&Path>,
    options: [&str; 2],
) -> Result<Connector> {
    let https = match url.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => {
            let why = "must begin with https:// or http://";
            return Err(Error::invalid(options[0], why));
        }
    };
    let config = tls(https, ca_file, options);
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config.map_err(|(option, why)| Error::invalid(option, why))?)
        .https_or_http()
        .enable_http1()
        .build())
}

fn tls<'o>(
    https: bool,
    ca_file: Option<&Path>,
    [url_option, ca_option]: [&'o str; 2],
) -> Result<ClientConfig, (&'o str, String)> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| (url_option, error.to_string()))?;
    let Some(file) = ca_file else {
        if !https {
            let none = RootCertStore::empty();
            return Ok(builder.with_root_certificates(none).with_no_client_auth());
        }
        let builder = builder.with_native_roots().map_err(|error| {
            let why = format!("the system has no certificate authorities ({error}); name a file");
            (ca_option, why)
        })?;
        return Ok(builder.with_no_client_auth());
    };
    let wrong = |why: String| (ca_option, format!("{}: {why}", file.display()));
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

/// What was said, on one line of at most `most` characters.
pub(crate) fn quoted(said: &str, most: usize) -> String {
    let line = said.trim().chars().take(most);
    line.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An error with its sources: the client's own sentence says little.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        said = format!("{said}: {inner}");
        source = inner.source();
    }
    said
}
