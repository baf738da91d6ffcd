//! Bringing manifests into a cluster as its administrator.

use futures::future::try_join_all;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::Value;

use crate::{During, Failure, Result};

/// The kinds without a namespace that manifests of this project or of Argo CD have.
const CLUSTER_WIDE: [&str; 10] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "Namespace",
    "Node",
    "PersistentVolume",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// Every object of a YAML stream.
///
/// # Errors
/// If it is no YAML.
pub fn documents(yaml: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml)?;
    Ok(documents.into_iter().filter(|one| !one.is_null()).collect())
}

/// Applies all objects of a YAML stream at the same time, server-side. Those that name no namespace go into the
/// one given.
///
/// # Errors
/// The first object that is refused.
pub(super) async fn apply(client: &Client, yaml: &str, namespace: &str) -> Result {
    let objects = documents(yaml)?;
    try_join_all(
        objects
            .into_iter()
            .map(|object| one(client, object, namespace)),
    )
    .await?;
    Ok(())
}

async fn one(client: &Client, object: Value, namespace: &str) -> Result {
    let object: DynamicObject = serde_json::from_value(object)?;
    let types = object.types.clone().unwrap_or_default();
    let kind = GroupVersionKind::try_from(&types)?;
    let resource = ApiResource::from_gvk(&kind);
    let name = object
        .metadata
        .name
        .clone()
        .ok_or_else(|| Failure::new(format!("a {} without a name", types.kind)))?;
    let objects: Api<DynamicObject> = if CLUSTER_WIDE.contains(&types.kind.as_str()) {
        Api::all_with(client.clone(), &resource)
    } else {
        let namespace = object.metadata.namespace.as_deref().unwrap_or(namespace);
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    let params = PatchParams::apply("coditect-e2e").force();
    let applied = objects.patch(&name, &params, &Patch::Apply(&object)).await;
    applied.map(drop).during(format!("{} {name}", types.kind))
}
