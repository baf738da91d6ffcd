//! Whether a history of concurrent calls could have been one after another.
//!
//! Wing and Gong's search with Lowe's memory of what was tried (G. Lowe, "Testing for linearizability",
//! 2017): each call takes effect at one moment between its beginning and its answer, and the answers must be
//! those of a sequential model in that order. A call without an answer may take effect at any later moment,
//! or never. (The crates that offer this search know no calls without an answer, which unknown results are.)

use std::{
    collections::HashSet,
    fmt::{Debug, Write},
    hash::Hash,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// An object as it would be if everybody waited for their turn.
pub(crate) trait Model {
    type State: Clone + Debug + Default + Eq + Hash;
    type Call: Debug;
    type Answer: Debug;

    /// The state after the call, if the object in this state may answer so. Without an answer: the state
    /// after the call, whatever it would have said.
    fn apply(
        state: &Self::State,
        call: &Self::Call,
        answer: Option<&Self::Answer>,
    ) -> Option<Self::State>;

    /// True if a call that was answered so changes nothing, in whatever state. Only spares the search work.
    fn only_looks(_call: &Self::Call, _answer: &Self::Answer) -> bool {
        false
    }
}

/// One call of a history, with the moments between which it took effect.
struct Entry<M: Model> {
    call: M::Call,
    answer: Option<M::Answer>,
    began: u64,
    answered: u64,
}

/// A history that is being written by many at once.
pub(crate) struct History<M: Model> {
    clock: AtomicU64,
    entries: Mutex<Vec<Entry<M>>>,
}

impl<M: Model> History<M> {
    pub(crate) fn new() -> Self {
        Self {
            clock: AtomicU64::new(1),
            entries: Mutex::new(Vec::new()),
        }
    }

    /// A moment: later than every moment taken before.
    pub(crate) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Writes down a call that began at `began` and has just been answered, or never will be.
    pub(crate) fn note(&self, call: M::Call, answer: Option<M::Answer>, began: u64) {
        let answered = if answer.is_some() {
            self.now()
        } else {
            u64::MAX
        };
        self.push(call, answer, began, answered);
    }

    /// Writes down a call whose answer came at `answered`, and was understood later.
    pub(crate) fn note_at(&self, call: M::Call, answer: M::Answer, began: u64, answered: u64) {
        self.push(call, Some(answer), began, answered);
    }

    fn push(&self, call: M::Call, answer: Option<M::Answer>, began: u64, answered: u64) {
        self.entries.lock().unwrap().push(Entry {
            call,
            answer,
            began,
            answered,
        });
    }

    /// Panics with the place where the search got stuck if no order explains the answers.
    pub(crate) fn check(self) {
        if let Err(stuck) = explain(self.entries.into_inner().unwrap()) {
            panic!("{stuck}");
        }
    }
}

/// Looks for an order; tells how far it came if there is none.
fn explain<M: Model>(mut entries: Vec<Entry<M>>) -> Result<(), String> {
    entries.sort_by_key(|entry| entry.began);
    let mut placed = vec![false; entries.len()];
    let mut state = M::State::default();
    let mut path: Vec<(usize, Option<M::State>)> = Vec::new();
    let mut tried: HashSet<(Vec<bool>, M::State)> = HashSet::new();
    let (mut from, mut longest) = (0, (0, String::new()));
    loop {
        let open = |at: &usize| !placed[*at];
        let left = (0..entries.len()).filter(open);
        if left.clone().all(|at| entries[at].answer.is_none()) {
            return Ok(());
        }
        // Whatever began after another was answered comes after it.
        let first_answer = left.clone().map(|at| entries[at].answered).min();
        let candidates = left.take_while(|at| Some(entries[*at].began) < first_answer);
        let effect = |at: usize| {
            let entry = &entries[at];
            M::apply(&state, &entry.call, entry.answer.as_ref()).map(|after| (at, after))
        };
        // A call that only looks may as well stand here: whatever order is found with it elsewhere is one with
        // it here. So there is no state before it to come back to, and nothing else to be tried in its place.
        let looks = |at: &usize| {
            let Entry { call, answer, .. } = &entries[*at];
            answer
                .as_ref()
                .is_some_and(|answer| M::only_looks(call, answer))
        };
        let idle = candidates.clone().filter(looks).find_map(effect);
        let is_idle = idle.is_some();
        let next = idle.or_else(|| {
            let mut others = candidates.filter(|at| *at >= from).filter_map(effect);
            others.find(|(at, after)| {
                let mut with = placed.clone();
                with[*at] = true;
                tried.insert((with, after.clone()))
            })
        });
        if let Some((at, after)) = next {
            let before = (!is_idle).then(|| std::mem::replace(&mut state, after));
            path.push((at, before));
            placed[at] = true;
            from = 0;
            continue;
        }
        if path.len() >= longest.0 {
            longest = (path.len(), describe(&entries, &placed, &path, &state));
        }
        loop {
            let Some((at, before)) = path.pop() else {
                return Err(longest.1);
            };
            placed[at] = false;
            if let Some(before) = before {
                state = before;
                from = at + 1;
                break;
            }
        }
    }
}

fn describe<M: Model>(
    entries: &[Entry<M>],
    placed: &[bool],
    path: &[(usize, Option<M::State>)],
    state: &M::State,
) -> String {
    let mut text = format!(
        "no order explains the answers: {} of {} calls have a place, the last of them\n",
        path.len(),
        entries.len()
    );
    let shown = path
        .iter()
        .map(|(at, _)| *at)
        .skip(path.len().saturating_sub(8));
    let stuck = (0..entries.len()).filter(|at| !placed[*at]).take(8);
    for (at, what) in shown
        .map(|at| (at, "placed"))
        .chain(stuck.map(|at| (at, "without a place")))
    {
        let Entry {
            call,
            answer,
            began,
            answered,
        } = &entries[at];
        let _ = writeln!(
            text,
            "  {what}: {call:?} -> {answer:?} from {began} to {answered}"
        );
    }
    let _ = writeln!(text, "  in the state {state:?}");
    text
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// A register, read and written.
    struct Register;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Call {
        Write(u8),
        Read,
    }

    impl Model for Register {
        type State = u8;
        type Call = Call;
        type Answer = u8;

        fn apply(state: &u8, call: &Call, answer: Option<&u8>) -> Option<u8> {
            match call {
                Call::Write(value) => Some(*value),
                Call::Read => answer
                    .is_none_or(|answer| answer == state)
                    .then_some(*state),
            }
        }

        fn only_looks(call: &Call, _: &u8) -> bool {
            *call == Call::Read
        }
    }

    fn entry(call: Call, answer: Option<u8>, began: u64, answered: u64) -> Entry<Register> {
        Entry {
            call,
            answer,
            began,
            answered,
        }
    }

    fn write(value: u8, began: u64, answered: u64) -> Entry<Register> {
        entry(Call::Write(value), Some(0), began, answered)
    }

    fn read(value: u8, began: u64, answered: u64) -> Entry<Register> {
        entry(Call::Read, Some(value), began, answered)
    }

    #[test]
    fn what_overlaps_may_stand_in_either_order() {
        explain(vec![write(1, 1, 4), read(0, 2, 3)]).unwrap();
        explain(vec![write(1, 1, 4), read(1, 2, 3)]).unwrap();
        explain(vec![write(1, 1, 6), read(0, 2, 3), read(1, 4, 5)]).unwrap();
    }

    #[test]
    fn known_anomalies_are_rejected() {
        for (what, history) in [
            ("a stale read", vec![write(1, 1, 2), read(0, 3, 4)]),
            (
                "a value seen and unseen",
                vec![write(1, 1, 8), read(1, 2, 3), read(0, 4, 5)],
            ),
            ("a value nobody wrote", vec![write(1, 1, 2), read(2, 1, 4)]),
            (
                "a write that is lost",
                vec![write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)],
            ),
            (
                "two readers who disagree about an order",
                vec![
                    write(1, 1, 10),
                    write(2, 1, 10),
                    read(1, 2, 3),
                    read(2, 4, 5),
                    read(1, 6, 7),
                ],
            ),
        ] {
            let stuck = explain(history).expect_err(what);
            assert!(stuck.contains("without a place"), "{stuck}");
        }
    }

    #[test]
    fn a_call_without_an_answer_happens_late_or_never() {
        let lost = || entry(Call::Write(1), None, 1, u64::MAX);
        explain(vec![lost(), read(0, 2, 3), read(1, 4, 5)]).unwrap();
        explain(vec![lost(), read(0, 2, 3), read(0, 4, 5)]).unwrap();
        assert!(explain(vec![lost(), read(1, 2, 3), read(0, 4, 5)]).is_err());
        let early = entry(Call::Write(1), None, 9, u64::MAX);
        assert!(explain(vec![early, read(1, 2, 3)]).is_err());
    }

    /// Every order, tried.
    fn by_force(entries: &[Entry<Register>], placed: &mut Vec<usize>, state: u8) -> bool {
        if placed.len() == entries.len() {
            return true;
        }
        (0..entries.len()).any(|at| {
            if placed.contains(&at) {
                return false;
            }
            let mut others = (0..entries.len()).filter(|other| !placed.contains(other));
            let in_time = others.all(|other| entries[at].began < entries[other].answered);
            let (call, answer) = (&entries[at].call, entries[at].answer.as_ref());
            let Some(after) = Register::apply(&state, call, answer).filter(|_| in_time) else {
                return false;
            };
            placed.push(at);
            let found = by_force(entries, placed, after);
            placed.pop();
            found
        })
    }

    proptest! {
        #[test]
        fn it_finds_what_trying_every_order_finds(
            calls in vec((any::<bool>(), 0_u8..3, 0_u64..20, 1_u64..12), 1..7)
        ) {
            let history: Vec<_> = calls
                .into_iter()
                .map(|(writes, value, began, takes)| {
                    if writes {
                        write(value, began, began + takes)
                    } else {
                        read(value, began, began + takes)
                    }
                })
                .collect();
            let expected = by_force(&history, &mut Vec::new(), 0);
            prop_assert_eq!(explain(history).is_ok(), expected);
        }
    }
}
