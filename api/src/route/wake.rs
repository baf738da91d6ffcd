//! What a workspace's address answers while no pod does: the cell's default backend sends such requests here.
//!
//! Only a person's click in the app wakes a workspace. Nothing in this file writes: whatever a forgotten tab, a
//! monitor or a stranger sends, the workspace stays as it is and counts as unused.
//!
//! A page comes with 503 (404 for no workspace), never 200: the program that the browser still holds from
//! before, its service worker and every cache must not take it for the IDE's own page.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use coditect_core::{CellName, Phase, Power, Slug};

use super::{wake_page, workspace_host::Site};
use crate::{address::client_address, observe::WorkspaceHost, rate::Caller, state::ApiState};

/// Where the page asks for the state; a path that no IDE has.
pub(super) const STATE_PATH: &str = "/.coditect/wake";
/// Says the state in every answer from here, so that the page knows a pod's answer by its absence.
const STATE: HeaderName = HeaderName::from_static("coditect-wake");

/// Seconds that an address which asked too often is asked to wait: its bucket is half full again by then.
const WAIT_AFTER_TOO_MANY: u16 = 6;

/// What is seen of a workspace from outside its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// No pod is wanted and none is there.
    Suspended,
    /// The pod is being stopped.
    Suspending,
    /// A pod is wanted and does not answer yet.
    Starting,
    /// It stands still until somebody acts.
    Failed,
    /// There is no such workspace, or not any more.
    Missing,
    /// The registry does not answer.
    Unknown,
}

