//! What a restart does next: pure, no clock, no IO.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::WorkspaceId;
use coditect_registry::record::Restart;
use jiff::{SignedDuration, Timestamp};

use super::Of;

/// How long a pod may take to come back before it counts as failed.
const COMES_BACK: SignedDuration = SignedDuration::from_mins(5);
/// So many may fail before the restart stops itself, or one in a hundred of those restarted if that is more.
const MAY_FAIL: u32 = 3;

/// A workspace that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its pod's uid, and whether it is ready.
    pub(super) pod: Option<(String, bool)>,
    /// True if the pod is older than the restart and runs on something else than its next pod would.
    pub(super) outdated: bool,
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
}

/// The pods that are going round.
#[derive(Debug, Default)]
pub(crate) struct Restarting {
    of: Option<Of>,
    rounds: BTreeMap<WorkspaceId, Round>,
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
        if self.of != Some(restart.id) {
            *self = Self {
                of: Some(restart.id),
                done: restart.done,
                failed_before: restart.failed,
                ..Self::default()
            };
        }
        let mut moves = Vec::new();
        let (done, failed) = (&mut self.done, &mut self.failed);
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
                failed.remove(workspace);
                return false;
            }
            if now.duration_since(round.since) > COMES_BACK {
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
                candidate.outdated && !self.rounds.contains_key(workspace)
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
                "{failed} pods were not ready {} minutes after their restart",
                COMES_BACK.as_mins()
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

    fn failed_count(&self) -> u32 {
        self.failed_before
            .saturating_add(u32::try_from(self.failed.len()).unwrap_or(u32::MAX))
    }

    fn too_many_failed(&self) -> bool {
        let failed = self.failed_count();
        failed > MAY_FAIL.max(self.done.saturating_add(failed) / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).unwrap()
    }

    fn restart(at_once: u32) -> Restart {
        Restart {
            id: uuid::Uuid::nil(),
            outdated_before: at(0),
            not_before: at(0),
            not_after: at(3_600),
            at_once,
            stopped: None,
            done: 0,
            failed: 0,
            started_at: at(0),
        }
    }

    fn candidate(uid: &str, ready: bool, outdated: bool) -> Candidate {
        Candidate {
            pod: Some((uid.to_owned(), ready)),
            outdated,
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
            obey(&mut all, &moves, true);
            let down = all
                .values()
                .filter(|one| one.pod.as_ref().is_none_or(|(_, ready)| !ready));
            assert!(down.count() <= 4);
        }
        assert!(all.values().all(|one| !one.outdated));
        assert_eq!(restarting.outcome(&restart, &all, at(200)), (30, 0, None));
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
        assert!(stopped.unwrap().contains("not ready"));
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
    }
}
