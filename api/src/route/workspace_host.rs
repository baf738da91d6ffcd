//! Which host a request is for: the API's own, a workspace's, or one that no request may name.

use axum::http::{HeaderMap, Uri, header};
use coditect_core::{CellName, Slug};

/// Longest host name (RFC 1035 section 2.3.4, without the root's dot).
const LONGEST_NAME: usize = 253;
/// What stands before the id of a webview's host, and the id's length.
const WEBVIEW: &str = "w-";
const ID: usize = 36;

/// What the host of a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// None of any cell's domain: the API's own business.
    Elsewhere,
    /// Not a host that a request may name; RFC 9112 section 3.2 wants 400.
    Malformed,
    /// A host of a cell's domain that can be no workspace's.
    NoWorkspace,
    /// `<slug>.<domain>` of this cell, or a webview's host beside it.
    Workspace {
        /// The cell whose domain it is.
        cell: CellName,
        /// The workspace's slug, which need not exist.
        slug: Slug,
    },
}

impl Site {
    /// What the host of a request is. `own` are the names under which the API itself is reached, which win over
    /// a cell's domain; `cells` are the cells' domains.
    ///
    /// A request target in absolute form must not contradict the `Host` header: whoever reads one and whoever
    /// reads the other would take the request for two different ones.
    pub fn of<'a>(
        target: &Uri,
        headers: &HeaderMap,
        own: &[String],
        cells: impl Iterator<Item = (&'a CellName, &'a str)>,
    ) -> Self {
        let mut named: Option<String> = None;
        let hosts = headers.get_all(header::HOST);
        if hosts.iter().nth(1).is_some() {
            return Self::Malformed;
        }
        let hosts = hosts.iter().map(|host| host.to_str().ok());
        let target = target.authority().map(|authority| Some(authority.as_str()));
        for text in hosts.chain(target) {
            // An empty `Host` is what a client sends that has no name for the server.
            let Some(name) = text.and_then(host_name) else {
                return Self::Malformed;
            };
            match &named {
                Some(before) if *before != name => return Self::Malformed,
                _ => named = Some(name),
            }
        }
        named.map_or(Self::Elsewhere, |name| Self::of_name(&name, own, cells))
    }

    fn of_name<'a>(
        name: &str,
        own: &[String],
        cells: impl Iterator<Item = (&'a CellName, &'a str)>,
    ) -> Self {
        if own.iter().any(|own| own == name) {
            return Self::Elsewhere;
        }
        // One cell's domain may lie in another's: the longest one that fits is meant.
        let within = cells.filter_map(|(cell, domain)| {
            let rest = name.strip_suffix(domain)?;
            let label = if rest.is_empty() {
                rest
            } else {
                rest.strip_suffix('.')?
            };
            Some((domain.len(), cell, label))
        });
        let Some((_, cell, label)) = within.max_by_key(|(length, ..)| *length) else {
            return Self::Elsewhere;
        };
        match slug_of(label) {
            Some(slug) => Self::Workspace {
                cell: cell.clone(),
                slug,
            },
            None => Self::NoWorkspace,
        }
    }
}

/// The slug that the first label of a host names: itself, or what follows `w-<uuid>-`.
fn slug_of(label: &str) -> Option<Slug> {
    let slug = match label.strip_prefix(WEBVIEW) {
        Some(rest) => {
            let (id, rest) = rest.split_at_checked(ID)?;
            uuid::Uuid::try_parse(id).ok()?;
            rest.strip_prefix('-')?
        }
        None => label,
    };
    slug.parse().ok()
}

