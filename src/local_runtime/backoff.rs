//! How long to wait before a pod that crashed is started again.

use std::time::Duration;

/// First pause, doubled with every further crash.
const FIRST: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(30);
/// What ran as long as this is taken for sound again.
const SOUND: Duration = Duration::from_secs(60);

/// Counts crashes that follow closely on each other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    crashes: u32,
}

impl Backoff {
    /// Notes a crash after the pod ran for `ran`.
    pub(crate) fn crashed(&mut self, ran: Duration) {
        if ran >= SOUND {
            self.crashes = 0;
        }
        self.crashes = self.crashes.saturating_add(1);
    }

    /// How long to wait now: not at all after the first crash, which may have been an accident.
    pub(crate) fn pause(&self) -> Duration {
        match self.crashes {
            0 | 1 => Duration::ZERO,
            crashes => FIRST
                .saturating_mul(2u32.saturating_pow((crashes - 2).min(16)))
                .min(LONGEST),
        }
    }

    /// True once it has crashed again and again.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.crashes > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_a_sound_run_forgives() {
        let mut backoff = Backoff::default();
        assert_eq!(
            (backoff.pause(), backoff.is_hopeless()),
            (Duration::ZERO, false)
        );
        backoff.crashed(Duration::ZERO);
        assert_eq!(
            (backoff.pause(), backoff.is_hopeless()),
            (Duration::ZERO, false)
        );
        let mut before = Duration::ZERO;
        for _ in 0..40 {
            backoff.crashed(Duration::from_secs(1));
            assert!(backoff.is_hopeless() && backoff.pause() >= before);
            before = backoff.pause();
        }
        assert_eq!(before, LONGEST);
        backoff.crashed(SOUND);
        assert_eq!(
            (backoff.pause(), backoff.is_hopeless()),
            (Duration::ZERO, false)
        );
    }
}
