//! Which page a request comes from. A cookie goes with every request that any page makes: what the page is, only the
//! browser says.

use hyper::{HeaderMap, Method, header};

/// What the browser says of where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A page of the workspace's own origin.
    Own,
    /// A window or frame goes there; whose page asked for that is not said and does not matter, as it sees nothing of
    /// the answer and `frame-ancestors` says who may show it.
    Navigation,
    /// A page of another origin, or a program that does not say: not with a person's cookie.
    Elsewhere,
}

impl From {
    /// Judges by `Origin` (RFC 6454) and Fetch Metadata. If both are there, both must agree: a browser sends no
    /// contradiction.
    pub(crate) fn of(method: &Method, headers: &HeaderMap, own: &str) -> Self {
        let one = |name: &str| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (None, _) => Ok(None),
                (Some(value), None) => Ok(Some(value.as_bytes())),
                (Some(_), Some(_)) => Err(()),
            }
        };
        let (Ok(origin), Ok(site), Ok(mode), Ok(dest)) = (
            one("origin"),
            one("sec-fetch-site"),
            one("sec-fetch-mode"),
            one("sec-fetch-dest"),
        ) else {
            return Self::Elsewhere;
        };
        let navigation = origin.is_none()
            && *method == Method::GET
            && !headers.contains_key(header::UPGRADE)
            && mode == Some(b"navigate")
            && matches!(dest, Some(b"document" | b"iframe"));
        match (origin, site) {
            _ if navigation => Self::Navigation,
            (Some(origin), None | Some(b"same-origin")) if origin == own.as_bytes() => Self::Own,
            (None, Some(b"same-origin")) => Self::Own,
            _ => Self::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    const OWN: &str = "https://calm-lake.ws.example";

    fn from(method: Method, pairs: &[(&'static str, &'static str)]) -> From {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        From::of(&method, &headers, OWN)
    }

    const NAVIGATE: [(&str, &str); 2] = [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];

    #[test]
    fn our_own_pages_say_so_by_either_header() {
        assert_eq!(from(Method::POST, &[("origin", OWN)]), From::Own);
        assert_eq!(
            from(Method::GET, &[("sec-fetch-site", "same-origin")]),
            From::Own
        );
        let both = [("origin", OWN), ("sec-fetch-site", "same-origin")];
        assert_eq!(from(Method::PUT, &both), From::Own);
        let socket = [("origin", OWN), ("upgrade", "websocket")];
        assert_eq!(from(Method::GET, &socket), From::Own);
    }

    #[test]
    fn a_window_may_go_there_from_anywhere_but_only_by_get() {
        for site in ["none", "cross-site", "same-site", "same-origin"] {
            let pairs = [NAVIGATE[0], NAVIGATE[1], ("sec-fetch-site", site)];
            assert_eq!(from(Method::GET, &pairs), From::Navigation, "{site}");
        }
        let frame = [
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "iframe"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert_eq!(from(Method::GET, &frame), From::Navigation);
        for method in [Method::POST, Method::HEAD] {
            assert_eq!(from(method, &frame), From::Elsewhere);
        }
    }

    #[test]
    fn everything_else_comes_from_elsewhere() {
        for pairs in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://sibling.ws.example")],
            &[("origin", "https://calm-lake.ws.example:8443")],
            &[("origin", "https://calm-lake.ws.example.")],
            &[("origin", "http://calm-lake.ws.example")],
            &[("origin", OWN), ("origin", OWN)],
            &[("origin", OWN), ("sec-fetch-site", "same-site")],
            &[("origin", OWN), ("sec-fetch-site", "cross-site")],
            &[
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")],
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "embed"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[
                NAVIGATE[0],
                NAVIGATE[1],
                ("sec-fetch-site", "cross-site"),
                ("upgrade", "websocket"),
            ],
            &[NAVIGATE[0], NAVIGATE[1], ("origin", "https://evil.example")],
        ] {
            assert_eq!(from(Method::GET, pairs), From::Elsewhere, "{pairs:?}");
        }
    }
}
