//! The live object that is to go, and what is still beside it.

use std::collections::BTreeMap;

use coditect_core::{Error, Result, UserId, WorkspaceId};
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{Namespace, PersistentVolumeClaim, Pod},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

use super::decide::{Live, Why};
use crate::seen::{MANAGED_BY, WORKSPACE};

/// The annotation without which nothing is deleted, and its value: the commit that no longer has the object, or
/// when its tombstone was written. The admission policy in `deploy/` asks for it.
pub const TOMBSTONE: &str = "coditect.ai/tombstone";

/// A Namespace, or a volume in one.
pub(super) struct Target<'a> {
    client: &'a Client,
    namespace: String,
    workspace: Option<WorkspaceId>,
}

/// What stands.
#[derive(Default)]
pub(super) struct Found {
    pub(super) live: Option<Live>,
    pub(super) leftovers: Vec<String>,
    pub(super) in_use: Vec<String>,
    metadata: ObjectMeta,
}

impl<'a> Target<'a> {
    pub(super) fn new(client: &'a Client, user: UserId, workspace: Option<WorkspaceId>) -> Self {
        Self {
            client,
            namespace: user.namespace(),
            workspace,
        }
    }

    /// Looks at the object, and at what goes before it.
    pub(super) async fn find(&self) -> Result<Found> {
        let Some(namespace) = self
            .namespaces()
            .get_opt(&self.namespace)
            .await
            .map_err(unread)?
        else {
            return Ok(Found::default());
        };
        let ours = label(&namespace.metadata, MANAGED_BY.0) == Some(MANAGED_BY.1);
        let (metadata, held_by) = match &self.name() {
            None => {
                let held_by = namespace_held_by(&namespace);
                (namespace.metadata, held_by)
            }
            Some(name) => match self.volumes().get_opt(name).await.map_err(unread)? {
                Some(volume) => {
                    let held_by = finalizers(&volume.metadata);
                    (volume.metadata, held_by)
                }
                None => return Ok(Found::default()),
            },
        };
        let terminating = metadata.deletion_timestamp.as_ref().map(|since| since.0);
        let mut found = Found {
            live: Some(Live {
                ours,
                annotated: is_annotated(&metadata),
                terminating: terminating.map(|since| (since, held_by)),
            }),
            metadata,
            ..Found::default()
        };
        if terminating.is_none() {
            self.beside(&mut found).await?;
        }
        Ok(found)
    }

    /// The workspaces' StatefulSets and their pods, and for a volume every pod that uses it. A pod that somebody
    /// started by hand in their own namespace goes with the namespace: it must not keep it.
    async fn beside(&self, found: &mut Found) -> Result<()> {
        let selector = match self.workspace {
            Some(workspace) => format!("{WORKSPACE}={workspace}"),
            None => WORKSPACE.to_owned(),
        };
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), &self.namespace);
        let selected = ListParams::default().labels(&selector);
        for set in sets.list(&selected).await.map_err(unread)? {
            found
                .leftovers
                .push(format!("StatefulSet/{}", name_of(&set.metadata)));
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        for pod in pods.list(&ListParams::default()).await.map_err(unread)? {
            let name = format!("Pod/{}", name_of(&pod.metadata));
            let of_workspace = match self.workspace {
                Some(workspace) => {
                    label(&pod.metadata, WORKSPACE) == Some(workspace.to_string().as_str())
                }
                None => label(&pod.metadata, WORKSPACE).is_some(),
            };
            if self.name().is_some_and(|volume| uses(&pod, &volume)) {
                found.in_use.push(name);
            } else if of_workspace && is_of_a_set(&pod.metadata) {
                found.leftovers.push(name);
            }
        }
        Ok(())
    }

    /// Puts the tombstone on the object, if it is still the one that was seen.
    pub(super) async fn annotate(&self, found: &mut Found, value: &str) -> Result<(), Why> {
        let patch = Patch::Merge(json!({"metadata": {
            "uid": found.metadata.uid,
            "resourceVersion": found.metadata.resource_version,
            "annotations": {TOMBSTONE: value},
        }}));
        let params = PatchParams::default();
        let metadata = match self.name() {
            None => {
                let namespaces = self.namespaces();
                let patched = namespaces.patch(&self.namespace, &params, &patch);
                patched.await.map_err(refused)?.metadata
            }
            Some(name) => {
                let volumes = self.volumes();
                let patched = volumes.patch(&name, &params, &patch);
                patched.await.map_err(refused)?.metadata
            }
        };
        if let Some(live) = &mut found.live {
            live.annotated = is_annotated(&metadata);
        }
        found.metadata = metadata;
        Ok(())
    }

    /// Removes the object, if it is still the one that was seen.
    pub(super) async fn delete(&self, found: &Found) -> Result<(), Why> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: found.metadata.uid.clone(),
                resource_version: found.metadata.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        match self.name() {
            None => {
                let namespaces = self.namespaces();
                namespaces.delete(&self.namespace, &params).await.map(drop)
            }
            Some(name) => self.volumes().delete(&name, &params).await.map(drop),
        }
        .map_err(refused)
    }

    fn name(&self) -> Option<String> {
        self.workspace.map(|workspace| workspace.object_name())
    }

    fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.client.clone())
    }

    fn volumes(&self) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

fn unread(error: kube::Error) -> Error {
    Error::unavailable(
        "the cluster cannot be read; nothing more is removed: check that the API server answers and the reaper's rights",
    )
    .because(error)
}

/// What a refused change means for the object.
fn refused(error: kube::Error) -> Why {
    match error {
        kube::Error::Api(status) if status.code == 404 || status.code == 409 => Why::Changed,
        kube::Error::Api(status) => Why::Refused(status.message.clone()),
        error => Why::Refused(error.to_string()),
    }
}

fn name_of(metadata: &ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    value(metadata.labels.as_ref(), key)
}

fn value<'a>(map: Option<&'a BTreeMap<String, String>>, key: &str) -> Option<&'a str> {
    map?.get(key).map(String::as_str)
}

fn is_annotated(metadata: &ObjectMeta) -> bool {
    value(metadata.annotations.as_ref(), TOMBSTONE).is_some_and(|value| !value.is_empty())
}

fn is_of_a_set(metadata: &ObjectMeta) -> bool {
    let owners = metadata.owner_references.iter().flatten();
    owners
        .filter(|owner| owner.controller == Some(true))
        .any(|owner| owner.kind == "StatefulSet")
}

/// True if the pod uses the volume: one that has ended does not (Kubernetes documentation, "Storage Object in Use
/// Protection").
fn uses(pod: &Pod, volume: &str) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let ended = matches!(phase, Some("Succeeded" | "Failed"));
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    !ended
        && volumes
            .filter_map(|volume| volume.persistent_volume_claim.as_ref())
            .any(|claim| claim.claim_name == volume)
}

/// What holds up a Namespace's end, by its own conditions (Kubernetes API, `NamespaceCondition`).
fn namespace_held_by(namespace: &Namespace) -> String {
    let conditions = namespace
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let told: Vec<String> = conditions
        .filter(|condition| condition.status == "True")
        .map(|condition| {
            let message = condition.message.as_deref().unwrap_or_default();
            format!("{}: {message}", condition.type_)
        })
        .collect();
    if told.is_empty() {
        "the namespace controller is at work".to_owned()
    } else {
        told.join("; ")
    }
}

fn finalizers(metadata: &ObjectMeta) -> String {
    match metadata.finalizers.as_deref() {
        Some(finalizers) if !finalizers.is_empty() => {
            format!("held by {}", finalizers.join(", "))
        }
        _ => "nothing holds it".to_owned(),
    }
}
