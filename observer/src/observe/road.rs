//! The road of a workspace: which phases it went through, and when.

use coditect_core::{Phase, Step};
use coditect_registry::record::Status;
use jiff::Timestamp;

use super::Wanted;

/// When the present road began: with the newest change, or with a change of power after it.
pub(super) fn beginning(wanted: &Wanted) -> Timestamp {
    wanted.power.since.max(wanted.requested.at)
}

/// True if the present road began with a change of power. A sign-up is a change that switches on.
pub(super) fn is_of_power(wanted: &Wanted) -> bool {
    wanted.power.since > wanted.requested.at
}

/// The steps of the present road that are known already.
pub(super) fn so_far<'a>(wanted: &Wanted, before: Option<&'a Status>) -> &'a [Step] {
    before
        .map(|status| status.steps.as_slice())
        .filter(|steps| {
            steps
                .first()
                .is_some_and(|first| first.at == beginning(wanted))
        })
        .unwrap_or_default()
}

/// The road with `phase` at its end. Times never go back, whichever clock they come from.
pub(super) fn with(
    wanted: &Wanted,
    phase: Phase,
    before: Option<&Status>,
    now: Timestamp,
) -> Vec<Step> {
    let mut steps = so_far(wanted, before).to_vec();
    let begins = beginning(wanted);
    let mut step = |phase: Phase, at: Timestamp| {
        let last: Option<&Step> = steps.last();
        if last.is_none_or(|last| last.phase != phase) {
            let at = last.map_or(at, |last| at.max(last.at));
            steps.push(Step { phase, at });
        }
    };
    let known = so_far(wanted, before).last().map(|last| last.phase);
    if is_of_power(wanted) {
        if known.is_none() {
            step(first_of_power(wanted, phase), begins);
        }
    } else {
        if known.is_none() {
            step(Phase::Requested, begins);
        }
        let landed = wanted.in_git();
        if matches!(known, None | Some(Phase::Requested))
            && (landed.is_some() || is_behind_sync(phase))
        {
            let at = landed.map_or(now, |landed| landed.committed_at);
            step(Phase::Committed, at);
        }
        if matches!(known, None | Some(Phase::Requested | Phase::Committed))
            && is_behind_sync(phase)
        {
            step(Phase::Synced, now);
        }
    }
    step(phase, now);
    while steps.len() > Status::LONGEST_ROAD {
        // The first step says when the road began.
        steps.remove(1);
    }
    steps
}

fn first_of_power(wanted: &Wanted, phase: Phase) -> Phase {
    match phase {
        Phase::Requested | Phase::Committed | Phase::Synced | Phase::Deleting => phase,
        _ if wanted.on() => Phase::Starting,
        _ => Phase::Suspending,
    }
}

fn is_behind_sync(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::Synced | Phase::Starting | Phase::Ready | Phase::Suspending | Phase::Suspended
    )
}
