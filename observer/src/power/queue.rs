//! Which scales are to be set: the newest wish of each workspace, people's first.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use coditect_core::WorkspaceId;
use jiff::Timestamp;

use crate::world::Id;

/// First and longest pause before an attempt is repeated.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// A scale to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Whose.
    pub(crate) id: Id,
    /// 0 or 1.
    pub(crate) replicas: i32,
    /// When a person asked for it; none if the observer itself puts something right.
    pub(crate) asked: Option<Timestamp>,
}

#[derive(Debug)]
struct Waiting {
    order: Order,
    failures: u32,
    not_before: Option<Instant>,
}

/// The orders that wait, and those under way.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: HashMap<WorkspaceId, Waiting>,
    people: VecDeque<WorkspaceId>,
    others: VecDeque<WorkspaceId>,
    flying: HashSet<WorkspaceId>,
}

impl Queue {
    /// Adds an order, in the place of an older one of the same workspace.
    pub(crate) fn put(&mut self, order: Order) {
        self.insert(order, 0, None);
    }

    fn insert(&mut self, mut order: Order, failures: u32, not_before: Option<Instant>) {
        let workspace = order.id.1;
        if let Some(old) = self.waiting.get(&workspace)
            && old.order.replicas == order.replicas
        {
            // The same wish again: who asked first is who waits.
            order.asked = old.order.asked.or(order.asked);
        }
        let line = if order.asked.is_some() {
            &mut self.people
        } else {
            &mut self.others
        };
        line.push_back(workspace);
        self.waiting.insert(
            workspace,
            Waiting {
                order,
                failures,
                not_before,
            },
        );
    }

    /// The next order that may be carried out now. Two of one workspace are never under way at once.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(Order, u32)> {
        let workspace = [&mut self.people, &mut self.others]
            .into_iter()
            .find_map(|line| {
                for _ in 0..line.len() {
                    let workspace = line.pop_front()?;
                    match self.waiting.get(&workspace) {
                        // Carried out through another place in line.
                        None => {}
                        Some(waiting)
                            if !self.flying.contains(&workspace)
                                && waiting.not_before.is_none_or(|at| at <= now) =>
                        {
                            return Some(workspace);
                        }
                        Some(_) => line.push_back(workspace),
                    }
                }
                None
            })?;
        let waiting = self.waiting.remove(&workspace)?;
        self.flying.insert(workspace);
        Some((waiting.order, waiting.failures))
    }

    /// The order was carried out, or there is nothing to carry it out on.
    pub(crate) fn done(&mut self, order: &Order) {
        self.flying.remove(&order.id.1);
    }

    /// It failed: tried again later, unless something newer is wanted. Gives the pause.
    pub(crate) fn failed(&mut self, order: Order, failures: u32, now: Instant) -> Duration {
        let pause = PAUSES[1].min(PAUSES[0] * 2_u32.saturating_pow(failures.min(16)));
        self.flying.remove(&order.id.1);
        if !self.waiting.contains_key(&order.id.1) {
            self.insert(order, failures + 1, Some(now + pause));
        }
        pause
    }

    /// Ends all pauses: what was away is back.
    pub(crate) fn hurry(&mut self) {
        for waiting in self.waiting.values_mut() {
            waiting.not_before = None;
        }
    }

    /// When the first of those that pause may go on.
    pub(crate) fn wakes_at(&self) -> Option<Instant> {
        self.waiting
            .values()
            .filter_map(|waiting| waiting.not_before)
            .min()
    }

    /// True while an order of the workspace waits or is under way.
    pub(crate) fn holds(&self, workspace: WorkspaceId) -> bool {
        self.waiting.contains_key(&workspace) || self.flying.contains(&workspace)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use coditect_core::UserId;

    use super::*;

    fn order(replicas: i32, asked: bool) -> Order {
        Order {
            id: (UserId::random(), WorkspaceId::random()),
            replicas,
            asked: asked.then_some(Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn people_come_first_and_the_newest_wish_counts() {
        let now = Instant::now();
        let mut queue = Queue::default();
        let (own, person) = (order(0, false), order(1, true));
        queue.put(own.clone());
        queue.put(person.clone());
        let changed = Order {
            replicas: 0,
            ..person.clone()
        };
        queue.put(changed.clone());
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.next(now).unwrap().0, changed);
        assert_eq!(queue.next(now).unwrap().0, own);
        assert_eq!(queue.next(now), None);
        assert!(queue.holds(person.id.1));
        queue.done(&changed);
        assert!(!queue.holds(person.id.1));
    }

    #[test]
    fn one_workspace_is_never_scaled_twice_at_once() {
        let now = Instant::now();
        let mut queue = Queue::default();
        let on = order(1, true);
        queue.put(on.clone());
        let (flying, _) = queue.next(now).unwrap();
        let off = Order { replicas: 0, ..on };
        queue.put(off.clone());
        assert_eq!(queue.next(now), None);
        queue.failed(flying, 0, now);
        assert_eq!(
            queue.next(now).unwrap().0,
            off,
            "the older wish is not tried again"
        );
    }

    #[test]
    fn what_fails_pauses_longer_and_longer_until_somebody_hurries() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.put(order(1, true));
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let (order, failures) = queue.next(now).unwrap();
            pauses.push(queue.failed(order, failures, now));
            assert_eq!(queue.next(now), None);
            assert!(queue.wakes_at().is_some());
            queue.hurry();
        }
        assert!(pauses.is_sorted());
        assert_eq!((pauses[0], pauses[11]), (PAUSES[0], PAUSES[1]));
    }
}
