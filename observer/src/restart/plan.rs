//! What a restart does next: pure, no clock, no IO.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::WorkspaceId;
use coditect_registry::record::Restart;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// How long a pod may take to come back before it counts as failed.
const COMES_BACK: SignedDuration = SignedDuration::from_mins(5);
/// How long its containers may end again and again, or its image be missing, before it counts as failed without
/// waiting for more: by then a kubelet has tried three times (it waits 10 s, then 20 s), and the others of a release
/// that crashes are to be spared.
const TRIES: SignedDuration = SignedDuration::from_secs(60);

/// A workspace that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its pod's uid, and whether it is ready.
    pub(super) pod: Option<(String, bool)>,
    /// True if the pod is one that the restart is for, and runs on something else than its next pod would.
    pub(super) outdated: bool,
    /// True if it is not known yet whether that is so: the cluster does not have the release yet.
    pub(super) waits: bool,
    /// True if the pod was made since the restart began.
    pub(super) fresh: bool,
    /// True if the pod ended, its containers end again and again, or an image cannot be had.
    pub(super) broken: bool,
}

impl Candidate {
    /// True if it may well be one that another observer took down: no pod, or a new one that is not ready.
    fn is_on_its_way(&self) -> bool {
        self.pod
            .as_ref()
            .is_none_or(|(_, ready)| self.fresh && !ready)
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Scale to 0.
    Down(WorkspaceId),
    /// Scale to 1: the pod is gone.
    Up(WorkspaceId),
}

/// One that was taken down and is not back yet.
#[derive(Clone, Debug)]
struct Round {
    /// The pod that was taken down.
    old: String,
    since: Timestamp,
    down: bool,
    /// Since when its new pod is broken.
    broken: Option<Timestamp>,
    /// True if it was on its way already when this observer came to the restart.
    found: bool,
}

/// The pods that are going round.
#[derive(Debug, Default)]
pub(crate) struct Restarting {
    of: Option<Uuid>,
    rounds: BTreeMap<WorkspaceId, Round>,
    /// Those that came back: none goes round twice, whatever changes meanwhile.
    back: BTreeSet<WorkspaceId>,
    done: u32,
    failed: BTreeSet<WorkspaceId>,
    failed_before: u32,
}

impl Restarting {
    /// True while the workspace is kept at 0 until its old pod is gone.
    pub(crate) fn is_down(&self, workspace: WorkspaceId) -> bool {
        self.rounds.get(&workspace).is_some_and(|round| round.down)
    }

    /// Ends everything; gives those that are still down.
    pub(super) fn clear(&mut self) -> Vec<WorkspaceId> {
        let all = std::mem::take(self);
        let down = all.rounds.into_iter().filter(|(_, round)| round.down);
        down.map(|(workspace, _)| workspace).collect()
    }

