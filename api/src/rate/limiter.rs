//! One limit: a bucket for each that it counts.

use std::{
    marker::PhantomData,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use coditect_core::{Error, Kind};
use coditect_registry::record::Counted;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use jiff::SignedDuration;

use super::{Bucket, Key, Tally};
use crate::config::Rate;

/// How many checks lie between two sweeps of full buckets, so that a bucket that nobody uses costs nothing.
const SWEEP_EVERY: u32 = 4_096;

/// One limit.
pub(crate) struct Limiter<K> {
    name: &'static str,
    burst: NonZeroU32,
    /// How long one request takes to be given back.
    period: Duration,
    buckets: RateLimiter<Bucket, Buckets, DefaultClock, StateInformationMiddleware>,
    checks: AtomicU32,
    tally: Arc<Tally>,
    counts: PhantomData<fn(&K)>,
}

type Buckets = DefaultKeyedStateStore<Bucket>;

impl<K: Key> Limiter<K> {
    pub(super) fn new(name: &'static str, rate: Rate, tally: &Arc<Tally>) -> Self {
        let period = Duration::from_secs(60) / rate.per_minute.max(1);
        Self::every(name, rate.burst, period, tally)
    }

    /// A bucket of `burst` (zero counts as one) to which one is given back each `period`.
    pub(crate) fn every(
        name: &'static str,
        burst: u32,
        period: Duration,
        tally: &Arc<Tally>,
    ) -> Self {
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
            tally: Arc::clone(tally),
            counts: PhantomData,
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
        let bucket = self.tally.bucket(self.name, key);
        match self.buckets.check_key(&bucket) {
            Ok(state) => {
                self.tally.took(self.name, bucket);
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

    /// Takes from the buckets what another process let through so long ago: as much as is left. What has mostly been
    /// given back since is passed over.
    pub(crate) fn heard(&self, counted: &Counted, age: SignedDuration) {
        if age.unsigned_abs() > self.period * self.burst.get() / 4 {
            return;
        }
        for count in counted.limits.get(self.name).into_iter().flatten() {
            let Some(bucket) = Tally::named(&count.bucket) else {
                continue;
            };
            for _ in 0..count.times.min(self.burst.get()) {
                if self.buckets.check_key(&bucket).is_err() {
                    break;
                }
            }
        }
    }
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
    use crate::rate::Caller;

    #[test]
    fn a_bucket_is_one_callers_own_and_says_when_to_come_back() {
        let limiter = Limiter::new(
            "test",
            Rate {
                burst: 2,
                per_minute: 1,
            },
            &Tally::of_a_test(),
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
    fn what_others_let_through_is_gone_here_too() {
        let tally = Tally::of_a_test();
        let rate = Rate {
            burst: 5,
            per_minute: 1,
        };
        let [here, there] = [(); 2].map(|()| Limiter::new("test", rate, &tally));
        let ada = Caller::from_address("192.0.2.1".parse().unwrap());
        tally.share(true);
        there.take(&ada).unwrap();
        there.take(&ada).unwrap();
        let note = |limits, number| Counted {
            at: jiff::Timestamp::UNIX_EPOCH,
            process: uuid::Uuid::nil(),
            number,
            limits,
        };
        let [limits] = <[_; 1]>::try_from(tally.drain()).unwrap();
        let note = note(limits, 1);
        here.heard(&note, SignedDuration::ZERO);
        assert_eq!(here.take(&ada).unwrap().remaining, 2);
        // More than is left empties the bucket and owes nothing.
        here.heard(&note, SignedDuration::ZERO);
        here.heard(&note, SignedDuration::ZERO);
        assert!(here.take(&ada).is_err());
        let late = Limiter::new("test", rate, &tally);
        late.heard(&note, SignedDuration::from_mins(2));
        assert_eq!(late.take(&ada).unwrap().remaining, 4, "given back since");
        let other = Limiter::<Caller>::new("other", rate, &tally);
        other.heard(&note, SignedDuration::ZERO);
        assert_eq!(other.take(&ada).unwrap().remaining, 4, "another limit");
    }
}
