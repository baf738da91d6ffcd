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

/// For how long a pod must be seen on what a ring was given before a later change of it is another matter: Argo CD applies
/// a user's Namespace, which tells the release, before their StatefulSet.
const SETTLES: SignedDuration = SignedDuration::from_secs(30);

/// A workspace that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its pod's uid, and whether it is ready.
    pub(super) pod: Option<(String, bool)>,
    /// True if the pod is one that the restart is for, and runs on something else than its next pod would.
    pub(super) outdated: bool,
    /// True if it is not known yet whether that is so: the cluster does not have the release yet.
    pub(super) waits: bool,
    /// True if the pod runs what the restart is to bring it to; never in a restart of all that is outdated.
    pub(super) current: bool,
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
    /// Since when others run what they are to without having gone round.
    current: BTreeMap<WorkspaceId, Timestamp>,
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
        self.note_current(all, now);
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
                // One that was merely found may have come up on what it ran before.
                if !round.found {
                    back.insert(*workspace);
                }
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
                self.is_due(workspace, candidate, now) && !self.rounds.contains_key(workspace)
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
    pub(super) fn left(&self, all: &BTreeMap<WorkspaceId, Candidate>, now: Timestamp) -> u32 {
        let waits = |(workspace, candidate): &(&WorkspaceId, &Candidate)| {
            let goes_round = self.rounds.contains_key(workspace);
            let is_due = self.is_due(workspace, candidate, now);
            (is_due || candidate.waits || goes_round) && !self.failed.contains(workspace)
        };
        u32::try_from(all.iter().filter(waits).count()).unwrap_or(u32::MAX)
    }

    fn note_current(&mut self, all: &BTreeMap<WorkspaceId, Candidate>, now: Timestamp) {
        for (workspace, candidate) in all {
            if candidate.current {
                self.current.entry(*workspace).or_insert(now);
            } else if self.is_due(workspace, candidate, now) {
                self.current.remove(workspace);
            }
        }
    }

    /// True if its pod is still to be restarted, or is just going round.
    fn is_due(&self, workspace: &WorkspaceId, candidate: &Candidate, now: Timestamp) -> bool {
        let since = self.current.get(workspace);
        let is_settled = since.is_some_and(|since| now.duration_since(*since) >= SETTLES);
        candidate.outdated && !is_settled && !self.back.contains(workspace)
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
#[path = "plan_tests.rs"]
mod tests;
