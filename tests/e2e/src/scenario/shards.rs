//! The cell's shards as Argo CD sees them.

use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use super::looks::{self, LIMIT};
use crate::{CELL, Cluster, Failure, Person, Product, Result, ensure, until};

const REFRESH: &str = "argocd.argoproj.io/refresh";

/// Argo CD's Applications.
pub(super) fn applications(cluster: &Cluster) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    Api::namespaced_with(cluster.admin(), "argocd", &ApiResource::from_gvk(&kind))
}

/// The name of a shard's Application.
pub(super) fn application(shard: &str) -> String {
    format!("{CELL}-shard-{shard}")
}

/// The shard that a person's file is in, by Git.
pub(super) fn of(product: &Product, person: &Person) -> Result<String> {
    let listed = looks::git(
        product,
        &["ls-tree", "-r", "--name-only", "refs/heads/main"],
    )?;
    let own = format!("{}.yaml", person.user);
    let path = listed.lines().find(|path| path.ends_with(&own));
    let shard = path.and_then(|path| path.split('/').nth(1));
    let none = || Failure::new(format!("Git has no file of {}", person.user));
    shard.map(str::to_owned).ok_or_else(none)
}

/// Has Argo CD compare a shard with Git and with the cluster, from the ground up, and waits until it has; gives the
/// status of the Application then.
pub(super) async fn compare(cluster: &Cluster, shard: &str) -> Result<Value> {
    let applications = applications(cluster);
    let name = application(shard);
    let ask = Patch::Merge(json!({"metadata": {"annotations": {REFRESH: "hard"}}}));
    applications
        .patch(&name, &PatchParams::default(), &ask)
        .await?;
    until(format!("Argo CD to compare {name}"), LIMIT, || async {
        let seen = applications.get(&name).await?;
        let asked = seen.metadata.annotations.unwrap_or_default();
        ensure!(!asked.contains_key(REFRESH), "it has not yet");
        let status = seen.data["status"].clone();
        ensure!(
            status["operationState"]["phase"] != "Running",
            "an operation is under way"
        );
        Ok(status)
    })
    .await
}
