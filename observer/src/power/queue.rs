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
/// How long it is remembered that a person asked: longer than a view of the registry lives.
const REMEMBERED: Duration = Duration::from_secs(30);

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
    /// Who asked, and when that was ordered, the oldest first.
    asked: VecDeque<(Instant, WorkspaceId)>,
}

impl Queue {
    /// Adds an order, in the place of an older one of the same workspace.
    pub(crate) fn put(&mut self, order: Order, now: Instant) {
        if order.asked.is_some() {
            let is_old = |(at, _): &(Instant, _)| now.duration_since(*at) > REMEMBERED;
            while self.asked.front().is_some_and(is_old) {
                self.asked.pop_front();
            }
            self.asked.push_back((now, order.id.1));
        }
        if let Some(old) = self.waiting.get(&order.id.1)
            && old.order.replicas == order.replicas
            && (old.order.asked.is_some() || order.asked.is_none())
        {
            // The same wish again, as it is told every few seconds while it is not carried out: who asked first is
            // who waits, a pause goes on, and no second place in line is taken.
            return;
        }
        self.insert(order, 0, None);
    }

    fn insert(&mut self, order: Order, failures: u32, not_before: Option<Instant>) {
        let workspace = order.id.1;
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
        match self.waiting.get_mut(&order.id.1) {
            None => self.insert(order, failures.saturating_add(1), Some(now + pause)),
            Some(newer)
                if newer.order.replicas == order.replicas && newer.order.asked.is_none() =>
            {
                newer.order.asked = order.asked;
                newer.failures = failures.saturating_add(1);
                newer.not_before = Some(now + pause);
            }
            Some(_) => {}
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

    /// True if a person's wish was ordered for the workspace at `since` or later: who has read the registry before
    /// that may not know of it.
    pub(crate) fn was_asked_since(&self, workspace: WorkspaceId, since: Instant) -> bool {
        let newest_first = self.asked.iter().rev();
        newest_first
            .take_while(|(at, _)| *at >= since)
            .any(|(_, asked)| *asked == workspace)
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
        queue.put(own.clone(), now);
        queue.put(person.clone(), now);
        let changed = Order {
            replicas: 0,
            ..person.clone()
        };
        queue.put(changed.clone(), now);
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
        queue.put(on.clone(), now);
        let (flying, _) = queue.next(now).unwrap();
        let off = Order { replicas: 0, ..on };
        queue.put(off.clone(), now);
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
        queue.put(order(1, true), now);
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

    #[test]
    fn a_wish_that_is_told_again_neither_ends_its_pause_nor_takes_a_second_place() {
        let now = Instant::now();
        let mut queue = Queue::default();
        let wish = order(1, false);
        queue.put(wish.clone(), now);
        let (flying, failures) = queue.next(now).unwrap();
        queue.put(wish.clone(), now);
        queue.failed(flying, failures, now);
        for _ in 0..100 {
            queue.put(wish.clone(), now);
            assert_eq!(queue.next(now), None, "it pauses");
        }
        assert_eq!(queue.others.len(), 1);
        let person = Order {
            asked: Some(Timestamp::UNIX_EPOCH),
            ..wish
        };
        queue.put(person.clone(), now);
        assert_eq!(queue.next(now), Some((person, 0)), "a person does not wait");
        assert!(!queue.others.is_empty(), "the place that is left behind");
        assert_eq!(queue.next(now), None);
        assert!(queue.others.is_empty(), "goes when its turn comes");
    }

    #[test]
    fn what_was_read_before_a_person_asked_is_known_to_be_old() {
        let mut queue = Queue::default();
        let (begin, second) = (Instant::now(), Duration::from_secs(1));
        let (own, person) = (order(1, false), order(0, true));
        queue.put(own.clone(), begin);
        queue.put(person.clone(), begin + second);
        assert!(queue.was_asked_since(person.id.1, begin));
        assert!(!queue.was_asked_since(person.id.1, begin + second * 2));
        assert!(!queue.was_asked_since(own.id.1, begin));
        queue.put(order(1, true), begin + REMEMBERED * 2);
        assert_eq!(queue.asked.len(), 1, "what is old is forgotten");
    }
}