    /// What is to be done now.
    pub(super) fn step(
        &mut self,
        restart: &Restart,
        all: &BTreeMap<WorkspaceId, Candidate>,
        now: Timestamp,
    ) -> Vec<Move> {
        let mut moves = Vec::new();
        if self.of != Some(restart.id) {
            // The one before was stopped unseen.
            moves.extend(self.clear().into_iter().map(Move::Up));
            *self = Self {
                of: Some(restart.id),
                done: restart.done,
                failed_before: restart.failed,
                rounds: found(all, now),
                ..Self::default()
            };
        }
        let (done, failed, back) = (&mut self.done, &mut self.failed, &mut self.back);
        self.rounds.retain(|workspace, round| {
            let Some(candidate) = all.get(workspace) else {
                // Stopped or deleted meanwhile: a person's word goes first.
                return false;
            };
            let pod = candidate.pod.as_ref().filter(|(uid, _)| *uid != round.old);
            let is_gone = candidate.pod.is_none() || pod.is_some();
            if round.down && is_gone {
                round.down = false;
                moves.push(Move::Up(*workspace));
            }
            if pod.is_some_and(|(_, ready)| *ready) {
                *done += 1;
                back.insert(*workspace);
                failed.remove(workspace);
                return false;
            }
            let is_broken = candidate.broken && pod.is_some();
            round.broken = round.broken.or(Some(now)).filter(|_| is_broken);
            let tried_out = round
                .broken
                .is_some_and(|since| now.duration_since(since) >= TRIES);
            if tried_out || now.duration_since(round.since) > COMES_BACK {
                if round.found && pod.is_none() {
                    // Nothing says that it was the restart that took it down.
                    return false;
                }
                failed.insert(*workspace);
            }
            true
        });
        if now >= restart.not_after || self.too_many_failed() {
            return moves;
        }
        // One that did not come back within its time no longer holds up the others.
        let under_way = self
            .rounds
            .keys()
            .filter(|workspace| !self.failed.contains(workspace));
        let room = (restart.at_once as usize).saturating_sub(under_way.count());
        let next: Vec<(WorkspaceId, String)> = all
            .iter()
            .filter(|(workspace, candidate)| {
                let goes_or_went =
                    self.rounds.contains_key(workspace) || self.back.contains(workspace);
                candidate.outdated && !goes_or_went
            })
            .filter_map(|(workspace, candidate)| {
                Some((*workspace, candidate.pod.as_ref()?.0.clone()))
            })
            .take(room)
            .collect();
        for (workspace, old) in next {
            let round = Round {
                old,
                since: now,
                down: true,
                broken: None,
                found: false,
            };
            self.rounds.insert(workspace, round);
            moves.push(Move::Down(workspace));
        }
        moves
    }

    /// How many came back, how many did not, and why it goes no further.
    pub(super) fn outcome(
        &self,
        restart: &Restart,
        all: &BTreeMap<WorkspaceId, Candidate>,
        now: Timestamp,
    ) -> (u32, u32, Option<String>) {
        let failed = self.failed_count();
        let stopped = if self.too_many_failed() {
            Some(format!(
                "{failed} pods did not get ready after their restart"
            ))
        } else if now >= restart.not_after && self.rounds.values().all(|round| !round.down) {
            let left = all.values().filter(|candidate| candidate.outdated).count();
            Some(match left {
                0 => "the window is over; no outdated pod is left".to_owned(),
                left => format!("the window is over; {left} outdated pods are left"),
            })
        } else {
            None
        };
        (self.done, failed, stopped)
    }

    /// How many are still to be restarted or on their way. Those that failed are neither.
    pub(super) fn left(&self, all: &BTreeMap<WorkspaceId, Candidate>) -> u32 {
        let waits = |(workspace, candidate): &(&WorkspaceId, &Candidate)| {
            let goes_round = self.rounds.contains_key(workspace);
            let is_due = candidate.outdated && !self.back.contains(workspace);
            (is_due || candidate.waits || goes_round) && !self.failed.contains(workspace)
        };
        u32::try_from(all.iter().filter(waits).count()).unwrap_or(u32::MAX)
    }

    fn failed_count(&self) -> u32 {
        self.failed_before
            .saturating_add(u32::try_from(self.failed.len()).unwrap_or(u32::MAX))
    }

