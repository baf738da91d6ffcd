//! The page that a workspace's address shows while no pod answers. It names no workspace and no person.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use coditect_core::Slug;
use sha2::{Digest, Sha256};

use super::wake::{STATE_PATH, Seen};

const FRAME: &str = include_str!("../../static/wake.host.html");
const STYLE: &str = include_str!("../../static/wake.host.css");

/// The page asks how things stand, and goes there as soon as a pod answers in its place.
static SCRIPT: LazyLock<String> =
    LazyLock::new(|| include_str!("../../static/wake.host.js").replace("STATE_PATH", STATE_PATH));

/// Everything is in the page itself, named by hash: nothing else runs in the workspace's origin, and the page
/// calls nobody but its own host.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(&SCRIPT)
    );
    HeaderValue::from_str(&policy).ok()
});

/// What the page says: title, explanation, and whether a click leads to where it can be woken.
const fn words(seen: Seen) -> (&'static str, &'static str, Option<&'static str>) {
    match seen {
        Seen::Suspended => (
            "This workspace is asleep",
            "Its files are kept. Whoever it belongs to can wake it.",
            Some("Wake it"),
        ),
        Seen::Suspending => (
            "This workspace is going to sleep",
            "Its files are kept. It can be woken at once.",
            Some("Wake it"),
        ),
        Seen::Starting => (
            "This workspace is starting",
            "This page opens it as soon as it answers.",
            None,
        ),
        Seen::Failed => (
            "This workspace cannot run",
            "Its files are kept. Whoever it belongs to can see why.",
            Some("See why"),
        ),
        Seen::Missing => (
            "There is no workspace here",
            "The address may be mistyped, or the workspace is gone.",
            None,
        ),
        Seen::Unknown => (
            "This workspace cannot be seen now",
            "This page tries again by itself.",
            None,
        ),
    }
}

/// The page. The same for everybody; for a workspace that is not there the same whatever was asked for.
pub(super) fn page(seen: Seen, slug: Option<&Slug>, web_app: &str) -> Response {
    let (title, text, action) = words(seen);
    // Slugs are DNS labels and the address was checked at start: neither holds what HTML takes for markup.
    let action = match (action, slug) {
        (Some(label), Some(slug)) => {
            format!("<a class=\"main\" href=\"{web_app}/wake/{slug}\">{label}</a>")
        }
        _ => format!("<a href=\"{web_app}/\">Your workspaces</a>"),
    };
    // For browsers without scripts; with one, the script asks first.
    let refresh = match seen.retry_after() {
        Some(seconds) => {
            format!("<noscript><meta http-equiv=\"refresh\" content=\"{seconds}\"></noscript>")
        }
        None => String::new(),
    };
    let html = FRAME
        .replace("{style}", STYLE)
        .replace("{script}", &SCRIPT)
        .replace("{refresh}", &refresh)
        .replace("{state}", seen.name())
        .replace("{title}", title)
        .replace("{text}", text)
        .replace("{action}", &action);
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    if let Some(policy) = POLICY.clone() {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
