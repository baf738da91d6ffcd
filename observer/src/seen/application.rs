//! Argo CD's Applications: what of a shard was applied, and what was refused.

use std::{borrow::Cow, collections::BTreeMap};

use coditect_core::{Shard, UserId};
use jiff::Timestamp;
use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::Resource;
use serde::Deserialize;

use super::{SHARD, user_of};

/// The fields of `argoproj.io/v1alpha1` Application that are read; everything else is skipped while it arrives.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Application {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    status: ApplicationStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ApplicationStatus {
    sync: Sync,
    conditions: Vec<ApplicationCondition>,
    operation_state: Option<OperationState>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Sync {
    status: String,
    revision: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ApplicationCondition {
    #[serde(rename = "type")]
    kind: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OperationState {
    phase: String,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    retry_count: u32,
    operation: Operation,
    sync_result: Option<SyncResult>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Operation {
    sync: SyncOperation,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SyncOperation {
    auto_heal_attempts_count: i64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SyncResult {
    revision: String,
    resources: Vec<ResourceResult>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceResult {
    kind: String,
    namespace: String,
    name: String,
    status: String,
    message: String,
}

impl Resource for Application {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Application".into()
    }
    fn group((): &()) -> Cow<'_, str> {
        "argoproj.io".into()
    }
    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }
    fn plural((): &()) -> Cow<'_, str> {
        "applications".into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// What is kept of an Application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplicationSeen {
    /// `Synced`, `OutOfSync` or `Unknown`.
    pub sync: String,
    /// The commit that it was last compared with.
    pub revision: String,
    /// Why Argo CD cannot read the shard or compare it, or applies it no more.
    pub unreadable: Option<String>,
    /// Its newest operation.
    pub operation: Option<OperationSeen>,
    /// What that operation put back, if it had nothing else to do.
    pub healed: Option<Healed>,
}

/// What Argo CD put back because it was not any more as Git says, and as it had been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healed {
    /// When that began; tells it from another time.
    pub started_at: Option<Timestamp>,
    /// The objects of each user, as `Kind name`.
    pub objects: BTreeMap<UserId, Vec<String>>,
}

/// What is kept of an operation of Argo CD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationSeen {
    /// The commit that it applies; empty while that is not known.
    pub revision: String,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// How many of its attempts have ended.
    pub attempts: u32,
    /// True if its present attempt has ended: then `failures` is all that was refused.
    pub ended: bool,
    /// True if it failed and Argo CD does not try it again by itself.
    pub over: bool,
    /// The first object that was refused, for each user.
    pub failures: BTreeMap<UserId, Failure>,
}

/// An object that was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The object, as `Kind name`.
    pub object: String,
    /// What was answered.
    pub message: String,
}

/// Longest answer that is kept.
const LONGEST: usize = 600;

impl ApplicationSeen {
    /// What is kept of it, and of which shard it is.
    #[must_use]
    pub fn of(application: &Application) -> Option<(Shard, Self)> {
        let shard = application
            .metadata
            .labels
            .as_ref()?
            .get(SHARD)?
            .parse()
            .ok()?;
        let status = &application.status;
        // The last: it does not try what has failed before.
        let unreadable = ["ComparisonError", "InvalidSpecError", "SyncError"]
            .into_iter()
            .find_map(|kind| status.conditions.iter().find(|one| one.kind == kind))
            .map(|condition| condition.message.chars().take(LONGEST).collect());
        Some((
            shard,
            Self {
                sync: status.sync.status.clone(),
                revision: status.sync.revision.clone(),
                unreadable,
                operation: status.operation_state.as_ref().map(operation),
                healed: status.operation_state.as_ref().and_then(healed),
            },
        ))
    }
}

impl ResourceResult {
    fn user(&self) -> Option<UserId> {
        user_of(match self.kind.as_str() {
            "Namespace" => &self.name,
            _ => &self.namespace,
        })
    }

