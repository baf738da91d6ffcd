//! Rate limits: buckets by client address, e-mail or account.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use coditect_core::{AccountId, Error, Kind, TenantId, WorkspaceId};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

use crate::{
    backoff::Backoff,
    config::{Rate, Rates},
};

/// How many checks lie between two sweeps of full buckets, so that a bucket that nobody uses costs nothing.
const SWEEP_EVERY: u32 = 4_096;

/// How many people a tenant invites at once, and in an hour: as many as one types.
const INVITATIONS_AN_HOUR: u32 = 50;

/// The limits in force.
pub(crate) struct Limits {
    pub(crate) credentials: Limiter<Caller>,
    pub(crate) guesses: Limiter<[u8; 32]>,
    pub(crate) address: Limiter<Caller>,
    pub(crate) account: Limiter<AccountId>,
    pub(crate) wake: Limiter<Caller>,
    pub(crate) pods: Limiter<Caller>,
    pub(crate) gateway: Limiter<WorkspaceId>,
    pub(crate) workspaces: Limiter<Caller>,
    /// New invitations, by tenant: whoever makes them and takes them back writes letters to anybody.
    pub(crate) invitations: Limiter<TenantId>,
    /// Wrong passwords, by address of the account and network.
    pub(crate) wrong_passwords: Backoff<([u8; 32], Caller)>,
    /// Wrong codes of second factors, by account.
    pub(crate) wrong_codes: Backoff<AccountId>,
}

/// Who a limit counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// A client address.
    Address(IpAddr),
    /// An account.
    Account(AccountId),
}

impl Caller {
    /// The network that one subscriber has: an IPv4 address, or 64 bits of an IPv6 address (RFC 6177), of which
    /// anybody can use as many as they like.
    pub(crate) fn from_address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address => address,
        })
    }
}

impl Limits {
    pub(crate) fn new(rates: &Rates) -> Self {
        Self {
            credentials: Limiter::new("credentials", rates.credentials),
            guesses: Limiter::new("guesses", rates.guesses),
            address: Limiter::new("address", rates.address),
            account: Limiter::new("account", rates.account),
            wake: Limiter::new("wake", rates.wake),
            pods: Limiter::new("pods", rates.pods),
            gateway: Limiter::new("gateway", rates.gateway),
            invitations: Limiter::every(
                "invitations",
                INVITATIONS_AN_HOUR,
                Duration::from_secs(60 * 60) / INVITATIONS_AN_HOUR,
            ),
            wrong_passwords: Backoff::new(),
            wrong_codes: Backoff::new(),
            workspaces: Limiter::every(
                "new-workspaces",
                rates.new_workspaces_an_hour,
                Duration::from_secs(60 * 60) / rates.new_workspaces_an_hour.max(1),
            ),
        }
    }
}

/// One limit.
pub(crate) struct Limiter<K: Hash + Eq + Clone> {
    name: &'static str,
    burst: NonZeroU32,
    /// How long one request takes to be given back.
    period: Duration,
    buckets: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>,
    checks: AtomicU32,
}

/// What is left of a bucket; becomes headers of the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    name: &'static str,
    burst: u32,
    window: Duration,
    remaining: u32,
    full_in: Duration,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(name: &'static str, rate: Rate) -> Self {
        let period = Duration::from_secs(60) / rate.per_minute.max(1);
        Self::every(name, rate.burst, period)
    }

    /// A bucket of `burst` (zero counts as one) to which one is given back each `period`.
    pub(crate) fn every(name: &'static str, burst: u32, period: Duration) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period)
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX))
            .allow_burst(burst);
        Self {
            name,
            burst,
            period,
            buckets: RateLimiter::keyed(quota).with_middleware(),
            checks: AtomicU32::new(0),
        }
    }

    /// Takes one request from the bucket of `key`.
    ///
    /// # Errors
    /// `TooMany` with how long to wait, and what to tell of the bucket.
    pub(crate) fn take(&self, key: &K) -> Result<Allowance, (Error, Allowance)> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.buckets.retain_recent();
        }
        let burst = self.burst.get();
        let allowance = |remaining: u32, full_in| Allowance {
            name: self.name,
            burst,
            window: self.period * burst,
            remaining,
            full_in,
        };
        match self.buckets.check_key(key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                Ok(allowance(
                    remaining,
                    self.period * burst.saturating_sub(remaining),
                ))
            }
            Err(refused) => {
                let wait = refused.wait_time_from(DefaultClock::default().now());
                metrics::counter!("coditect_api_rate_limited_total", "limit" => self.name)
                    .increment(1);
                let seconds = wait.as_secs() + 1;
                let error = Error::new(
                    Kind::TooMany { retry_after: wait },
                    format!("too many requests; try again in {seconds} s"),
                );
                Err((error, allowance(0, wait)))
            }
        }
    }
}

impl Allowance {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let seconds = |duration: Duration| duration.as_millis().div_ceil(1000);
        let policy = format!(
            "\"{}\";q={};w={}",
            self.name,
            self.burst,
            seconds(self.window)
        );
        let left = format!(
            "\"{}\";r={};t={}",
            self.name,
            self.remaining,
            seconds(self.full_in)
        );
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_one_callers_own_and_says_when_to_come_back() {
        let limiter = Limiter::new(
            "test",
            Rate {
                burst: 2,
                per_minute: 1,
            },
        );
        let key = |text: &str| Caller::from_address(text.parse().unwrap());
        assert_eq!(limiter.take(&key("192.0.2.1")).unwrap().remaining, 1);
        assert_eq!(limiter.take(&key("192.0.2.1")).unwrap().remaining, 0);
        let (error, allowance) = limiter.take(&key("192.0.2.1")).unwrap_err();
        assert!(
            matches!(error.kind(), Kind::TooMany { retry_after } if *retry_after <= Duration::from_secs(60))
        );
        let mut headers = HeaderMap::new();
        allowance.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"test\";q=2;w=120");
        assert!(
            headers["ratelimit"]
                .to_str()
                .unwrap()
                .starts_with("\"test\";r=0;t=")
        );
        assert!(limiter.take(&key("192.0.2.2")).is_ok());
    }

    #[test]
    fn one_subscriber_has_one_bucket() {
        let key = |text: &str| Caller::from_address(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
