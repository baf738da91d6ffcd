//! What Argo CD's Applications say of what is to go.

use std::collections::{BTreeMap, BTreeSet};

use coditect_core::{CellName, Error, Result, Shard};
use jiff::Timestamp;
use kube::{
    Api, Client,
    api::ListParams,
    core::{ApiResource, GroupVersionKind, Object},
};
use serde::{Deserialize, Serialize};

use crate::seen::{CELL, SHARD};

/// Where Argo CD and its Applications live.
const NAMESPACE: &str = "argocd";
/// How many Applications are read at once: a full one has some hundred kilobytes of status.
const PAGE: u32 = 8;

/// One shard's Application, as far as it concerns what is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Application {
    /// The commit it was compared with.
    pub(super) revision: Option<String>,
    /// When it was compared.
    pub(super) compared_at: Option<Timestamp>,
    /// Why it is not what that commit says; none if it is.
    pub(super) unsettled: Option<String>,
}

/// An object that an Application speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tracked {
    pub(super) shard: Shard,
    pub(super) kind: String,
    pub(super) name: String,
    /// True if it stands in the cluster and its commit has it no longer.
    pub(super) extraneous: bool,
}

/// Every Application of a cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Applications {
    pub(super) shards: BTreeMap<Shard, Application>,
    /// What they say of the namespaces asked for, and of what is in them.
    pub(super) tracked: BTreeMap<String, Vec<Tracked>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Spec {}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    sync: Sync,
    reconciled_at: Option<Timestamp>,
    operation_state: Option<OperationState>,
    conditions: Vec<Condition>,
    resources: Vec<Resource>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Sync {
    status: String,
    revision: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct OperationState {
    phase: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Resource {
    kind: String,
    name: String,
    namespace: String,
    requires_pruning: bool,
}

impl Applications {
    /// Reads all of a cell's Applications, a few at a time, and keeps what concerns `namespaces`.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be read, or there is none: then nothing at all is known of the cluster.
    pub(super) async fn read(
        client: &Client,
        cell: &CellName,
        namespaces: &BTreeSet<String>,
    ) -> Result<Self> {
        let named = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
        let resource = ApiResource::from_gvk_with_plural(&named, "applications");
        let api: Api<Object<Spec, Status>> =
            Api::namespaced_with(client.clone(), NAMESPACE, &resource);
        let mut found = Self::default();
        let mut params = ListParams::default()
            .labels(&format!("{CELL}={cell}"))
            .limit(PAGE);
        loop {
            let list = api.list(&params).await.map_err(|error| {
                Error::unavailable(format!(
                    "the Applications of cell {cell} cannot be read; nothing is removed: check Argo CD in namespace {NAMESPACE} and the reaper's rights"
                ))
                .because(error)
            })?;
            for application in list.items {
                let label = application.metadata.labels.as_ref();
                let shard = label.and_then(|labels| labels.get(SHARD)?.parse::<Shard>().ok());
                if let Some(shard) = shard {
                    found.add(shard, application.status.unwrap_or_default(), namespaces);
                }
            }
            params.continue_token = list.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                break;
            }
        }
        if found.shards.is_empty() {
            return Err(Error::unavailable(format!(
                "Argo CD has no Application of cell {cell}; nothing is removed on such an answer"
            )));
        }
        Ok(found)
    }

    fn add(&mut self, shard: Shard, status: Status, namespaces: &BTreeSet<String>) {
        for resource in &status.resources {
            let namespace = if resource.kind == "Namespace" {
                &resource.name
            } else {
                &resource.namespace
            };
            if namespaces.contains(namespace) {
                self.tracked
                    .entry(namespace.clone())
                    .or_default()
                    .push(Tracked {
                        shard,
                        kind: resource.kind.clone(),
                        name: resource.name.clone(),
                        extraneous: resource.requires_pruning,
                    });
            }
        }
        self.shards.insert(
            shard,
            Application {
                unsettled: unsettled(&status),
                revision: status.sync.revision.filter(|revision| !revision.is_empty()),
                compared_at: status.reconciled_at,
            },
        );
    }
}

/// Why an Application is not what its commit says, or may not be in a moment.
fn unsettled(status: &Status) -> Option<String> {
    let operation = status.operation_state.as_ref();
    if let Some(operation) =
        operation.filter(|operation| matches!(operation.phase.as_str(), "Running" | "Terminating"))
    {
        return Some(format!("a sync is under way {}", operation.message));
    }
    if status.sync.status == "Synced" {
        return None;
    }
    let condition = status
        .conditions
        .iter()
        .find(|condition| condition.kind.ends_with("Error"));
    let failed = operation.filter(|operation| operation.phase != "Succeeded");
    Some(match (condition, failed) {
        (Some(condition), _) => format!("{}: {}", condition.kind, condition.message),
        (None, Some(operation)) => format!("{}: {}", operation.phase, operation.message),
        (None, None) if status.sync.status.is_empty() => "it was never compared".to_owned(),
        (None, None) => status.sync.status.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(status: serde_json::Value) -> Option<String> {
        unsettled(&serde_json::from_value(status).unwrap())
    }

    #[test]
    fn settled_is_synced_and_at_rest() {
        assert_eq!(read(json!({"sync": {"status": "Synced"}})), None);
        for status in [
            json!({}),
            json!({"sync": {"status": "OutOfSync"}}),
            json!({"sync": {"status": "Unknown"}}),
            json!({"sync": {"status": "Synced"}, "operationState": {"phase": "Running"}}),
        ] {
            assert!(read(status.clone()).is_some(), "{status}");
        }
        let why = read(json!({
            "sync": {"status": "OutOfSync"},
            "conditions": [{"type": "SyncError", "message": "auto-sync will wipe out all resources"}]
        }));
        assert!(why.unwrap().contains("wipe out"));
    }

    #[test]
    fn only_what_concerns_the_namespaces_is_kept() {
        let status = json!({"sync": {"status": "Synced", "revision": "abc"}, "resources": [
            {"kind": "Namespace", "name": "user-1", "requiresPruning": true, "version": "v1"},
            {"kind": "Service", "name": "w", "namespace": "user-1"},
            {"kind": "Namespace", "name": "user-2"}
        ]});
        let mut found = Applications::default();
        let shard = Shard::new(3).unwrap();
        let namespaces = BTreeSet::from(["user-1".to_owned()]);
        found.add(shard, serde_json::from_value(status).unwrap(), &namespaces);
        assert_eq!(found.tracked.len(), 1);
        let tracked = &found.tracked["user-1"];
        assert!(tracked[0].extraneous && !tracked[1].extraneous);
        assert_eq!(found.shards[&shard].revision.as_deref(), Some("abc"));
    }
}
