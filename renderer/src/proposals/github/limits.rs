//! When GitHub may be asked again.
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use hyper::{HeaderMap, StatusCode};
use jiff::Timestamp;

/// How long to wait if GitHub says only that it was too much: at least a minute.
const UNSAID: Duration = Duration::from_secs(60);
/// The longest wait: an hour's count begins anew after an hour.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What GitHub said last of its limits.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<Option<Instant>>);

impl Limits {
    /// For how long GitHub is to be left alone; none: it may be asked.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = until?.saturating_duration_since(now);
        (!rest.is_zero()).then_some(rest)
    }

    /// Takes note of an answer. True if GitHub refused it for being too much.
    pub(super) fn told(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        said: &str,
        (now, clock): (Instant, Timestamp),
    ) -> bool {
        let number = |name: &str| -> Option<i64> { headers.get(name)?.to_str().ok()?.parse().ok() };
        let used_up = number("x-ratelimit-remaining") == Some(0);
        let after = number("retry-after");
        let refused = matches!(
            status,
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        ) && (used_up
            || after.is_some()
            || status == StatusCode::TOO_MANY_REQUESTS
            // The secondary limits may come without a header.
            || said.to_lowercase().contains("rate limit"));
        if !refused && !used_up {
            return false;
        }
        let reset = number("x-ratelimit-reset").filter(|_| used_up);
        let seconds = after.or_else(|| Some(reset?.saturating_sub(clock.as_second())));
        let wait = seconds.map_or(UNSAID, |seconds| {
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
        });
        let until = now + wait.min(LONGEST);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        refused
    }
}
