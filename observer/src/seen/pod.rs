//! A workspace's pod.

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};

use super::created;

/// A workspace's pod, as far as its phase needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSeen {
    /// Tells it from another one of the same name.
    pub uid: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ought to be gone; set while it is on its way out.
    pub deleting: Option<Timestamp>,
    /// The revision of the StatefulSet that it was made from.
    pub revision: Option<String>,
    /// The node that it is on.
    pub node: Option<String>,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// True if it says that it is ready and is not on its way out.
    pub ready: bool,
    /// What else it says of itself.
    pub condition: Condition,
}

/// What a pod says of itself, the worst first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing hinders it.
    Fine,
    /// Its node has not been heard of.
    Lost,
    /// It ended and does not start again.
    Ended(String),
    /// No node takes it.
    Unschedulable(String),
    /// An image cannot be had.
    Image(String),
    /// A container cannot be made, or ends again and again.
    Crash(String),
}

/// How often a container may have ended before its workspace counts as crashing, where its runtime does not say
/// so itself: the first restart may be the node's doing.
const RESTARTS: i32 = 3;

impl PodSeen {
    /// What is kept of it.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let meta = &pod.metadata;
        let status = pod.status.as_ref();
        let deleting = meta.deletion_timestamp.as_ref().map(|at| at.0);
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            created: created(meta),
            deleting,
            revision: meta
                .labels
                .as_ref()
                .and_then(|labels| labels.get("controller-revision-hash"))
                .cloned(),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            ip: status
                .and_then(|status| status.pod_ip.as_deref())
                .and_then(|ip| ip.parse().ok()),
            ready: deleting.is_none() && status.is_some_and(is_ready),
            condition: status.map_or(Condition::Fine, condition),
        }
    }
}

fn is_ready(status: &PodStatus) -> bool {
    status.phase.as_deref() == Some("Running")
        && status
            .conditions
            .iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn condition(status: &PodStatus) -> Condition {
    if status.phase.as_deref() == Some("Unknown") || status.reason.as_deref() == Some("NodeLost") {
        return Condition::Lost;
    }
    if let Some(phase @ ("Failed" | "Succeeded")) = status.phase.as_deref() {
        let said = [status.reason.as_deref(), status.message.as_deref()];
        let said: Vec<&str> = said.into_iter().flatten().collect();
        return Condition::Ended(format!("the pod {phase}: {}", said.join(": ")));
    }
    let containers = status
        .init_container_statuses
        .iter()
        .flatten()
        .chain(status.container_statuses.iter().flatten());
    if let Some(hindered) = containers.filter_map(container).min_by_key(severity) {
        return hindered;
    }
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| {
            condition.type_ == "PodScheduled"
                && condition.status == "False"
                && condition.reason.as_deref() == Some("Unschedulable")
        })
        .map_or(Condition::Fine, |condition| {
            Condition::Unschedulable(condition.message.clone().unwrap_or_default())
        })
}

/// What hinders one container; the reasons are the kubelet's (Kubernetes, `pkg/kubelet/images/types.go` and
/// `pkg/kubelet/kuberuntime`).
fn container(status: &ContainerStatus) -> Option<Condition> {
    let state = status.state.as_ref()?;
    let name = &status.name;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let said = |reason: &str| {
            let message = waiting.message.as_deref().unwrap_or_default();
            format!("{name}: {reason} {message}")
        };
        return match reason {
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed" => Some(Condition::Image(said(reason))),
            "CrashLoopBackOff"
            | "CreateContainerError"
            | "CreateContainerConfigError"
            | "RunContainerError"
            | "StartError"
            | "PostStartHookError" => Some(Condition::Crash(said(reason))),
            _ => None,
        };
    }
    (status.restart_count >= RESTARTS && !status.ready)
        .then(|| Condition::Crash(format!("{name}: ended {} times", status.restart_count)))
}

/// An image that cannot be had explains more than what follows from it.
fn severity(condition: &Condition) -> u8 {
    u8::from(!matches!(condition, Condition::Image(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: serde_json::Value) -> PodSeen {
        PodSeen::of(
            &serde_json::from_value(serde_json::json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"uid": "1"}, "status": status,
            }))
            .unwrap(),
        )
    }

    #[test]
    fn what_hinders_a_pod_is_told_apart() {
        let waiting = |reason| {
            serde_json::json!({"phase": "Pending", "containerStatuses": [
                {"name": "theia", "ready": false, "restartCount": 0, "image": "", "imageID": "", "state": {"waiting": {"reason": reason}}},
            ]})
        };
        assert!(matches!(
            seen(waiting("ImagePullBackOff")).condition,
            Condition::Image(_)
        ));
        assert!(matches!(
            seen(waiting("CrashLoopBackOff")).condition,
            Condition::Crash(_)
        ));
        assert_eq!(
            seen(waiting("ContainerCreating")).condition,
            Condition::Fine
        );
        let lost = seen(serde_json::json!({"phase": "Running", "reason": "NodeLost"}));
        assert_eq!(lost.condition, Condition::Lost);
        let evicted =
            seen(serde_json::json!({"phase": "Failed", "reason": "Evicted", "message": "disk"}));
        assert_eq!(
            evicted.condition,
            Condition::Ended("the pod Failed: Evicted: disk".to_owned())
        );
        let nowhere = seen(serde_json::json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"},
        ]}));
        assert_eq!(
            nowhere.condition,
            Condition::Unschedulable("0/3 nodes".to_owned())
        );
    }

    #[test]
    fn a_pod_on_its_way_out_is_not_ready() {
        let pod = |meta| {
            PodSeen::of(
                &serde_json::from_value(serde_json::json!({
                    "apiVersion": "v1", "kind": "Pod", "metadata": meta,
                    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
                }))
                .unwrap(),
            )
        };
        assert!(pod(serde_json::json!({})).ready);
        assert!(!pod(serde_json::json!({"deletionTimestamp": "2026-01-01T00:00:00Z"})).ready);
    }
}
