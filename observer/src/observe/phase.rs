//! Where a workspace stands.

use coditect_core::{Phase, Readiness};
use coditect_registry::record::Status;
use jiff::Timestamp;

use super::{Gateway, PodLife, Seen, Standpoint, Wanted, notices, obstacle, road};

/// What is said of a workspace: from what is wanted of it, what was seen, and what was said before. The same
/// input gives the same answer, and its own answer as `before` changes nothing.
#[must_use]
pub fn status(wanted: &Wanted, seen: &Seen, before: Option<&Status>, now: Timestamp) -> Status {
    let Standpoint { phase, reason } = standpoint(wanted, seen, before, now);
    let since = match before {
        Some(before) if before.phase == phase => before.since,
        Some(before) => now.max(before.since),
        None => now,
    };
    Status {
        phase,
        since,
        reason,
        generation: seen
            .namespace
            .as_ref()
            .map_or(0, |namespace| namespace.generation),
        steps: road::with(wanted, phase, before, now),
        notices: notices::of(wanted, seen, before, now),
    }
}

fn standpoint(wanted: &Wanted, seen: &Seen, before: Option<&Status>, now: Timestamp) -> Standpoint {
    let at = |phase| Standpoint {
        phase,
        reason: None,
    };
    let failed = |reason| Standpoint {
        phase: Phase::Failed,
        reason: Some(reason),
    };
    if wanted.marked {
        return at(Phase::Deleting);
    }
    if wanted.in_git().is_none() {
        return at(Phase::Requested);
    }
    let arrived = seen.namespace.as_ref().is_some_and(|namespace| {
        !namespace.deleting
            && (namespace.generation >= wanted.requested.generation || wanted.replaced())
    });
    if let Some(reason) = obstacle::of_change(wanted, seen, !arrived) {
        return failed(reason);
    }
    if !arrived {
        return at(Phase::Committed);
    }
    let life = seen.pods.iter().max_by_key(|life| {
        // The one that counts: not on its way out, then the newest.
        (life.pod.deleting.is_none(), life.pod.created)
    });
    if !wanted.on() {
        return match seen
            .pods
            .iter()
            .find_map(|life| obstacle::of_node(life, now))
        {
            Some(reason) => failed(reason),
            None if life.is_some() || !at_rest(seen) => at(Phase::Suspending),
            None => at(Phase::Suspended),
        };
    }
    let Some(life) = life else {
        return match obstacle::of_absence(wanted, seen) {
            Some(reason) => failed(reason),
            None if seen.set.is_none() => at(Phase::Committed),
            None => at(before_pod(wanted, before)),
        };
    };
    if let Some(reason) = obstacle::of_node(life, now).or_else(|| obstacle::of_pod(seen, life, now))
    {
        return failed(reason);
    }
    if !life.pod.ready {
        return at(Phase::Starting);
    }
    match obstacle::of_gateway(seen, now).filter(|_| wanted.readiness == Readiness::Gateway) {
        Some(reason) => failed(reason),
        None if answers(wanted, seen, life) => at(Phase::Ready),
        None => at(Phase::Starting),
    }
}

/// True if no pod can come any more: none is asked for, and the controller knows that and has none.
fn at_rest(seen: &Seen) -> bool {
    seen.set
        .as_ref()
        .is_none_or(|set| set.replicas == 0 && set.observed && set.pods == 0)
}

fn answers(wanted: &Wanted, seen: &Seen, life: &PodLife) -> bool {
    life.pod.ready && (wanted.readiness == Readiness::Pod || seen.gateway == Gateway::Answers)
}

/// While there is no pod: a change was applied and its first pod is awaited, or a pod is on its way again.
fn before_pod(wanted: &Wanted, before: Option<&Status>) -> Phase {
    let woken = wanted.power.since > wanted.requested.at;
    let has_run = road::so_far(wanted, before)
        .iter()
        .any(|step| matches!(step.phase, Phase::Starting | Phase::Ready));
    if woken || has_run {
        Phase::Starting
    } else {
        Phase::Synced
    }
}
