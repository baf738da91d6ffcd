//! What keeps a workspace from starting, most telling first.

use coditect_core::{Cause, Reason};
use jiff::{SignedDuration, Timestamp};

use super::{Gateway, PodLife, Seen, Wanted, refusal::is_refusal};
use crate::seen::{About, Condition, SetSeen, Warning};

/// How long a pod may be gone in name only before its node counts as silent: the kubelet confirms the end of a
/// pod within a second or two of its grace period.
const OVERDUE: SignedDuration = SignedDuration::from_secs(30);
/// How long a new volume may take before its absence is an obstacle.
const BINDING: SignedDuration = SignedDuration::from_secs(60);
/// How long a ready pod's gateway may be silent: endpoints and routes follow a pod's readiness within seconds.
const GATEWAY: SignedDuration = SignedDuration::from_secs(30);
/// How long the objects of one sync may take to follow each other.
const TOGETHER: SignedDuration = SignedDuration::from_secs(30);

/// What a scheduler says when no node can have the volume (Kubernetes, `pkg/scheduler/framework/plugins/volumebinding`).
const OF_VOLUMES: [&str; 4] = [
    "volume node affinity",
    "didn't find available persistent volumes to bind",
    "did not have enough free storage",
    "bound to non-existent p",
];

/// Why the newest change does not arrive. `behind`: the cluster does not have it yet.
pub(super) fn of_change(wanted: &Wanted, seen: &Seen, behind: bool) -> Option<Reason> {
    if let Some(failure) = seen
        .refused
        .as_ref()
        .filter(|failure| is_refusal(&failure.message))
    {
        let said = format!("{}: {}", failure.object, failure.message);
        return Some(Reason::new(Cause::Admission, &said));
    }
    if let Some(quarantine) = &wanted.quarantine
        && quarantine.generation >= wanted.requested.generation
        && quarantine.stands.is_none()
    {
        return Some(quarantine.reason.clone());
    }
    let unreadable = seen.unreadable.as_ref().filter(|_| behind)?;
    Some(Reason::new(Cause::Shard, unreadable))
}

/// Why nobody knows whether the pod still runs.
pub(super) fn of_node(life: &PodLife, now: Timestamp) -> Option<Reason> {
    let node = life.pod.node.as_deref().unwrap_or("its node");
    if life.node_silent || life.pod.condition == Condition::Lost {
        return Some(Reason::new(
            Cause::Node,
            &format!("{node} does not answer; its pod may still run"),
        ));
    }
    let due = life.pod.deleting?;
    (now.duration_since(due) > OVERDUE).then(|| {
        Reason::new(
            Cause::Node,
            &format!("{node} has not confirmed that the pod ended, due at {due:.0}"),
        )
    })
}

/// Why a pod that is wanted is not there.
pub(super) fn of_absence(wanted: &Wanted, seen: &Seen, set: &SetSeen) -> Option<Reason> {
    if wanted.held {
        return Some(Reason::new(
            Cause::Hold,
            "nobody of this cell is started now",
        ));
    }
    if seen.volume.as_ref().is_some_and(|volume| volume.lost) {
        return Some(lost_volume());
    }
    // Events know seconds only, so what happened within the same second counts.
    let fresh = |warning: &&Warning| {
        let at = warning.at.as_second();
        at >= wanted.power.since.as_second()
            && seen.last_pod.is_none_or(|pod| at >= pod.as_second())
    };
    let failed = newest(seen, About::Set, &set.uid, &["FailedCreate"], fresh)?;
    let message = failed.message.as_str();
    let cause = if message.contains("quota") {
        Cause::Quota
    } else if message.contains("error looking up service account") {
        // Argo CD makes the account in the same sync.
        (failed.at.duration_since(set.created) > TOGETHER).then_some(Cause::Admission)?
    } else if is_refusal(message) {
        Cause::Admission
    } else {
        return None;
    };
    Some(Reason::new(cause, message))
}

/// Why a pod that is there does not become ready.
pub(super) fn of_pod(seen: &Seen, life: &PodLife, now: Timestamp) -> Option<Reason> {
    let pod = &life.pod;
    let volume = seen.volume.as_ref();
    if volume.is_some_and(|volume| volume.lost) {
        return Some(lost_volume());
    }
    let provisioning = volume.filter(|volume| volume.pending).and_then(|volume| {
        newest(
            seen,
            About::Volume,
            &volume.uid,
            &["ProvisioningFailed"],
            |_| true,
        )
    });
    if let Some(warning) = provisioning {
        return Some(Reason::new(Cause::Volume, &warning.message));
    }
    match &pod.condition {
        Condition::Ended(said) | Condition::Crash(said) => {
            return Some(Reason::new(Cause::Crash, said));
        }
        Condition::Image(said) => return Some(Reason::new(Cause::Image, said)),
        Condition::Unschedulable(said) if OF_VOLUMES.iter().any(|of| said.contains(of)) => {
            return Some(Reason::new(Cause::Volume, said));
        }
        // A volume that is being made: told only if it takes long.
        Condition::Unschedulable(said) if said.contains("unbound immediate") => {
            let late = now.duration_since(pod.created) > BINDING;
            return late.then(|| Reason::new(Cause::Volume, said));
        }
        Condition::Unschedulable(said) => return Some(Reason::new(Cause::Unschedulable, said)),
        Condition::Fine | Condition::Lost => {}
    }
    if pod.ready {
        return None;
    }
    let mounting = ["FailedMount", "FailedAttachVolume", "FailedMapVolume"];
    newest(seen, About::Pod, &pod.uid, &mounting, |_| true)
        .map(|warning| Reason::new(Cause::Volume, &warning.message))
}

/// Why a ready pod is of no use.
pub(super) fn of_gateway(seen: &Seen, now: Timestamp) -> Option<Reason> {
    match seen.gateway {
        Gateway::Silent { since } if now.duration_since(since) > GATEWAY => Some(Reason::new(
            Cause::Gateway,
            &format!("the pod is ready, its gateway is silent since {since:.0}"),
        )),
        _ => None,
    }
}

fn lost_volume() -> Reason {
    Reason::new(
        Cause::Volume,
        "the volume that was bound is gone from the cluster",
    )
}

fn newest<'a>(
    seen: &'a Seen,
    about: About,
    uid: &str,
    reasons: &[&str],
    fresh: impl Fn(&&Warning) -> bool,
) -> Option<&'a Warning> {
    seen.warnings
        .iter()
        .filter(|warning| warning.about == about && warning.uid == uid)
        .filter(|warning| reasons.contains(&warning.reason.as_str()))
        .filter(fresh)
        .max_by_key(|warning| warning.at)
}
