//! Where people reach the product, and what may be served there.

use std::net::IpAddr;

use coditect_core::{Error, Result};

/// The host in an origin, without the brackets of an address.
///
/// # Errors
/// `Invalid` if there is none.
pub(crate) fn host(url: &str) -> Result<String> {
    let parsed: Option<axum::http::Uri> = url.parse().ok();
    let host = parsed.as_ref().and_then(|url| url.host()).unwrap_or("");
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        let message = format!("must be like https://app.example.com:8443, not {url:?}");
        return Err(Error::invalid("public-url", message));
    }
    Ok(host.to_ascii_lowercase())
}

/// Whether browsers take this host for their own machine, which needs no TLS (Secure Contexts, section 3.1).
pub(crate) fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Refuses to serve people without encryption anywhere but on their own machine: passwords would go over the network for
/// everybody to read, and browsers keep no `Secure` cookie there anyway. `tls`: whether we speak it ourselves.
///
/// # Errors
/// `Invalid` with what can be done.
pub(crate) fn check(public_url: &str, tls: bool) -> Result<()> {
    let (host, is_secure) = (host(public_url)?, public_url.starts_with("https://"));
    if tls && !is_secure {
        let message = format!("must begin with https:// with --tls, not {public_url:?}");
        return Err(Error::invalid("public-url", message));
    }
    if !is_secure && !is_this_machine(&host) {
        let message = format!(
            "{public_url} would be plain HTTP, which is for this machine's own names alone; serve HTTPS with --tls, \
             or name the https:// address of the proxy before this"
        );
        return Err(Error::invalid("public-url", message));
    }
    Ok(())
}

/// How an address begins.
pub(crate) const fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}

/// Workspaces that this process answers for are reached as it is: by the same scheme and port.
pub(crate) fn beside(public_url: &str) -> String {
    let (scheme, authority) = public_url.split_once("://").unwrap_or(("http", public_url));
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    match port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(port) => format!("{scheme}://{{host}}:{port}"),
        None => format!("{scheme}://{{host}}"),
    }
}

/// The name below which both the web app and a domain of workspaces lie, if it has two labels or more: browsers may take
/// them for one site then. Which names are public suffixes is not known here.
pub(crate) fn shared(web_app: &str, domain: &str) -> Option<String> {
    let app = host(web_app).ok()?;
    if app.parse::<IpAddr>().is_ok() {
        return None;
    }
    let pairs = app.rsplit('.').zip(domain.rsplit('.'));
    let mut labels: Vec<&str> = pairs
        .take_while(|(one, other)| one == other)
        .map(|(label, _)| label)
        .collect();
    labels.reverse();
    (labels.len() > 1).then(|| labels.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for (url, tls) in [
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
            ("http://app.localhost", false),
            ("https://app.example.com", false),
            ("https://app.example.com", true),
            ("https://127.0.0.1:8080", true),
        ] {
            assert!(check(url, tls).is_ok(), "{url} {tls}");
        }
        for (url, tls) in [
            ("http://0.0.0.0:8080", false),
            ("http://app.example.com", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1:8080", true),
            ("https://", true),
            ("", false),
        ] {
            assert!(check(url, tls).is_err(), "{url} {tls}");
        }
    }

    #[test]
    fn workspaces_may_be_of_the_web_apps_own_site() {
        for (app, domain, shares) in [
            (
                "https://app.example.com",
                "ws.example.com",
                Some("example.com"),
            ),
            ("https://app.test:8443", "ws.app.test", Some("app.test")),
            ("https://app.example.com", "example-ws.com", None),
            ("https://app.test", "ws.test", None),
            ("http://127.0.0.1:8080", "workspaces.localhost", None),
            ("http://localhost:8080", "workspaces.localhost", None),
        ] {
            assert_eq!(shared(app, domain).as_deref(), shares, "{app} {domain}");
        }
    }
}
