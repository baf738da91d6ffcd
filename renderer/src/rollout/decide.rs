//! Whether a roll-out goes on, waits or goes back: a pure function of what was asked for, what each ring runs by
//! policy, and what is seen of each ring.

use std::collections::BTreeMap;

use coditect_core::RingName;
use coditect_registry::record::{Rollout, RolloutRing, RolloutState};
use jiff::{SignedDuration, Timestamp};

use super::observe::{Restarts, Seen};
use crate::policy::Runs;

/// So many users of a release may be refused by the cluster before it goes back, or the share below, if that is more.
const REFUSED_AT_LEAST: u64 = 3;
/// One in so many.
const REFUSED_ONE_IN: u64 = 100;

/// What was last seen longer ago was not seen to hold, or to fall, all the time since.
const GAP: SignedDuration = SignedDuration::from_secs(60);

/// What is seen of every ring; a ring that is not among them is unknown.
pub type Observed = BTreeMap<RingName, Seen>;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing, for this reason.
    Wait(String),
    /// This ring gets the release.
    Promote(RingName),
    /// Every ring has it, and what is seen of the last one held long enough.
    Done,
    /// The release goes back where it was reached.
    RollBack(String),
    /// Every ring runs what it ran before.
    WentBack(String),
    /// A person must look.
    Pause(String),
}

/// A decision with what must be remembered for the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What is to be done.
    pub decision: Decision,
    /// The newest ring that runs the release by policy.
    pub ring: Option<RingName>,
    /// Since when all that is needed was seen.
    pub holds_since: Option<Timestamp>,
    /// Since when fewer workspaces were ready than must be.
    pub falls_since: Option<Timestamp>,
}

/// How one ring fares.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Holds,
    /// Not yet, or not known.
    Waits(String),
    Falls(String),
}

/// Decides. `runs` is what each ring runs by the policy now, in the policy's order.
#[must_use]
pub fn decide(
    rollout: &Rollout,
    runs: &[(RingName, Runs)],
    observed: &Observed,
    now: Timestamp,
) -> Look {
    let reached = reached(rollout, runs);
    let ring = reached.last().map(|ring| ring.ring.clone());
    let still = |decision| Look {
        decision,
        ring: ring.clone(),
        holds_since: None,
        falls_since: None,
    };
    match &rollout.state {
        RolloutState::Done => return still(Decision::Done),
        RolloutState::RolledBack { why } => return still(Decision::WentBack(why.clone())),
        RolloutState::Aborted { why } if reached.is_empty() => {
            return still(Decision::WentBack(why.clone()));
        }
        RolloutState::Aborted { why } => return still(Decision::RollBack(why.clone())),
        RolloutState::Paused { .. } | RolloutState::Advancing => {}
    }
    let bad = too_many_refused(&reached, observed);
    if let Some(why) = bad.or_else(|| too_many_failed(&reached, observed)) {
        return still(Decision::RollBack(why));
    }
    if let Some(why) = changed_by_others(rollout, runs) {
        return still(Decision::Pause(why));
    }
    // Times that were noted of an earlier ring say nothing of this one, nor do those from before nobody looked.
    let seen_at = rollout.seen_at;
    let is_without_gap = seen_at.is_some_and(|at| now.duration_since(at) <= GAP);
    let (held, fell) = if rollout.ring == ring && is_without_gap {
        (rollout.holds_since, rollout.falls_since)
    } else {
        (None, None)
    };
    let mut waits = None;
    let mut falls = too_many_held_back(&reached, observed);
    for ring in &reached {
        match verdict(ring, observed.get(&ring.ring), rollout.terms.least_ready) {
            Verdict::Holds => {}
            Verdict::Waits(why) => waits = waits.or(Some(why)),
            Verdict::Falls(why) => falls = falls.or(Some(why)),
        }
    }
    if let Some(why) = falls {
        let since = fell.unwrap_or(now);
        let decision = if passed(since, now, rollout.terms.patience_seconds) {
            Decision::RollBack(why)
        } else {
            Decision::Wait(why)
        };
        return Look {
            falls_since: Some(since),
            ..still(decision)
        };
    }
    if let Some(why) = waits {
        return still(Decision::Wait(why));
    }
    let since = ring.as_ref().map(|_| held.unwrap_or(now));
    let held = |decision| Look {
        holds_since: since,
        ..still(decision)
    };
    if let RolloutState::Paused { why } = &rollout.state {
        return held(Decision::Wait(why.clone()));
    }
    let next = rollout
        .rings
        .iter()
        .find(|ring| is_ahead(rollout, ring, runs));
    let hurried = ring.is_some() && rollout.hurry == ring;
    if let (Some(ring), Some(since)) = (&ring, since)
        && !hurried
        && !passed(since, now, rollout.terms.soak_seconds)
    {
        let soak = rollout.terms.soak_seconds;
        return held(Decision::Wait(format!(
            "ring {ring} holds since {since:.0}; it must for {soak} s"
        )));
    }
    match next {
        // What its workspaces were like before must be known to tell what the release did to them.
        Some(next)
            if observed
                .get(&next.ring)
                .is_none_or(|seen| seen.unknown.is_some()) =>
        {
            let why = observed
                .get(&next.ring)
                .and_then(|seen| seen.unknown.as_deref());
            let why = why.unwrap_or("nothing is known of it");
            held(Decision::Wait(format!("before ring {}: {why}", next.ring)))
        }
        Some(next) => held(Decision::Promote(next.ring.clone())),
        None => held(Decision::Done),
    }
}

