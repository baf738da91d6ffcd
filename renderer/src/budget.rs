//! How many deletions a cell's repository takes in an hour. What is above waits for a person; the rest of
//! the flush proceeds.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::policy::{DeletionBudget, DeletionBudgets};

/// The rolling window deletions are counted in.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// The deletions of the last hour. Seeded from the commits' trailers, so that a restart forgets none.
#[derive(Clone, Debug)]
pub struct Budget {
    unrequested: Window,
    requested: Window,
}

#[derive(Clone, Debug)]
struct Window {
    allowance: DeletionBudget,
    spent: VecDeque<(Timestamp, u64)>,
}

impl Window {
    fn spent_since(&self, since: Timestamp) -> u64 {
        self.spent
            .iter()
            .filter(|(at, _)| *at > since)
            .map(|(_, count)| count)
            .sum()
    }

    fn note(&mut self, at: Timestamp, count: u64) {
        if count > 0 {
            self.spent.push_back((at, count));
        }
        let since = at.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN);
        while self.spent.front().is_some_and(|(at, _)| *at <= since) {
            self.spent.pop_front();
        }
    }
}

impl Budget {
    /// A budget of which nothing is spent.
    #[must_use]
    pub const fn new(allowed: DeletionBudgets) -> Self {
        Self {
            unrequested: Window {
                allowance: allowed.routine,
                spent: VecDeque::new(),
            },
            requested: Window {
                allowance: allowed.own,
                spent: VecDeque::new(),
            },
        }
    }

    /// Other allowances from now on; what is spent stays spent.
    pub const fn allow(&mut self, allowed: DeletionBudgets) {
        self.unrequested.allowance = allowed.routine;
        self.requested.allowance = allowed.own;
    }

    /// Counts deletions that a commit of this time made.
    pub fn note(&mut self, at: Timestamp, unrequested: u64, requested: u64) {
        self.unrequested.note(at, unrequested);
        self.requested.note(at, requested);
    }

    /// Spends one deletion if the last hour leaves room for it, in a cell of so many users.
    pub fn take(&mut self, now: Timestamp, requested: bool, users: usize) -> bool {
        let window = if requested {
            &mut self.requested
        } else {
            &mut self.unrequested
        };
        let since = now.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN);
        if window.spent_since(since) >= window.allowance.of(users) as u64 {
            return false;
        }
        window.note(now, 1);
        true
    }

    /// True if more than half of what persons themselves may ask for in an hour is spent: worth an alarm.
    #[must_use]
    pub fn alarming(&self, now: Timestamp, users: usize) -> bool {
        let since = now.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN);
        self.requested.spent_since(since) * 2 > self.requested.allowance.of(users) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: DeletionBudgets = DeletionBudgets {
        routine: DeletionBudget {
            at_least: 3,
            percent: 1,
        },
        own: DeletionBudget {
            at_least: 50,
            percent: 2,
        },
    };

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    #[test]
    fn floors_and_shares() {
        assert_eq!(ALLOWED.routine.of(10), 3);
        assert_eq!(ALLOWED.routine.of(5_000), 50);
        assert_eq!(ALLOWED.own.of(10), 50);
        assert_eq!(ALLOWED.own.of(5_000), 100);
    }

    #[test]
    fn the_excess_waits_until_the_hour_has_rolled_on() {
        let mut budget = Budget::new(ALLOWED);
        assert!((0..3).all(|minute| budget.take(at(minute), false, 100)));
        assert!(!budget.take(at(59), false, 100));
        assert!(
            budget.take(at(60), false, 100),
            "the first of the three is an hour old"
        );
        assert!(!budget.take(at(60), false, 100));
    }

    #[test]
    fn peoples_own_requests_have_a_budget_of_their_own() {
        let mut budget = Budget::new(ALLOWED);
        budget.note(at(0), 3, 0);
        assert!(!budget.take(at(1), false, 100));
        assert!((0..50).all(|_| budget.take(at(1), true, 100)));
        assert!(budget.alarming(at(1), 100));
        assert!(!budget.take(at(1), true, 100));
    }
}
