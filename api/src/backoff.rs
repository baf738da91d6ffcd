//! Guessing gets slower with every wrong guess, for whoever guesses and for nobody else.

use std::{
    collections::HashMap,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use coditect_core::{Error, Kind, Result};
use coditect_registry::record::Counted;
use jiff::{SignedDuration, Timestamp};

use crate::rate::{Bucket, Key, Tally};

/// Wrong guesses that cost nothing: people mistype.
const FREE: u32 = 5;
/// Longest wait after one more.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long guesses are remembered after the last.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);
/// How many that guess are remembered, at about a hundred bytes each. Beyond, new ones have the other limits alone.
const MOST: usize = 100_000;

/// Wrong guesses, by who guesses at what.
pub(crate) struct Backoff<K> {
    name: &'static str,
    guesses: Mutex<HashMap<Bucket, Guesses>>,
    tally: Arc<Tally>,
    counts: PhantomData<fn(&K)>,
}

#[derive(Clone, Copy)]
struct Guesses {
    count: u32,
    last: Timestamp,
}

impl Guesses {
    /// How long to wait after the last: nothing at first, then twice as long each time.
    fn wait(self) -> Duration {
        match self.count.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(beyond) => Duration::from_secs(1 << beyond.min(20)).min(LONGEST),
        }
    }

    fn is_over(self, now: Timestamp) -> bool {
        now.duration_since(self.last) >= REMEMBERED
    }
}

impl<K: Key> Backoff<K> {
    pub(crate) fn new(name: &'static str, tally: &Arc<Tally>) -> Self {
        Self {
            name,
            guesses: Mutex::default(),
            tally: Arc::clone(tally),
            counts: PhantomData,
        }
    }

    /// Counts a guess as wrong before it is looked at, so that many at once are no way around; one that was right is
    /// taken back by [`Backoff::right`].
    ///
    /// # Errors
    /// `TooMany` with how long to wait; the guess must not be looked at then.
    pub(crate) fn guess(&self, key: &K, now: Timestamp) -> Result<()> {
        let bucket = self.tally.bucket(self.name, key);
        let mut all = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(guesses) = at(&mut all, bucket, now) else {
            return Ok(());
        };
        let passed = now.duration_since(guesses.last).unsigned_abs();
        let left = guesses.wait().saturating_sub(passed);
        if !left.is_zero() {
            let seconds = left.as_secs() + 1;
            let message = format!("too many wrong attempts from here; try again in {seconds} s");
            return Err(Error::new(Kind::TooMany { retry_after: left }, message));
        }
        guesses.count += 1;
        guesses.last = now;
        self.tally.took(self.name, bucket);
        Ok(())
    }

    /// Forgets wrong guesses: the last was right.
    pub(crate) fn right(&self, key: &K) {
        let bucket = self.tally.bucket(self.name, key);
        let mut all = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&bucket);
        self.tally.anew(self.name, bucket);
    }

    /// Counts the guesses of another process, and forgets what it forgot.
    pub(crate) fn heard(&self, counted: &Counted) {
        let mut all = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        for count in counted.limits.get(self.name).into_iter().flatten() {
            let Some(bucket) = Tally::named(&count.bucket) else {
                continue;
            };
            if count.anew {
                all.remove(&bucket);
            }
            if count.times > 0
                && let Some(guesses) = at(&mut all, bucket, counted.at)
            {
                guesses.count = guesses.count.saturating_add(count.times);
                guesses.last = guesses.last.max(counted.at);
            }
        }
    }
}

/// What is counted of one; none if there is no room for another.
fn at(all: &mut HashMap<Bucket, Guesses>, bucket: Bucket, now: Timestamp) -> Option<&mut Guesses> {
    if all.len() >= MOST {
        all.retain(|_, guesses| !guesses.is_over(now));
        if all.len() >= MOST && !all.contains_key(&bucket) {
            return None;
        }
    }
    let none = Guesses {
        count: 0,
        last: now,
    };
    let guesses = all.entry(bucket).or_insert(none);
    if guesses.is_over(now) {
        *guesses = none;
    }
    Some(guesses)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADA: [u8; 32] = [1; 32];
    const EVE: [u8; 32] = [2; 32];

    fn backoff() -> Backoff<[u8; 32]> {
        Backoff::new("test", &Tally::of_a_test())
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour_and_end() {
        let backoff = backoff();
        let mut now = 1_000;
        for _ in 0..FREE {
            backoff.guess(&EVE, second(now)).unwrap();
        }
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            let error = backoff.guess(&EVE, second(now + wait - 1)).unwrap_err();
            let left = Duration::from_secs(1);
            assert_eq!(*error.kind(), Kind::TooMany { retry_after: left }, "{wait}");
            now += wait;
            backoff.guess(&EVE, second(now)).unwrap();
        }
        backoff.guess(&ADA, second(now)).unwrap();
        now += 3_600;
        for _ in 0..FREE {
            backoff.guess(&EVE, second(now)).unwrap();
        }
        assert!(backoff.guess(&EVE, second(now)).is_err());
    }

    #[test]
    fn whoever_is_right_begins_anew() {
        let backoff = backoff();
        for _ in 0..100 {
            backoff.guess(&ADA, second(0)).unwrap();
            backoff.right(&ADA);
        }
    }

    proptest! {
        /// However guesses are spread over a day, no more pass than five an hour and what a wait of a quarter leaves.
        #[test]
        fn a_day_of_guesses_stays_small(mut times in prop::collection::vec(0_i64..86_400, 1..2_000)) {
            times.sort_unstable();
            let backoff = backoff();
            let passed = times.iter().filter(|at| backoff.guess(&EVE, second(**at)).is_ok()).count();
            prop_assert!(passed <= 24 * 16, "{passed}");
        }
    }
}
