//! Whose phase may change although nothing happens.

use std::{collections::BTreeSet, ops::Bound};

use coditect_core::UserId;

/// Most users that are looked at again at one time. While thousands wait, as in a cell that is built anew, a round
/// through all of them takes longer; who waits since long is in no hurry.
const AT_ONCE: usize = 500;

/// Users who are to be looked at again, one after another in rounds.
#[derive(Debug, Default)]
pub(crate) struct Restless {
    users: BTreeSet<UserId>,
    /// The last that was looked at in this round.
    last: Option<UserId>,
}

impl Restless {
    /// The user is to be looked at again.
    pub(crate) fn insert(&mut self, user: UserId) {
        self.users.insert(user);
    }

    /// Takes the next ones.
    pub(crate) fn take(&mut self) -> BTreeSet<UserId> {
        let behind = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.users.range((behind, Bound::Unbounded));
        let next: BTreeSet<UserId> = rest.take(AT_ONCE).copied().collect();
        self.last = next.last().filter(|_| next.len() == AT_ONCE).copied();
        self.users.retain(|user| !next.contains(user));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_taken_every_time_while_they_are_few() {
        let few: BTreeSet<UserId> = (0..3).map(|_| UserId::random()).collect();
        let mut restless = Restless::default();
        for _ in 0..3 {
            for user in &few {
                restless.insert(*user);
            }
            assert_eq!(restless.take(), few);
            assert!(restless.take().is_empty());
        }
    }

    #[test]
    fn many_are_taken_in_rounds_and_nobody_is_left_out() {
        let many: BTreeSet<UserId> = (0..2 * AT_ONCE + 7).map(|_| UserId::random()).collect();
        let mut restless = Restless::default();
        for user in &many {
            restless.insert(*user);
        }
        for _ in 0..2 {
            let mut round = BTreeSet::new();
            for size in [AT_ONCE, AT_ONCE, 7] {
                let next = restless.take();
                assert_eq!(next.len(), size);
                // They wait as before, and are behind those who were not looked at yet.
                for user in &next {
                    restless.insert(*user);
                }
                round.extend(next);
            }
            assert_eq!(round, many);
        }
    }
}
