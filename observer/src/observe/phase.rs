//! Where a workspace stands.

use coditect_core::{Phase, Readiness, Reason};
use coditect_registry::record::Status;
use jiff::Timestamp;

use super::{Gateway, Seen, Wanted, notices, obstacle, road};
use crate::seen::SetSeen;

/// What is said of a workspace: from what is wanted of it, what was seen, and what was said before. The same
/// input gives the same answer, and its own answer as `before` changes nothing.
#[must_use]
pub fn status(wanted: &Wanted, seen: &Seen, before: Option<&Status>, now: Timestamp) -> Status {
    let Standpoint {
        phase,
        reason,
        step,
    } = standpoint(wanted, seen, before, now);
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
        steps: road::with(wanted, step, before, now),
        notices: notices::of(wanted, seen, before, now),
    }
}

/// Where it stands and why.
struct Standpoint {
    phase: Phase,
    reason: Option<Reason>,
    /// How far it is on its road: a change of a workspace that runs goes its way while the phase stays `Ready`.
    step: Phase,
}

fn standpoint(wanted: &Wanted, seen: &Seen, before: Option<&Status>, now: Timestamp) -> Standpoint {
    let at = |phase, reason| Standpoint {
        phase,
        reason,
        step: phase,
    };
    if wanted.marked {
        return at(Phase::Deleting, None);
    }
    let arrived = seen.namespace.as_ref().is_some_and(|namespace| {
        !namespace.deleting
            && (namespace.generation >= wanted.requested.generation || wanted.replaced())
    });
    let blocked = obstacle::of_change(wanted, seen, !arrived);
    // What has arrived was committed, whether or not the renderer has noted that already.
    let change = match wanted.in_git() {
        _ if arrived => None,
        None => Some(Phase::Requested),
        Some(_) => Some(Phase::Committed),
    };
    let (phase, reason) = match in_cluster(wanted, seen, before, now) {
        // What is there is told first; a change that does not arrive, beside it.
        Some((phase, reason)) if reason.is_some() || !seen.pods.is_empty() || !wanted.on() => {
            (phase, reason.or(blocked))
        }
        there => match blocked {
            Some(blocked) => (Phase::Failed, Some(blocked)),
            None => there.unwrap_or((change.unwrap_or(Phase::Committed), None)),
        },
    };
    let by_change = change.filter(|_| !road::is_of_power(wanted));
    Standpoint {
        phase,
        reason,
        step: by_change.unwrap_or(phase),
    }
}

/// What runs, if the workspace is in the cluster: a StatefulSet, or a pod that somebody left behind.
fn in_cluster(
    wanted: &Wanted,
    seen: &Seen,
    before: Option<&Status>,
    now: Timestamp,
) -> Option<(Phase, Option<Reason>)> {
    let life = seen.pods.iter().max_by_key(|life| {
        // The one that counts: not on its way out, then the newest.
        (life.pod.deleting.is_none(), life.pod.created)
    });
    if !wanted.on() {
        let silent = seen
            .pods
            .iter()
            .find_map(|life| obstacle::of_node(life, now));
        return match silent {
            Some(reason) => Some((Phase::Failed, Some(reason))),
            None if life.is_some() => Some((Phase::Suspending, None)),
            None if at_rest(seen.set.as_ref()?) => Some((Phase::Suspended, None)),
            None => Some((Phase::Suspending, None)),
        };
    }
    let Some(life) = life else {
        let set = seen.set.as_ref()?;
        return Some(match obstacle::of_absence(wanted, seen, set) {
            Some(reason) => (Phase::Failed, Some(reason)),
            None => (before_pod(wanted, before), None),
        });
    };
    let obstacle = obstacle::of_node(life, now).or_else(|| obstacle::of_pod(seen, life, now));
    if let Some(reason) = obstacle {
        return Some((Phase::Failed, Some(reason)));
    }
    if !life.pod.ready {
        return Some((Phase::Starting, None));
    }
    Some(match wanted.readiness {
        Readiness::Pod => (Phase::Ready, None),
        Readiness::Gateway if seen.gateway == Gateway::Answers => (Phase::Ready, None),
        Readiness::Gateway => match obstacle::of_gateway(seen, now) {
            Some(reason) => (Phase::Failed, Some(reason)),
            None => (Phase::Starting, None),
        },
    })
}

/// True if no pod can come any more: none is asked for, and the controller knows that and has none.
fn at_rest(set: &SetSeen) -> bool {
    set.replicas == 0 && set.observed && set.pods == 0
}

/// While there is no pod: a change was applied and its first pod is awaited, or a pod is on its way again.
fn before_pod(wanted: &Wanted, before: Option<&Status>) -> Phase {
    let has_run = road::so_far(wanted, before)
        .iter()
        .any(|step| matches!(step.phase, Phase::Starting | Phase::Ready));
    if road::is_of_power(wanted) || has_run {
        Phase::Starting
    } else {
        Phase::Synced
    }
}
