//! How a person comes in: a one-time code that the web app handed to our page becomes a cookie of this origin.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use coditect_core::{Kind, Result, sidecar::Redeem};
use http_body_util::{BodyExt, Limited};
use hyper::{Request, StatusCode, body::Incoming, header};
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use crate::{
    access::{
        Verified, cookie,
        logins::{Shut, Who},
        origin::From,
    },
    answer::{Answer, json, problem},
    app::App,
};

/// Largest body of a code.
const LARGEST: usize = 1024;
/// How long it may take to send it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Shortest and longest code.
const CODE: std::ops::RangeInclusive<usize> = 20..=128;

/// How many codes are tried: `MOST` at once and one more every `AGAIN`. A person needs one every few minutes; the API
/// must not be reached through us by whoever tries many.
const MOST: u32 = 20;
const AGAIN: Duration = Duration::from_millis(500);

/// Counts attempts.
#[derive(Debug)]
pub(crate) struct Attempts(Mutex<(u32, Instant)>);

impl Attempts {
    pub(crate) fn new() -> Self {
        Self(Mutex::new((MOST, Instant::now())))
    }

    fn take(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = &mut *state;
        let periods = since.elapsed().as_millis() / AGAIN.as_millis();
        let more = u32::try_from(periods).unwrap_or(MOST);
        if more > 0 {
            *left = left.saturating_add(more).min(MOST);
            *since = Instant::now();
        }
        let may = *left > 0;
        *left = left.saturating_sub(1);
        may
    }
}

/// Exchanges the code in the body for a cookie.
pub(crate) async fn enter(app: &App, request: Request<Incoming>) -> Result<Answer> {
    let headers = request.headers();
    if From::of(request.method(), headers, app.site.origin()) != From::Own {
        return Ok(problem(
            StatusCode::FORBIDDEN,
            "foreign-page",
            "only the workspace's own page hands over a code",
        ));
    }
    // No page of another origin can send this type without asking first.
    if headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind != "application/json")
    {
        return Ok(problem(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "send JSON",
        ));
    }
    if !app.attempts.take() {
        return Ok(problem(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-codes",
            "too many codes were tried; wait a few seconds",
        ));
    }
    let body = timeout(
        PATIENCE,
        Limited::new(request.into_body(), LARGEST).collect(),
    )
    .await;
    let code = body
        .ok()
        .and_then(std::result::Result::ok)
        .and_then(|body| serde_json::from_slice::<Redeem>(&body.to_bytes()).ok())
        .map(|redeem| redeem.code)
        .filter(|code| is_code(code));
    let Some(code) = code else {
        return Ok(problem(
            StatusCode::BAD_REQUEST,
            "no-code",
            "the body must hold a code",
        ));
    };
    let entry = match app.platform.redeem(code).await {
        Ok(entry) => entry,
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Forbidden) => {
            return Ok(refused());
        }
        Err(error) => {
            tracing::warn!(error = error.chain(), "a code cannot be redeemed");
            return Ok(unknown());
        }
    };
    // What the API gives is checked as if anybody had given it.
    let Some(Verified { claims, key }) = app.door.check(&entry.token, &app.platform).await else {
        tracing::error!("the API gave a token that is not good here");
        return Ok(unknown());
    };
    let who = Who {
        login: claims.sid,
        key,
    };
    match app.door.logins.admit(who, false) {
        Ok(_) => {}
        Err(Shut::Out) => return Ok(refused()),
        Err(Shut::Unknown) => return Ok(unknown()),
    }
    let seconds = claims.exp.saturating_sub(Timestamp::now().as_second());
    let mut answer = json(
        StatusCode::OK,
        &serde_json::json!({ "expires_in": seconds }),
    );
    answer
        .headers_mut()
        .append(header::SET_COOKIE, cookie::set(&entry.token, seconds)?);
    tracing::info!(login = %claims.sid, "somebody came in");
    Ok(answer)
}

fn is_code(code: &str) -> bool {
    CODE.contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn refused() -> Answer {
    problem(
        StatusCode::FORBIDDEN,
        "code-refused",
        "the code was used already, is too old, or is for another workspace; open the workspace again",
    )
}

/// The API is not there to ask.
pub(crate) fn unknown() -> Answer {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "platform-away",
        "who may enter cannot be asked now; try again in a few seconds",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_come_back_with_time_and_never_more_than_the_most() {
        let attempts = Attempts::new();
        let taken = |attempts: &Attempts| (0..100).filter(|_| attempts.take()).count();
        assert_eq!(taken(&attempts), MOST as usize);
        tokio::time::advance(AGAIN * 3).await;
        assert_eq!(taken(&attempts), 3);
        tokio::time::advance(Duration::from_secs(86_400 * 365)).await;
        assert_eq!(taken(&attempts), MOST as usize);
    }
}
