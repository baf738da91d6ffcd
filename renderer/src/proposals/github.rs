//! What GitHub's REST API says about a branch's pull request, read. No network here: an answer goes in.
//!
//! Sources: GitHub's "Rate limits for the REST API" and "REST API endpoints for pull requests".

use std::time::Duration;

use coditect_core::Error;
use hyper::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

/// The pause when GitHub asks for one without saying how long: its documentation says at least a minute.
const PAUSE: Duration = Duration::from_secs(60);
/// How much of an answer is quoted, in characters.
const QUOTED: usize = 200;

/// A pull request, as creating, getting and listing give it; the fields that are needed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pull {
    /// Its number in the repository.
    pub number: u64,
    /// Where people see it.
    pub html_url: String,
    /// Open or closed; a merged one is closed.
    pub state: PullState,
    /// When it was merged, if it was.
    pub merged_at: Option<Timestamp>,
    /// The commit that merged it; before that, a trial merge of GitHub's own.
    pub merge_commit_sha: Option<String>,
}

/// Whether a pull request is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// It can be merged or closed.
    Open,
    /// It was merged or closed.
    Closed,
}

impl Pull {
    /// The commit that merged it, in hexadecimal; none if it was not merged.
    #[must_use]
    pub fn merged(&self) -> Option<&str> {
        self.merged_at.and(self.merge_commit_sha.as_deref())
    }
}

/// The pull request that counts among all of a branch: an open one, else the newest.
#[must_use]
pub fn that_counts(pulls: Vec<Pull>) -> Option<Pull> {
    pulls
        .into_iter()
        .max_by_key(|pull| (pull.state == PullState::Open, pull.number))
}

/// Why a call gave nothing.
#[derive(Debug)]
pub enum Refusal {
    /// There is an open pull request of this branch already: look for it.
    Exists,
    /// Ask again no sooner than after this pause.
    Later {
        /// How long.
        pause: Duration,
        /// What GitHub said.
        why: Error,
    },
    /// It will say the same until somebody changes something.
    Refused(Error),
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Detail>,
}

/// The list holds objects, or sentences.
#[derive(Deserialize)]
#[serde(untagged)]
enum Detail {
    Object {
        #[serde(default)]
        message: String,
    },
    Sentence(String),
}

impl Detail {
    fn message(&self) -> &str {
        match self {
            Self::Object { message } | Self::Sentence(message) => message,
        }
    }
}

/// Sorts an answer that is no success.
#[must_use]
pub fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Refusal {
    let said = said(status, body);
    if status == StatusCode::UNPROCESSABLE_ENTITY && said.contains("pull request already exists") {
        return Refusal::Exists;
    }
    if let Some(pause) = pause(status, headers, &said, now) {
        let seconds = pause.as_secs();
        let why = Error::unavailable(format!(
            "GitHub asks to wait ({said}); tried again in {seconds} s"
        ));
        return Refusal::Later { pause, why };
    }
    let remedy = match status {
        StatusCode::UNAUTHORIZED => "write a valid token into the token's file",
        StatusCode::FORBIDDEN => {
            "give the token the right to read and write pull requests of this repository"
        }
        // GitHub hides what a token may not see.
        StatusCode::NOT_FOUND => "check the repository's name, and that the token may see it",
        _ => "check the address of the API and the branch that changes are merged into",
    };
    Refusal::Refused(Error::unavailable(format!(
        "GitHub refuses ({said}): {remedy}"
    )))
}

/// How long GitHub wants us to wait; none if waiting does not help.
fn pause(status: StatusCode, headers: &HeaderMap, said: &str, now: Timestamp) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let after = number("retry-after").map(Duration::from_secs);
    if status.is_server_error() {
        return Some(after.unwrap_or(PAUSE));
    }
    if status != StatusCode::FORBIDDEN && status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    if after.is_some() {
        return after;
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let now = u64::try_from(now.as_second()).unwrap_or_default();
        let until = number("x-ratelimit-reset").map(|at| at.saturating_sub(now));
        return Some(until.map_or(PAUSE, |left| Duration::from_secs(left.max(1))));
    }
    let limited = status == StatusCode::TOO_MANY_REQUESTS || said.contains("rate limit");
    limited.then_some(PAUSE)
}