    fn too_many_failed(&self) -> bool {
        Restart::too_many_failed(self.done, self.failed_count())
    }
}

/// Those that an observer finds on their way when it comes to a restart: before it, another one may have taken them
/// down, and so many more must not go down beside them.
fn found(all: &BTreeMap<WorkspaceId, Candidate>, now: Timestamp) -> BTreeMap<WorkspaceId, Round> {
    let round = Round {
        old: String::new(),
        since: now,
        down: false,
        broken: None,
        found: true,
    };
    all.iter()
        .filter(|(_, candidate)| candidate.is_on_its_way())
        .map(|(workspace, _)| (*workspace, round.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).unwrap()
    }

    fn restart(at_once: u32) -> Restart {
        Restart {
            id: Uuid::nil(),
            of: Vec::new(),
            outdated_before: at(0),
            not_before: at(0),
            not_after: at(3_600),
            at_once,
            stopped: None,
            done: 0,
            failed: 0,
            left: None,
            started_at: at(0),
        }
    }

    fn candidate(uid: &str, ready: bool, outdated: bool) -> Candidate {
        Candidate {
            pod: Some((uid.to_owned(), ready)),
            outdated,
            waits: false,
            fresh: !outdated,
            broken: false,
        }
    }

    fn fleet(count: usize) -> BTreeMap<WorkspaceId, Candidate> {
        let one = |_| (WorkspaceId::random(), candidate("old", true, true));
        (0..count).map(one).collect()
    }

    /// Does what was said at once, as a cluster in which everything comes back would.
    fn obey(all: &mut BTreeMap<WorkspaceId, Candidate>, moves: &[Move], comes_back: bool) {
        for one in moves {
            match one {
                Move::Down(workspace) => all.get_mut(workspace).unwrap().pod = None,
                Move::Up(workspace) => {
                    *all.get_mut(workspace).unwrap() = candidate("new", comes_back, false);
                }
            }
        }
    }

    #[test]
    fn all_go_round_and_never_more_than_so_many_at_once() {
        let restart = restart(4);
        let mut all = fleet(30);
        let mut restarting = Restarting::default();
        for second in 0..200 {
            let moves = restarting.step(&restart, &all, at(second));
            let not_back = all
                .values()
                .filter(|one| one.outdated || one.pod.is_none())
                .count();
            obey(&mut all, &moves, true);
            assert!(
                restarting.left(&all) as usize >= all.values().filter(|one| one.outdated).count()
            );
            assert!(restarting.left(&all) as usize <= not_back + 4);
            let down = all
                .values()
                .filter(|one| one.pod.as_ref().is_none_or(|(_, ready)| !ready));
            assert!(down.count() <= 4);
        }
        assert!(all.values().all(|one| !one.outdated));
        assert_eq!(restarting.outcome(&restart, &all, at(200)), (30, 0, None));
        assert_eq!(restarting.left(&all), 0);
        let (.., stopped) = restarting.outcome(&restart, &all, at(3_600));
        assert!(stopped.unwrap().contains("no outdated pod"));
    }

    #[test]
    fn it_stops_itself_when_pods_do_not_come_back() {
        let restart = restart(2);
        let mut all = fleet(40);
        let mut restarting = Restarting::default();
        let mut stopped = None;
        let mut second = 0;
        while stopped.is_none() && second < 3_600 {
            let moves = restarting.step(&restart, &all, at(second));
            obey(&mut all, &moves, false);
            stopped = restarting.outcome(&restart, &all, at(second)).2;
            second += 10;
        }
        assert!(stopped.unwrap().contains("not get ready"));
        let touched = all
            .values()
            .filter(|one| !one.outdated || one.pod.is_none())
            .count();
        assert!(touched <= 6, "{touched} of 40 were taken down");
        assert!(
            restarting.step(&restart, &all, at(second)).is_empty(),
            "and goes no further"
        );
    }

    #[test]
    fn a_person_who_stops_meanwhile_is_obeyed() {
        let restart = restart(1);
        let mut all = fleet(1);
        let workspace = *all.keys().next().unwrap();
        let mut restarting = Restarting::default();
        assert_eq!(
            restarting.step(&restart, &all, at(0)),
            [Move::Down(workspace)]
        );
        assert!(restarting.is_down(workspace));
        all.clear();
        assert!(restarting.step(&restart, &all, at(1)).is_empty());
        assert!(!restarting.is_down(workspace));
    }

    #[test]
    fn an_observer_that_starts_again_goes_on() {
        let restart = Restart {
            done: 7,
            failed: 1,
            ..restart(1)
        };
        let mut all = fleet(1);
        let mut first = Restarting::default();
        let moves = first.step(&restart, &all, at(0));
        obey(&mut all, &moves, true);
        // Another one knows nothing of it: the pod is away, so its workspace is simply brought up again.
        let mut second = Restarting::default();
        assert!(second.step(&restart, &all, at(1)).is_empty());
        assert!(!second.is_down(*all.keys().next().unwrap()));
        assert_eq!(second.outcome(&restart, &all, at(1)), (7, 1, None));
        let back = candidate("new", true, false);
        all.values_mut().for_each(|one| *one = back.clone());
        assert!(second.step(&restart, &all, at(2)).is_empty());
        assert_eq!(second.outcome(&restart, &all, at(2)), (8, 1, None));
    }

    #[test]
    fn an_observer_that_starts_again_takes_no_more_down_than_may_be() {
        let restart = restart(3);
        let mut all = fleet(9);
        let moves = Restarting::default().step(&restart, &all, at(0));
        obey(&mut all, &moves, true);
        assert_eq!(all.values().filter(|one| one.pod.is_none()).count(), 3);
        let mut second = Restarting::default();
        assert!(second.step(&restart, &all, at(1)).is_empty());
        // What stays away for reasons of its own holds up nobody for ever, and is not the restart's failure.
        let moves = second.step(&restart, &all, at(400));
        assert_eq!(moves.len(), 3);
        assert_eq!(second.outcome(&restart, &all, at(400)), (0, 0, None));
    }

    #[test]
    fn a_release_that_crashes_is_not_waited_for() {
        let restart = restart(4);
        let mut all = fleet(40);
        let mut restarting = Restarting::default();
        let stopped = (0..600).find_map(|second| {
            let moves = restarting.step(&restart, &all, at(second));
            obey(&mut all, &moves, false);
            all.values_mut()
                .for_each(|one| one.broken = one.pod.is_some() && one.fresh);
            let stopped = restarting.outcome(&restart, &all, at(second)).2;
            stopped.map(|_| second)
        });
        assert!(stopped.is_some_and(|second| second < 70), "{stopped:?}");
        let touched = all.values().filter(|one| one.fresh).count();
        assert_eq!(touched, 4, "of 40 were taken down");
    }

    #[test]
    fn who_does_not_have_the_release_yet_is_waited_for_and_goes_round_once() {
        let restart = restart(9);
        let mut all = fleet(1);
        let mut restarting = Restarting::default();
        let set = |all: &mut BTreeMap<WorkspaceId, Candidate>, outdated, waits| {
            all.values_mut()
                .for_each(|one| (one.outdated, one.waits) = (outdated, waits));
        };
        set(&mut all, false, true);
        assert!(restarting.step(&restart, &all, at(0)).is_empty());
        assert_eq!(restarting.left(&all), 1);
        set(&mut all, true, false);
        for second in 1..4 {
            let moves = restarting.step(&restart, &all, at(second));
            obey(&mut all, &moves, true);
        }
        assert_eq!(restarting.outcome(&restart, &all, at(4)), (1, 0, None));
        assert_eq!(restarting.left(&all), 0);
        // Another change, which is not the restart's.
        set(&mut all, true, false);
        assert!(restarting.step(&restart, &all, at(5)).is_empty());
        assert_eq!(restarting.left(&all), 0);
    }

    #[test]
    fn what_one_took_down_the_next_one_brings_up() {
        let first = restart(1);
        let all = fleet(1);
        let workspace = *all.keys().next().unwrap();
        let mut restarting = Restarting::default();
        assert_eq!(
            restarting.step(&first, &all, at(0)),
            [Move::Down(workspace)]
        );
        let next = Restart {
            id: Uuid::from_u128(1),
            ..first
        };
        // It does not concern this one.
        let moves = restarting.step(&next, &BTreeMap::new(), at(1));
        assert_eq!(moves, [Move::Up(workspace)]);
    }

    #[test]
    fn one_that_crashes_once_and_comes_back_is_no_failure() {
        let restart = restart(1);
        let mut all = fleet(1);
        let mut restarting = Restarting::default();
        for second in 0..200 {
            let moves = restarting.step(&restart, &all, at(second));
            obey(&mut all, &moves, false);
            for one in all.values_mut() {
                one.broken = one.fresh && second % 50 < 40;
            }
            assert_eq!(restarting.outcome(&restart, &all, at(second)).1, 0);
        }
    }
}
