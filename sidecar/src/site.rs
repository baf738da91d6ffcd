//! The workspace's own address, and which host a request names.

use coditect_core::{Error, Result};
use hyper::{HeaderMap, header};
use uuid::Uuid;

/// What stands before the id of a webview's host, and the id's length.
const WEBVIEW: &str = "w-";
const ID: usize = 36;

/// Where the workspace is reached from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    origin: String,
    name: String,
    secure: bool,
}

/// Which host a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The workspace's own.
    Own,
    /// One of its webviews', `w-<uuid>-<name>`.
    Webview,
    /// None of ours: a request that has lost its way, or one that was led here.
    Foreign,
    /// No host, several, or none that a request may name (RFC 9112 section 3.2).
    Malformed,
}

impl Site {
    /// The site of this origin: `https://name[:port]`, or `http://` for a loopback name.
    ///
    /// # Errors
    /// `Invalid` if it is no origin as browsers write it.
    pub fn new(origin: &str) -> Result<Self> {
        let wrong = |why: &str| Error::invalid("origin", why);
        let (secure, authority) = match origin.split_once("://") {
            Some(("https", authority)) => (true, authority),
            Some(("http", authority)) => (false, authority),
            _ => return Err(wrong("must begin with https:// or http://")),
        };
        let name = name_of(authority).ok_or_else(|| wrong("must be a name and a port"))?;
        if authority.to_ascii_lowercase() != authority {
            return Err(wrong("must be written in lower case, as browsers send it"));
        }
        if !secure && !is_loopback(&name) {
            return Err(wrong(
                "must be https:// unless it is a name of this machine (localhost, 127.0.0.1)",
            ));
        }
        Ok(Self {
            origin: origin.to_owned(),
            name,
            secure,
        })
    }

    /// The origin as a browser sends it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Which host these headers name. Ports are not compared: a router before us may listen on another one, and
    /// cookies know none.
    #[must_use]
    pub fn host(&self, headers: &HeaderMap) -> Host {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Host::Malformed;
        };
        let Some(name) = host.to_str().ok().and_then(name_of) else {
            return Host::Malformed;
        };
        if name == self.name {
            return Host::Own;
        }
        let id = name
            .strip_prefix(WEBVIEW)
            .and_then(|rest| rest.strip_suffix(&self.name))
            .and_then(|rest| rest.strip_suffix('-'));
        match id {
            Some(id) if id.len() == ID && Uuid::try_parse(id).is_ok() => Host::Webview,
            _ => Host::Foreign,
        }
    }
}

/// The name in `name[:port]`, in lower case; none if it is not one (RFC 3986 section 3.2.2, of which DNS names and
/// addresses are taken).
fn name_of(text: &str) -> Option<String> {
    let (name, port) = match text.rfind(':') {
        Some(at) if !text.ends_with(']') => (&text[..at], Some(&text[at + 1..])),
        _ => (text, None),
    };
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if !port.is_none_or(is_port) {
        return None;
    }
    if let Some(address) = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let address: std::net::Ipv6Addr = address.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    (name.len() <= 253 && name.split('.').all(label)).then(|| name.to_ascii_lowercase())
}

/// Names that browsers take for this machine (Secure Contexts, section 3.1).
fn is_loopback(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name == "[::1]"
        || name
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn host(site: &Site, names: &[&str]) -> Host {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(header::HOST, HeaderValue::from_str(name).unwrap());
        }
        site.host(&headers)
    }

    #[test]
    fn a_request_is_for_us_or_for_a_webview_or_lost() {
        let site = Site::new("https://calm-lake.ws.example").unwrap();
        for name in [
            "calm-lake.ws.example",
            "CALM-lake.ws.example",
            "calm-lake.ws.example:8443",
        ] {
            assert_eq!(host(&site, &[name]), Host::Own, "{name}");
        }
        let webview = "w-00001013-3d41-4b7a-8c55-19e06fa2b713-calm-lake.ws.example";
        assert_eq!(host(&site, &[webview]), Host::Webview);
        for name in [
            "other.ws.example",
            "ws.example",
            "calm-lake.ws.example.evil.org",
            "evil-calm-lake.ws.example",
            "w-calm-lake.ws.example",
            "w-00001013-3d41-4b7a-8c55-19e06fa2b71z-calm-lake.ws.example",
            "w-000010133d414b7a8c5519e06fa2b713-calm-lake.ws.example",
            "w-00001013-3d41-4b7a-8c55-19e06fa2b713-other.ws.example",
            "127.0.0.1",
        ] {
            assert_eq!(host(&site, &[name]), Host::Foreign, "{name}");
        }
        for names in [
            &[][..],
            &["calm-lake.ws.example", "calm-lake.ws.example"],
            &["calm-lake.ws.example."],
            &["user@calm-lake.ws.example"],
            &["calm-lake.ws.example:99999"],
            &["calm-lake.ws.example, other"],
            &[""],
        ] {
            assert_eq!(host(&site, names), Host::Malformed, "{names:?}");
        }
    }

    #[test]
    fn an_origin_is_one_as_browsers_write_it_and_plain_only_on_this_machine() {
        for origin in [
            "https://calm-lake.ws.example",
            "https://calm-lake.ws.test:8443",
            "http://calm-lake.localhost:8080",
            "http://127.0.0.1:8080",
        ] {
            assert_eq!(Site::new(origin).unwrap().origin(), origin);
        }
        for origin in [
            "http://calm-lake.ws.example",
            "https://calm-lake.ws.example/",
            "https://Calm-lake.ws.example",
            "https://",
            "ftp://a",
            "calm-lake.ws.example",
            "https://a@b",
        ] {
            assert!(Site::new(origin).is_err(), "{origin}");
        }
    }
}
