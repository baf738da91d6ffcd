//! Letters that go nowhere, for development: the last hundred, in memory, shown to this machine.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use coditect_core::Email;
use jiff::Timestamp;
use serde::Serialize;

use super::letter::{Paragraph, Written, escape};
use crate::{
    page::{frame, page, wants_json},
    problem::{NOT_FOUND, Problem},
    route::host_name,
    state::ApiState,
};

/// How many letters are kept.
const KEPT: usize = 100;

/// Where the page is.
pub(crate) const PATH: &str = "/dev/mailbox";

/// The last letters.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryMailbox(Arc<Mutex<VecDeque<Kept>>>);

#[derive(Clone, Debug)]
pub(super) struct Kept {
    at: Timestamp,
    to: Email,
    pub(super) letter: Written,
}

impl MemoryMailbox {
    pub(super) fn put(&self, to: Email, letter: Written) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT - 1);
        let at = Timestamp::now();
        kept.push_front(Kept { at, to, letter });
    }

    pub(super) fn newest_first(&self) -> Vec<Kept> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }
}

/// A letter, for programs.
#[derive(Serialize)]
struct KeptBody {
    at: Timestamp,
    to: Email,
    subject: &'static str,
    text: String,
    links: Vec<String>,
}

impl From<Kept> for KeptBody {
    fn from(Kept { at, to, letter }: Kept) -> Self {
        let text = letter.text();
        let link = |paragraph| match paragraph {
            Paragraph::Link(address) => Some(address),
            Paragraph::Words(_) => None,
        };
        Self {
            at,
            to,
            subject: letter.subject,
            text,
            links: letter.paragraphs.into_iter().filter_map(link).collect(),
        }
    }
}

/// The letters, newest first, as a page or as JSON. For connections from this machine to this machine's own name only:
/// what stands in the letters opens accounts.
pub(crate) async fn show(
    State(state): State<ApiState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let mailbox = state.mail.mailbox();
    // A name of another's that leads here is a page of theirs that wants to read along (DNS rebinding).
    let asked = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let is_ours = asked
        .and_then(host_name)
        .is_some_and(|host| state.own_hosts.contains(&host));
    let Some(mailbox) = mailbox.filter(|_| is_ours && from.ip().to_canonical().is_loopback())
    else {
        return Problem::new(&NOT_FOUND, "There is no mailbox here.").into_response();
    };
    let kept = mailbox.newest_first();
    if wants_json(&headers) {
        let items: Vec<KeptBody> = kept.into_iter().map(KeptBody::from).collect();
        return Json(serde_json::json!({ "items": items })).into_response();
    }
    let one = |kept: &Kept| {
        format!(
            "<article><h2>{}</h2><p>To {}, {}</p>{}</article>",
            escape(kept.letter.subject),
            escape(kept.to.as_str()),
            kept.at,
            kept.letter.paragraphs_as_html()
        )
    };
    let mut body: String = kept.iter().map(one).collect();
    if body.is_empty() {
        body = "<p>No letter was sent yet.</p>".to_owned();
    }
    page(frame("Mailbox", &body))
}