/// The name in `name[:port]`, in lower case and without the root's dot; none if it is no host and port
/// (RFC 3986 section 3.2.2, of which only DNS names and addresses are taken: no user, no percent-encoding).
pub(crate) fn host_name(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: std::net::Ipv6Addr = address.parse().ok()?;
        return (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
            .then(|| format!("[{address}]"));
    }
    let (name, port) = text.split_once(':').unwrap_or((text, ""));
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    (is_port(port) && name.len() <= LONGEST_NAME && name.split('.').all(label))
        .then(|| name.to_ascii_lowercase())
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || (text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

/// The name in an origin, as [`Site::of`] compares it.
pub(crate) fn name_of_origin(origin: &str) -> Option<String> {
    host_name(origin.split_once("://")?.1)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn site(target: &str, hosts: &[&[u8]]) -> Site {
        let cells: Vec<(CellName, &str)> = vec![
            ("eu".parse().unwrap(), "ide.example"),
            ("us".parse().unwrap(), "us.ide.example.org"),
            ("west".parse().unwrap(), "west.ide.example"),
        ];
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_bytes(host).unwrap());
        }
        let own = ["app.ide.example".to_owned(), "127.0.0.1".to_owned()];
        let cells = cells.iter().map(|(cell, domain)| (cell, *domain));
        Site::of(&target.parse().unwrap(), &headers, &own, cells)
    }

    fn host(host: &str) -> Site {
        site("/", &[host.as_bytes()])
    }

    fn workspace(cell: &str) -> Site {
        Site::Workspace {
            cell: cell.parse().unwrap(),
            slug: "calm-lake-2abcd".parse().unwrap(),
        }
    }

    #[test]
    fn a_workspace_is_found_however_its_host_is_spelled() {
        for text in [
            "calm-lake-2abcd.ide.example",
            "CALM-Lake-2abcd.IDE.example",
            "calm-lake-2abcd.ide.example.",
            "calm-lake-2abcd.ide.example:8443",
            "calm-lake-2abcd.ide.example.:",
            "w-00001013-3d41-4b7a-8c55-19e06fa2b713-calm-lake-2abcd.ide.example",
        ] {
            assert_eq!(host(text), workspace("eu"), "{text}");
        }
        assert_eq!(
            host("calm-lake-2abcd.us.ide.example.org"),
            workspace("us"),
            "each cell has its own domain"
        );
        assert_eq!(
            host("calm-lake-2abcd.west.ide.example"),
            workspace("west"),
            "also if it lies in another's"
        );
    }

    #[test]
    fn whatever_else_lies_in_a_cells_domain_is_nobodys() {
        for text in [
            "ide.example",
            "west.ide.example",
            "a.calm-lake-2abcd.ide.example",
            "xn--bcher-kva.ide.example",
            "w-calm-lake-2abcd.ide.example",
            "w-00001013-3d41-4b7a-8c55-19e06fa2b713.ide.example",
            "w-00001013-3d41-4b7a-8c55-19e06fa2b713-.ide.example",
            "w-00001013-3d41-4b7a-8c55-19e06fa2b71z-calm-lake-2abcd.ide.example",
            "under_score.ide.example",
            "-calm.ide.example",
            "this-is-longer-than-any-slug-may-be.ide.example",
        ] {
            assert_eq!(host(text), Site::NoWorkspace, "{text}");
        }
    }

    #[test]
    fn the_apis_own_names_and_others_are_elsewhere() {
        for text in [
            "",
            "app.ide.example",
            "APP.ide.example.:443",
            "127.0.0.1:8080",
            "[::1]:8080",
            "[::1]",
            "notide.example",
            "calm-lake-2abcd.ide.example.evil.org",
            "example",
        ] {
            assert_eq!(host(text), Site::Elsewhere, "{text}");
        }
        assert_eq!(site("/", &[]), Site::Elsewhere);
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "user@calm-lake-2abcd.ide.example",
            "calm-lake-2abcd.ide.example:99999",
            "calm-lake-2abcd.ide.example:8a",
            "calm-lake-2abcd.ide.example:+80",
            "calm-lake-2abcd.ide.example:80:80",
            "calm-lake-2abcd.ide.example..",
            "calm-lake-2abcd..ide.example",
            ".ide.example",
            "calm lake.ide.example",
            "calm-lake-2abcd.ide.example/x",
            "calm%2dlake-2abcd.ide.example",
            "a,calm-lake-2abcd.ide.example",
            "[::1",
            "[::1]x",
            "[::g]",
        ] {
            assert_eq!(host(text), Site::Malformed, "{text}");
        }
        // An internationalised name comes as its A-label or not at all.
        assert_eq!(
            site("/", &["bücher.ide.example".as_bytes()]),
            Site::Malformed
        );
        let two: &[&[u8]] = &[b"127.0.0.1", b"calm-lake-2abcd.ide.example"];
        assert_eq!(site("/", two), Site::Malformed);
    }

    #[test]
    fn a_target_in_absolute_form_agrees_with_the_header_or_is_refused() {
        let target = "http://calm-lake-2abcd.ide.example/x";
        assert_eq!(site(target, &[]), workspace("eu"));
        assert_eq!(
            site(target, &[b"CALM-lake-2abcd.ide.example:80"]),
            workspace("eu")
        );
        assert_eq!(site(target, &[b"127.0.0.1:8080"]), Site::Malformed);
        assert_eq!(
            site("http://127.0.0.1/x", &[b"calm-lake-2abcd.ide.example"]),
            Site::Malformed
        );
        assert_eq!(
            site("http://u@calm-lake-2abcd.ide.example/", &[]),
            Site::Malformed
        );
    }
}
