//! Our own pages. Everything is in the page itself, named by hash: nothing else runs in it.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use coditect_core::{Error, Result};
use hyper::{StatusCode, header};
use sha2::{Digest, Sha256};

use crate::answer::{Answer, whole};

const STYLE: &str = include_str!("../static/page.css");
const ENTER: &str = include_str!("../static/enter.html");
const ENTER_SCRIPT: &str = include_str!("../static/enter.js");
const WAIT: &str = include_str!("../static/wait.html");
const WAIT_SCRIPT: &str = include_str!("../static/wait.js");

static ENTER_POLICY: LazyLock<String> = LazyLock::new(|| policy(ENTER_SCRIPT));
static WAIT_POLICY: LazyLock<String> = LazyLock::new(|| policy(WAIT_SCRIPT));

/// The page that asks the web app for a code.
pub(crate) fn enter(web_app: &str) -> Result<Answer> {
    // An origin holds nothing that HTML takes for markup.
    let html = ENTER
        .replace("{web_app}", web_app)
        .replace("{style}", STYLE)
        .replace("{script}", ENTER_SCRIPT);
    page(StatusCode::OK, html, &ENTER_POLICY, web_app)
}

/// The page to look at until there is an IDE, or the API has been heard of.
pub(crate) fn wait(title: &str, text: &str, ancestors: &str) -> Result<Answer> {
    let html = WAIT
        .replace("{title}", title)
        .replace("{text}", text)
        .replace("{style}", STYLE)
        .replace("{script}", WAIT_SCRIPT);
    let mut answer = page(
        StatusCode::SERVICE_UNAVAILABLE,
        html,
        &WAIT_POLICY,
        ancestors,
    )?;
    let headers = answer.headers_mut();
    headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    Ok(answer)
}

fn page(status: StatusCode, html: String, policy: &str, ancestors: &str) -> Result<Answer> {
    let mut answer = whole(status, "text/html; charset=utf-8", html);
    let policy = format!("{policy}; frame-ancestors {ancestors}");
    let policy = header::HeaderValue::from_str(&policy)
        .map_err(|error| Error::internal("a policy cannot be written").because(error))?;
    answer
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(answer)
}

fn policy(script: &str) -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; form-action 'none'",
        hash(script),
        hash(STYLE)
    )
}
