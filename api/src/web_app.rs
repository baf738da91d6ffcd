//! The built web app: one page for all of its addresses, and its files, read once at the start.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{Catalogue, Error, Result};
use flate2::{Compression, write::GzEncoder};

/// Largest file of a web app.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How deep folders are looked into.
const DEEPEST: usize = 4;
/// Where the files are whose names change with their content.
const IMMUTABLE: &str = "assets/";
/// The page.
const INDEX: &str = "index.html";

/// A built web app.
#[derive(Debug)]
pub(crate) struct WebApp {
    files: BTreeMap<String, File>,
}

#[derive(Debug)]
struct File {
    kind: &'static str,
    plain: Bytes,
    /// Smaller, for whoever takes it.
    gzip: Option<Bytes>,
}

impl WebApp {
    /// The web app in this folder, as its build leaves it.
    ///
    /// # Errors
    /// `Invalid` or `Unavailable` naming what is missing or cannot be read.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        gather(folder, "", DEEPEST, &mut files)?;
        if !files.contains_key(INDEX) {
            let message = format!("{} holds no {INDEX}; build the web app", folder.display());
            return Err(Error::invalid("web_app_folder", message));
        }
        Ok(Self { files })
    }

    /// The file at this path, without a slash at its beginning; the page is none.
    pub(crate) fn file(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let file = self.files.get(path).filter(|_| path != INDEX)?;
        // Whatever stands below it never changes under its name.
        let kept = match path.starts_with(IMMUTABLE) {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        };
        Some(file.answer(headers, kept))
    }

    /// The page, which may frame workspaces and nothing else.
    pub(crate) fn index(
        &self,
        headers: &HeaderMap,
        policy: &Catalogue,
        template: &str,
    ) -> Response {
        let Some(index) = self.files.get(INDEX) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let mut response = index.answer(headers, "no-cache");
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&page_policy(policy, template)) {
            headers.insert(header::CONTENT_SECURITY_POLICY, value);
        }
        // A workspace in a tab of its own is handed its code by the page that opened it.
        headers.insert(
            "cross-origin-opener-policy",
            HeaderValue::from_static("same-origin-allow-popups"),
        );
        response
    }
}

impl File {
    fn answer(&self, headers: &HeaderMap, kept: &'static str) -> Response {
        let mut answer = match &self.gzip {
            Some(gzip) if takes_gzip(headers) => {
                let encoding = [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
                (encoding, gzip.clone()).into_response()
            }
            _ => self.plain.clone().into_response(),
        };
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        answer
    }
}

/// Whether the caller takes gzip (RFC 9110 section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map(str::parse::<f32>);
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(weight, Some(Ok(0.0) | Err(_)))
    })
}

/// Scripts, styles and calls from here only, nothing inline; frames of the cells' workspaces.
fn page_policy(policy: &Catalogue, template: &str) -> String {
    let mut frames: Vec<String> = policy
        .cells
        .values()
        .map(|cell| template.replace("{host}", &format!("*.{}", cell.domain)))
        // A policy is people's text: what would end the directive is no address.
        .filter(|frame| {
            frame
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b','))
        })
        .collect();
    frames.sort_unstable();
    frames.dedup();
    if frames.is_empty() {
        frames.push("'none'".to_owned());
    }
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         font-src 'self'; frame-src {}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        frames.join(" ")
    )
}

fn gather(
    folder: &Path,
    below: &str,
    deeper: usize,
    files: &mut BTreeMap<String, File>,
) -> Result<()> {
    let unreadable = |path: &Path, error: std::io::Error| {
        Error::unavailable(format!("{} cannot be read: {error}", path.display())).because(error)
    };
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        // What a build leaves for itself (`.vite`).
        if name.starts_with('.') {
            continue;
        }
        let shown = format!("{below}{name}");
        let about = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if about.is_dir() {
            if deeper > 0 {
                gather(&path, &format!("{shown}/"), deeper - 1, files)?;
            }
        } else if about.len() > LARGEST {
            let message = format!("{} is larger than {LARGEST} bytes", path.display());
            return Err(Error::invalid("web_app_folder", message));
        } else {
            let plain = fs::read(&path).map_err(|error| unreadable(&path, error))?;
            files.insert(shown, File::new(name, plain));
        }
    }
    Ok(())
}

impl File {
    fn new(name: &str, plain: Vec<u8>) -> Self {
        let (kind, is_text) = kind_of(name);
        let gzip = is_text.then(|| compressed(&plain)).flatten();
        Self {
            kind,
            plain: plain.into(),
            gzip,
        }
    }
}

/// None if it is not smaller.
fn compressed(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    let gzip = encoder.finish().ok()?;
    (gzip.len() < plain.len()).then(|| gzip.into())
}

/// The media type, and whether it is worth being compressed.
fn kind_of(name: &str) -> (&'static str, bool) {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => ("text/html; charset=utf-8", true),
        "js" | "mjs" => ("text/javascript; charset=utf-8", true),
        "css" => ("text/css; charset=utf-8", true),
        "json" | "map" => ("application/json", true),
        "webmanifest" => ("application/manifest+json", true),
        "svg" => ("image/svg+xml", true),
        "txt" => ("text/plain; charset=utf-8", true),
        "wasm" => ("application/wasm", true),
        "png" => ("image/png", false),
        "jpg" | "jpeg" => ("image/jpeg", false),
        "webp" => ("image/webp", false),
        "ico" => ("image/x-icon", false),
        "woff2" => ("font/woff2", false),
        _ => ("application/octet-stream", false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_whoever_takes_it() {
        for (accepted, takes) in [
            ("gzip", true),
            ("br, gzip;q=0.8", true),
            ("deflate, GZIP", true),
            ("gzip;q=0", false),
            ("gzip;q=x", false),
            ("br", false),
            ("", false),
        ] {
            let headers = [(header::ACCEPT_ENCODING, accepted.parse().unwrap())];
            assert_eq!(
                takes_gzip(&headers.into_iter().collect()),
                takes,
                "{accepted}"
            );
        }
    }
}