fn passed(since: Timestamp, now: Timestamp, seconds: u64) -> bool {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    now.duration_since(since) >= SignedDuration::from_secs(seconds)
}

/// What a ring runs by the policy.
fn runs_of<'r>(runs: &'r [(RingName, Runs)], ring: &RingName) -> Option<&'r Runs> {
    runs.iter()
        .find(|(name, _)| name == ring)
        .map(|(_, runs)| runs)
}

/// The rings that run the release by the policy and did not before.
pub(super) fn reached<'r>(rollout: &'r Rollout, runs: &[(RingName, Runs)]) -> Vec<&'r RolloutRing> {
    let has_it = |ring: &&RolloutRing| {
        Some(&ring.release) != rollout.release.as_ref()
            && runs_of(runs, &ring.ring)
                .is_some_and(|runs| Some(&runs.release) == rollout.release.as_ref())
    };
    rollout.rings.iter().filter(has_it).collect()
}

/// True if the ring still runs what it ran before, and that is another release.
fn is_ahead(rollout: &Rollout, ring: &RolloutRing, runs: &[(RingName, Runs)]) -> bool {
    Some(&ring.release) != rollout.release.as_ref()
        && runs_of(runs, &ring.ring).is_some_and(|runs| runs.release == ring.release)
}

/// A ring that runs neither what it ran nor the release: a person decided so meanwhile, and is not overruled.
fn changed_by_others(rollout: &Rollout, runs: &[(RingName, Runs)]) -> Option<String> {
    let changed = rollout.rings.iter().find_map(|ring| {
        let now = runs_of(runs, &ring.ring)?;
        let known = now.release == ring.release || Some(&now.release) == rollout.release.as_ref();
        (!known).then_some((ring, now))
    });
    changed.map(|(ring, now)| {
        format!(
            "ring {} runs {}, neither {} nor what is rolled out: somebody changed rings.yaml; abort, or put it back",
            ring.ring, now.release, ring.release
        )
    })
}

fn too_many_refused(reached: &[&RolloutRing], observed: &Observed) -> Option<String> {
    let seen = || reached.iter().filter_map(|ring| observed.get(&ring.ring));
    let refused: u64 = seen().map(|seen| seen.quarantined).sum();
    let users: u64 = seen().map(|seen| seen.users).sum();
    let most = REFUSED_AT_LEAST.max(users / REFUSED_ONE_IN);
    (refused > most).then(|| {
        format!("the cluster refuses the files of {refused} users of {users}; at most {most} may be refused")
    })
}

/// The same with those whom observers do not quarantine because they are too many. Their statuses tell of the newest
/// attempt alone, so this must be seen for a while.
fn too_many_held_back(reached: &[&RolloutRing], observed: &Observed) -> Option<String> {
    let seen = || {
        reached
            .iter()
            .filter_map(|ring| Some((ring, observed.get(&ring.ring)?)))
    };
    let refused: u64 = seen()
        .map(|(ring, seen)| {
            let new = seen.held_back.saturating_sub(ring.held_back.unwrap_or(0));
            seen.quarantined + new
        })
        .sum();
    let users: u64 = seen().map(|(_, seen)| seen.users).sum();
    let most = REFUSED_AT_LEAST.max(users / REFUSED_ONE_IN);
    (refused > most).then(|| {
        format!("the cluster refuses objects of {refused} users of {users}; at most {most} may be refused")
    })
}

fn too_many_failed(reached: &[&RolloutRing], observed: &Observed) -> Option<String> {
    let failed = |ring: &&RolloutRing| match &observed.get(&ring.ring)?.restart {
        Restarts::Failed(why) => Some(format!("ring {}: {why}", ring.ring)),
        Restarts::Over | Restarts::UnderWay(_) => None,
    };
    reached.iter().find_map(failed)
}

/// How a ring that was reached fares. What is not known is never good enough.
fn verdict(ring: &RolloutRing, seen: Option<&Seen>, least: u32) -> Verdict {
    let name = &ring.ring;
    let Some(seen) = seen else {
        return Verdict::Waits(format!("nothing is known of ring {name}"));
    };
    if let Some(why) = &seen.unknown {
        return Verdict::Waits(format!("ring {name}: {why}"));
    }
    let lacking = seen.should_run.saturating_sub(seen.ready);
    let broken_before = ring
        .should_run
        .unwrap_or(0)
        .saturating_sub(ring.ready.unwrap_or(0));
    let counted = lacking.saturating_sub(broken_before);
    let most = u64::from(100_u32.saturating_sub(least));
    if counted.saturating_mul(100) > seen.should_run.saturating_mul(most) {
        return Verdict::Falls(format!(
            "ring {name}: {} of {} workspaces that should run are ready; at least {least} % must be{}",
            seen.ready,
            seen.should_run,
            if broken_before > 0 {
                format!(" ({broken_before} were not before either and do not count)")
            } else {
                String::new()
            }
        ));
    }
    let rendered = seen.rendered + seen.quarantined;
    if rendered < seen.users {
        return Verdict::Waits(format!(
            "ring {name}: {rendered} of {} users are rendered with it",
            seen.users
        ));
    }
    if let Restarts::UnderWay(how) = &seen.restart {
        return Verdict::Waits(format!("ring {name}: {how}"));
    }
    Verdict::Holds
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
