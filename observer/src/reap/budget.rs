//! How many deletions a cell takes in an hour: what is above waits.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// The rolling window that deletions are counted in, as Git's.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// How many Namespaces and volumes may go in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Allowance {
    /// Of those that nobody asked for in person.
    pub routine: usize,
    /// Of those that the person's own, freshly authenticated request backs.
    pub own: usize,
}

/// What was spent within the hour, as far as this process knows. Each pass of a process of its own begins anew:
/// what may go at all has already passed the budget of Git's commits.
#[derive(Clone, Debug, Default)]
pub(super) struct Spent {
    routine: VecDeque<Timestamp>,
    own: VecDeque<Timestamp>,
}

impl Spent {
    /// True if there is room for one more.
    pub(super) fn leaves_room(
        &mut self,
        allowance: Allowance,
        requested: bool,
        now: Timestamp,
    ) -> bool {
        let since = now.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN);
        let (window, allowed) = self.window(allowance, requested);
        while window.front().is_some_and(|at| *at <= since) {
            window.pop_front();
        }
        window.len() < allowed
    }

    pub(super) fn note(&mut self, requested: bool, now: Timestamp) {
        if requested {
            self.own.push_back(now);
        } else {
            self.routine.push_back(now);
        }
    }

    fn window(
        &mut self,
        allowance: Allowance,
        requested: bool,
    ) -> (&mut VecDeque<Timestamp>, usize) {
        if requested {
            (&mut self.own, allowance.own)
        } else {
            (&mut self.routine, allowance.routine)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excess_waits_until_the_hour_has_rolled_on() {
        let at = |minutes: i64| Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap();
        let allowance = Allowance { routine: 2, own: 1 };
        let mut spent = Spent::default();
        for minute in [0, 1] {
            assert!(spent.leaves_room(allowance, false, at(minute)));
            spent.note(false, at(minute));
        }
        assert!(!spent.leaves_room(allowance, false, at(59)));
        assert!(
            spent.leaves_room(allowance, true, at(59)),
            "people's own requests have their own"
        );
        assert!(spent.leaves_room(allowance, false, at(60)));
    }
}
