//! What a request asks for, and why it is refused: pure.

use coditect_core::CellName;
use hyper::{HeaderMap, Method, Request, StatusCode, header};

/// What `git` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Say what there is: `GET …/info/refs?service=git-upload-pack`.
    Advertise,
    /// Send it: `POST …/git-upload-pack`.
    Upload,
}

impl Service {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Advertise => "info-refs",
            Self::Upload => "upload-pack",
        }
    }
}

/// A request that can be served, if the cell is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) cell: CellName,
    pub(super) service: Service,
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unauthorised,
    NoSuchCell,
    NoSuchPath,
    Dumb,
    Push,
    Method(&'static str),
    ContentType,
    Encoding,
    TooLarge,
    Malformed,
    Busy,
    TooSlow,
    Broken,
}

impl Refusal {
    /// The status, and a sentence that `git` shows to a person.
    pub(super) const fn status(self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorised => (
                StatusCode::UNAUTHORIZED,
                "A token is needed: any user name, the token as the password.",
            ),
            Self::NoSuchCell => (
                StatusCode::NOT_FOUND,
                "There is no such cell here. Repositories are at /<cell>.git.",
            ),
            Self::NoSuchPath => (
                StatusCode::NOT_FOUND,
                "There is nothing here. Repositories are at /<cell>.git.",
            ),
            Self::Dumb => (
                StatusCode::FORBIDDEN,
                "Only the smart HTTP protocol is spoken here: use Git 1.6.6 or newer.",
            ),
            Self::Push => (
                StatusCode::FORBIDDEN,
                "Nobody pushes here: the renderer alone writes a cell's branch. Change the policy repository instead.",
            ),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "Not with this method."),
            Self::ContentType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The content type must be application/x-git-upload-pack-request.",
            ),
            Self::Encoding => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The content encoding must be gzip or none.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request is larger than a fetch needs.",
            ),
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                "The request's body ended early or is not what its headers say.",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many fetches run at this moment; come again.",
            ),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "The request took too long."),
            Self::Broken => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The repository cannot be read now; the renderer's log has the reason.",
            ),
        }
    }
}

impl Asked {
    /// Reads method, path, query and headers.
    pub(super) fn of<B>(request: &Request<B>) -> Result<Self, Refusal> {
        let path = request.uri().path().strip_prefix('/');
        let (name, rest) = path
            .and_then(|path| path.split_once('/'))
            .ok_or(Refusal::NoSuchPath)?;
        let name = name.strip_suffix(".git").ok_or(Refusal::NoSuchPath)?;
        let cell: CellName = name.parse().map_err(|_| Refusal::NoSuchCell)?;
        let wanted = || {
            let mut pairs = request.uri().query().unwrap_or_default().split('&');
            pairs.find_map(|pair| pair.strip_prefix("service="))
        };
        let service = match rest {
            "info/refs" => match wanted() {
                Some("git-upload-pack") => Service::Advertise,
                Some("git-receive-pack") => return Err(Refusal::Push),
                _ => return Err(Refusal::Dumb),
            },
            "git-upload-pack" => Service::Upload,
            "git-receive-pack" => return Err(Refusal::Push),
            _ if is_dumb(rest) => return Err(Refusal::Dumb),
            _ => return Err(Refusal::NoSuchPath),
        };
        match (service, request.method()) {
            (Service::Advertise, &Method::GET) => {}
            (Service::Advertise, _) => return Err(Refusal::Method("GET")),
            (Service::Upload, &Method::POST) => uploadable(request.headers())?,
            (Service::Upload, _) => return Err(Refusal::Method("POST")),
        }
        Ok(Self { cell, service })
    }
}

/// Paths that a client of the dumb protocol asks for.
fn is_dumb(rest: &str) -> bool {
    rest == "HEAD" || rest.starts_with("objects/") || rest.starts_with("refs/")
}

fn uploadable(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or("unreadable"))
    };
    if text(header::CONTENT_TYPE) != Some("application/x-git-upload-pack-request") {
        return Err(Refusal::ContentType);
    }
    match text(header::CONTENT_ENCODING) {
        None | Some("identity" | "gzip" | "x-gzip") => Ok(()),
        Some(_) => Err(Refusal::Encoding),
    }
}

/// True if the request's body is compressed.
pub(super) fn is_gzip(headers: &HeaderMap) -> bool {
    let encoding = headers.get(header::CONTENT_ENCODING);
    encoding.is_some_and(|encoding| encoding == "gzip" || encoding == "x-gzip")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, uri: &str) -> Result<Asked, Refusal> {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", "application/x-git-upload-pack-request")
            .body(())
            .unwrap();
        Asked::of(&request)
    }

    #[test]
    fn what_a_client_asks_for() {
        let local = |service| {
            Ok(Asked {
                cell: "local".parse().unwrap(),
                service,
            })
        };
        for (method, uri, expected) in [
            (
                "GET",
                "/local.git/info/refs?service=git-upload-pack",
                local(Service::Advertise),
            ),
            ("POST", "/local.git/git-upload-pack", local(Service::Upload)),
            ("GET", "/local.git/info/refs", Err(Refusal::Dumb)),
            ("GET", "/local.git/HEAD", Err(Refusal::Dumb)),
            ("GET", "/local.git/objects/info/packs", Err(Refusal::Dumb)),
            (
                "GET",
                "/local.git/info/refs?service=git-receive-pack",
                Err(Refusal::Push),
            ),
            ("POST", "/local.git/git-receive-pack", Err(Refusal::Push)),
            (
                "GET",
                "/local.git/git-upload-pack",
                Err(Refusal::Method("POST")),
            ),
            (
                "GET",
                "/../etc.git/info/refs?service=git-upload-pack",
                Err(Refusal::NoSuchPath),
            ),
            (
                "GET",
                "/%2e%2e%2fother.git/info/refs?service=git-upload-pack",
                Err(Refusal::NoSuchCell),
            ),
            ("GET", "/local.git/config", Err(Refusal::NoSuchPath)),
            ("GET", "/", Err(Refusal::NoSuchPath)),
        ] {
            assert_eq!(asked(method, uri), expected, "{method} {uri}");
        }
    }

    #[test]
    fn bodies_that_no_git_sends_are_refused() {
        for (name, value, expected) in [
            ("content-type", "text/plain", Refusal::ContentType),
            ("content-encoding", "br", Refusal::Encoding),
        ] {
            let mut request = Request::builder()
                .method("POST")
                .uri("/local.git/git-upload-pack")
                .header("content-type", "application/x-git-upload-pack-request")
                .body(())
                .unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
            assert_eq!(Asked::of(&request), Err(expected));
        }
    }
}