impl Seen {
    const fn of(power: Power, phase: Phase) -> Self {
        match (power, phase) {
            // On its way out: whoever it belongs to sees it in the app, and may restore it there.
            (_, Phase::Deleting) => Self::Missing,
            (Power::On, Phase::Failed) => Self::Failed,
            (Power::On, _) => Self::Starting,
            (Power::Off, Phase::Starting | Phase::Ready | Phase::Suspending) => Self::Suspending,
            (Power::Off, _) => Self::Suspended,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Suspending => "suspending",
            Self::Starting => "starting",
            Self::Failed => "failed",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Missing => StatusCode::NOT_FOUND,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Seconds after which it may be otherwise by itself. A suspended workspace waits for a person: machines
    /// are asked to come rarely.
    pub(super) const fn retry_after(self) -> Option<u16> {
        match self {
            Self::Starting | Self::Suspending => Some(2),
            Self::Unknown => Some(5),
            Self::Suspended | Self::Failed => Some(60),
            Self::Missing => None,
        }
    }
}

/// Answers requests for a workspace's host; lets all others through to the API.
pub(super) async fn divert(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let site = state.site(request.uri(), request.headers());
    if site == Site::Elsewhere {
        return next.run(request).await;
    }
    let caller = Caller::from_address(client_address(&request, state.config.trusted_proxy_hops));
    let wants = Wants::of(&request);
    let mut response = match site {
        Site::Workspace { cell, slug } => answer(&state, caller, wants, Some((cell, slug))).await,
        Site::NoWorkspace => answer(&state, caller, wants, None).await,
        Site::Malformed | Site::Elsewhere => StatusCode::BAD_REQUEST.into_response(),
    };
    response.extensions_mut().insert(WorkspaceHost);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex"),
    );
    response
}

async fn answer(
    state: &ApiState,
    caller: Caller,
    wants: Wants,
    workspace: Option<(CellName, Slug)>,
) -> Response {
    let limit = state.limits.as_ref().map(|limits| &limits.wake);
    if let Some(Err((_, allowance))) = limit.map(|limit| limit.take(&caller)) {
        let mut response = StatusCode::TOO_MANY_REQUESTS.into_response();
        allowance.write(response.headers_mut());
        let wait = HeaderValue::from(WAIT_AFTER_TOO_MANY);
        response.headers_mut().insert(header::RETRY_AFTER, wait);
        return response;
    }
    let seen = match &workspace {
        Some((cell, slug)) => look(state, cell, slug).await,
        None => Seen::Missing,
    };
    metrics::counter!("coditect_api_wake_answers_total", "state" => seen.name(), "wants" => wants.name())
        .increment(1);
    let mut response = match wants {
        Wants::Page => {
            let slug = workspace.as_ref().map(|(_, slug)| slug);
            wake_page::page(seen, slug, &state.web_app)
        }
        Wants::State => (
            [(header::CONTENT_TYPE, "application/json")],
            format!("{{\"state\":\"{}\"}}", seen.name()),
        )
            .into_response(),
        Wants::Other => ().into_response(),
    };
    *response.status_mut() = seen.status();
    let headers = response.headers_mut();
    headers.insert(STATE, HeaderValue::from_static(seen.name()));
    if let Some(seconds) = seen.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn look(state: &ApiState, cell: &CellName, slug: &Slug) -> Seen {
    let read = async {
        let mut view = state.registry.view().await?;
        view.workspace_by_slug(cell, slug).await
    };
    match tokio::time::timeout(state.config.answer_timeout, read).await {
        Ok(Ok(Some(view))) => Seen::of(view.power.power, view.phase()),
        Ok(Ok(None)) => Seen::Missing,
        Ok(Err(error)) => {
            tracing::warn!(error = error.chain(), "a workspace's state cannot be read");
            Seen::Unknown
        }
        Err(_) => {
            tracing::warn!("a workspace's state cannot be read in time");
            Seen::Unknown
        }
    }
}

/// What a request for a workspace's host is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    /// A person goes to the address.
    Page,
    /// The page asks how things stand.
    State,
    /// A program goes on as if the workspace were there: sockets, calls, assets, monitors.
    Other,
}

impl Wants {
    fn of(request: &Request) -> Self {
        let headers = request.headers();
        if request.method() != Method::GET || headers.contains_key(header::UPGRADE) {
            Self::Other
        } else if request.uri().path() == STATE_PATH {
            Self::State
        } else if is_navigation(headers) {
            Self::Page
        } else {
            Self::Other
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::State => "state",
            Self::Other => "other",
        }
    }
}

/// Whether a window of the browser goes there (Fetch Metadata, `Sec-Fetch-Mode` and `Sec-Fetch-Dest`). Where the
/// browser says nothing of that, as over plain HTTP, whoever accepts HTML is taken for one.
fn is_navigation(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-mode"), text("sec-fetch-dest")) {
        (None, None) => text("accept").is_some_and(|accept| accept.contains("text/html")),
        (mode, dest) => {
            mode.is_none_or(|mode| mode == "navigate") && dest.is_none_or(|dest| dest == "document")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_a_page_and_only_what_runs_or_will_is_waited_for() {
        use Phase::{
            Committed, Deleting, Failed, Ready, Requested, Starting, Suspended, Suspending, Synced,
        };
        for phase in [
            Requested, Committed, Synced, Starting, Ready, Suspending, Suspended,
        ] {
            assert_eq!(Seen::of(Power::On, phase), Seen::Starting, "{phase}");
        }
        assert_eq!(Seen::of(Power::On, Failed), Seen::Failed);
        for phase in [Starting, Ready, Suspending] {
            assert_eq!(Seen::of(Power::Off, phase), Seen::Suspending, "{phase}");
        }
        for phase in [Requested, Committed, Synced, Suspended, Failed] {
            assert_eq!(Seen::of(Power::Off, phase), Seen::Suspended, "{phase}");
        }
        for power in [Power::On, Power::Off] {
            assert_eq!(Seen::of(power, Deleting), Seen::Missing);
        }
    }

    #[test]
    fn a_navigation_is_a_window_going_there() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                })
                .collect::<HeaderMap>()
        };
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        let navigate = ("sec-fetch-mode", "navigate");
        assert!(is_navigation(&headers(&[html])));
        assert!(is_navigation(&headers(&[
            html,
            navigate,
            ("sec-fetch-dest", "document")
        ])));
        for other in [
            &[("accept", "*/*")][..],
            &[],
            &[html, ("sec-fetch-mode", "cors")],
            &[
                html,
                ("sec-fetch-mode", "no-cors"),
                ("sec-fetch-dest", "script"),
            ],
            &[html, navigate, ("sec-fetch-dest", "iframe")],
            &[
                ("sec-fetch-mode", "websocket"),
                ("sec-fetch-dest", "websocket"),
            ],
        ] {
            assert!(!is_navigation(&headers(other)), "{other:?}");
        }
    }
}
