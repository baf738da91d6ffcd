//! Which watches stand.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::watch::APPLICATIONS;

/// How long a watch may be away before that is worth telling: a watch that ends by the clock is back at once.
const BRIEFLY: SignedDuration = SignedDuration::from_secs(5);

/// Which watches stand, and since when others do not.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<BTreeMap<&'static str, State>>);

#[derive(Debug)]
enum State {
    /// Its first list is not complete.
    Listing,
    /// It stands.
    Up,
    /// It does not.
    Down { since: Timestamp, why: String },
}

/// What is told of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Everything is followed.
    Connected,
    /// First lists are under way.
    Listing(String),
    /// What power and phases need is followed, Argo CD's Applications are not.
    WithoutApplications(String),
    /// The cluster is not followed.
    Away(String),
}

impl Connections {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<&'static str, State>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn begin(&self, kind: &'static str) {
        self.with(|all| all.insert(kind, State::Listing));
    }

    pub(crate) fn lost(&self, kind: &'static str, why: &str, now: Timestamp) {
        self.with(|all| {
            let since = match all.get(kind) {
                Some(State::Down { since, .. }) => *since,
                _ => now,
            };
            let why = why.to_owned();
            all.insert(kind, State::Down { since, why });
        });
    }

    /// Something arrived; true if the watch was down before.
    pub(crate) fn back(&self, kind: &'static str, listed: bool) -> bool {
        self.with(|all| match all.get(kind) {
            Some(State::Listing) if !listed => false,
            Some(State::Up) => false,
            before => {
                let down = matches!(before, Some(State::Down { .. }));
                all.insert(kind, State::Up);
                down
            }
        })
    }

    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        self.with(|all| {
            let mut away = Vec::new();
            let mut listing = Vec::new();
            let mut applications = None;
            for (kind, state) in all.iter() {
                match state {
                    State::Up => {}
                    State::Listing => listing.push(*kind),
                    State::Down { since, .. } if now.duration_since(*since) < BRIEFLY => {}
                    State::Down { since, why } => {
                        let told = format!("{kind} since {since:.0}: {why}");
                        if *kind == APPLICATIONS {
                            applications = Some(told);
                        } else {
                            away.push(told);
                        }
                    }
                }
            }
            if let Some(first) = away.into_iter().next() {
                Standing::Away(first)
            } else if let Some(told) = applications {
                Standing::WithoutApplications(told)
            } else if !listing.is_empty() {
                Standing::Listing(listing.join(", "))
            } else {
                Standing::Connected
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_that_ends_by_the_clock_alarms_nobody() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let all = Connections::default();
        all.begin("pods");
        all.begin(APPLICATIONS);
        assert!(matches!(all.standing(at(0)), Standing::Listing(_)));
        assert!(!all.back("pods", false), "a part of a list is no list");
        all.back("pods", true);
        all.back(APPLICATIONS, true);
        assert_eq!(all.standing(at(0)), Standing::Connected);
        all.lost("pods", "connection refused", at(10));
        assert_eq!(all.standing(at(12)), Standing::Connected);
        all.lost("pods", "connection refused", at(14));
        assert!(
            matches!(all.standing(at(16)), Standing::Away(why) if why.contains("connection refused"))
        );
        assert!(all.back("pods", false));
        all.lost(APPLICATIONS, "not found", at(20));
        assert!(matches!(
            all.standing(at(30)),
            Standing::WithoutApplications(_)
        ));
    }
}