    fn object(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// An operation that Argo CD began by itself at a commit that it had applied before: it counts those (Argo CD,
/// controller/appcontroller.go, `autoSync`).
fn healed(state: &OperationState) -> Option<Healed> {
    if state.operation.sync.auto_heal_attempts_count == 0 || state.phase != "Succeeded" {
        return None;
    }
    let mut objects: BTreeMap<UserId, Vec<String>> = BTreeMap::new();
    let resources = state.sync_result.iter().flat_map(|all| &all.resources);
    for resource in resources.filter(|resource| resource.status == "Synced") {
        if let Some(user) = resource.user() {
            objects.entry(user).or_default().push(resource.object());
        }
    }
    Some(Healed {
        started_at: state.started_at,
        objects,
    })
}

fn operation(state: &OperationState) -> OperationSeen {
    // Between two attempts the phase is Running, the time of the end is set, and the count is one ahead
    // (Argo CD, controller/appcontroller.go).
    let ended = state.finished_at.is_some();
    let attempts = state.retry_count + u32::from(ended && state.phase != "Running");
    let resources = state
        .sync_result
        .iter()
        .flat_map(|result| &result.resources);
    let mut failures = BTreeMap::new();
    for resource in resources.filter(|resource| resource.status == "SyncFailed") {
        if let Some(user) = resource.user() {
            failures.entry(user).or_insert_with(|| Failure {
                object: resource.object(),
                message: resource.message.chars().take(LONGEST).collect(),
            });
        }
    }
    OperationSeen {
        revision: state
            .sync_result
            .as_ref()
            .map(|result| result.revision.clone())
            .unwrap_or_default(),
        started_at: state.started_at,
        attempts,
        ended,
        over: matches!(state.phase.as_str(), "Failed" | "Error"),
        failures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_kept_by_user() {
        let user = UserId::random();
        let application: Application = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "local-shard-0a", "labels": {SHARD: "0a"}},
            "spec": {"project": "coditect-local"},
            "status": {
                "sync": {"status": "OutOfSync", "revision": "abc"},
                "conditions": [{"type": "SyncError", "message": "x"}, {"type": "ComparisonError", "message": "cannot read"}],
                "operationState": {
                    "phase": "Running", "retryCount": 1, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z",
                    "syncResult": {"revision": "abc", "resources": [
                        {"kind": "Service", "namespace": user.namespace(), "name": "s", "status": "SyncFailed", "message": "Service is invalid"},
                        {"kind": "Role", "namespace": user.namespace(), "name": "r", "status": "Synced", "message": ""},
                        {"kind": "Role", "namespace": "argocd", "name": "r", "status": "SyncFailed", "message": "not a user's"},
                    ]},
                },
            },
        }))
        .unwrap();
        let (shard, seen) = ApplicationSeen::of(&application).unwrap();
        assert_eq!(shard.to_string(), "0a");
        assert_eq!(seen.unreadable.as_deref(), Some("cannot read"));
        let operation = seen.operation.unwrap();
        assert_eq!((operation.attempts, operation.ended), (1, true));
        assert_eq!(operation.failures.len(), 1);
        assert_eq!(operation.failures[&user].object, "Service s");
    }

    #[test]
    fn what_was_put_back_is_told_from_what_was_new() {
        let user = UserId::random();
        let of = |sync: serde_json::Value, phase: &str| {
            let application: Application = serde_json::from_value(serde_json::json!({
                "metadata": {"name": "local-shard-0a", "labels": {SHARD: "0a"}},
                "status": {"operationState": {
                    "phase": phase, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z",
                    "operation": {"sync": sync},
                    "syncResult": {"revision": "abc", "resources": [
                        {"kind": "ResourceQuota", "namespace": user.namespace(), "name": "q", "status": "Synced"},
                    ]},
                }},
            }))
            .unwrap();
            ApplicationSeen::of(&application).unwrap().1.healed
        };
        assert_eq!(of(serde_json::json!({"prune": true}), "Succeeded"), None);
        let again = serde_json::json!({"autoHealAttemptsCount": 1});
        assert_eq!(of(again.clone(), "Running"), None, "it is not there yet");
        let healed = of(again, "Succeeded").unwrap();
        assert_eq!(healed.objects[&user], ["ResourceQuota q"]);
    }
}