/// Status and message in one line, and not more than people read.
fn said(status: StatusCode, body: &[u8]) -> String {
    let said: Option<Said> = serde_json::from_slice(body).ok();
    let words = said.map_or_else(
        || String::from_utf8_lossy(body).into_owned(),
        |said| {
            let details = said.errors.iter().map(Detail::message);
            let all: Vec<&str> = std::iter::once(said.message.as_str())
                .chain(details)
                .filter(|words| !words.is_empty())
                .collect();
            all.join("; ")
        },
    );
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let words: String = words.chars().take(QUOTED).collect();
    format!("{} {words}", status.as_u16()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Refusal {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        let now = Timestamp::from_second(1_000).unwrap();
        refusal(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            body.as_bytes(),
            now,
        )
    }

    fn seconds(refusal: &Refusal) -> Option<u64> {
        match refusal {
            Refusal::Later { pause, .. } => Some(pause.as_secs()),
            Refusal::Exists | Refusal::Refused(_) => None,
        }
    }

    #[test]
    fn a_pull_request_that_is_there_is_told_from_other_invalid_ones() {
        let there = r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"A pull request already exists for acme:coditect/approvals/7."}]}"#;
        assert!(matches!(answer(422, &[], there), Refusal::Exists));
        let other = r#"{"message":"Validation Failed","errors":["base is missing"]}"#;
        let Refusal::Refused(error) = answer(422, &[], other) else {
            panic!("a wrong branch is not there already");
        };
        assert!(error.to_string().contains("base is missing"), "{error}");
    }

    #[test]
    fn a_limit_is_waited_for_and_a_missing_right_is_not() {
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        assert_eq!(
            seconds(&answer(403, &[("retry-after", "17")], secondary)),
            Some(17)
        );
        assert_eq!(seconds(&answer(403, &[], secondary)), Some(60));
        let spent = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1090"),
        ];
        assert_eq!(seconds(&answer(403, &spent, "{}")), Some(90));
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "900")];
        assert_eq!(seconds(&answer(429, &past, "{}")), Some(1));
        assert_eq!(seconds(&answer(429, &[], "")), Some(60));
        assert_eq!(seconds(&answer(502, &[], "<html>")), Some(60));
        let left = [("x-ratelimit-remaining", "59")];
        let denied = r#"{"message":"Resource not accessible by personal access token"}"#;
        assert_eq!(seconds(&answer(403, &left, denied)), None);
        assert_eq!(
            seconds(&answer(401, &left, r#"{"message":"Bad credentials"}"#)),
            None
        );
    }

    #[test]
    fn of_several_an_open_one_counts_and_else_the_newest() {
        let text = |number: u64, state: &str, merged: &str| {
            format!(
                r#"{{"number":{number},"html_url":"https://git.example/{number}","state":"{state}","merged_at":{merged},"merge_commit_sha":"c0ffee","user":{{}}}}"#
            )
        };
        let read = |pulls: &[String]| -> Vec<Pull> {
            serde_json::from_str(&format!("[{}]", pulls.join(","))).unwrap()
        };
        let old = text(3, "closed", r#""2026-01-01T00:00:00Z""#);
        let (open, newest) = (text(4, "open", "null"), text(5, "closed", "null"));
        let all = read(&[old.clone(), open, newest.clone()]);
        let found = that_counts(all).unwrap();
        assert_eq!((found.number, found.merged()), (4, None));
        let closed = that_counts(read(&[newest, old.clone()])).unwrap();
        assert_eq!(closed.number, 5);
        assert_eq!(that_counts(read(&[old])).unwrap().merged(), Some("c0ffee"));
        assert_eq!(that_counts(Vec::new()), None);
    }
}
