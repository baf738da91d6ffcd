//! The cell's shards as Argo CD sees them.

use std::time::Duration;

use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::looks::{self, LIMIT};
use crate::{CELL, Cluster, Failure, Person, Product, Result, World, ensure, until};

/// How long an Application must stay as it is to be called quiet.
const QUIET: Duration = Duration::from_secs(2);

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

/// Waits until Argo CD leaves the Application of a person's shard as it is.
pub(super) async fn quiet(world: &World, person: &Person) -> Result {
    let applications = applications(&world.cluster);
    let name = application(&of(&world.product, person)?);
    until(format!("{name} to be quiet"), LIMIT, || async {
        let before = applications.get(&name).await?;
        sleep(QUIET).await;
        let now = applications.get(&name).await?;
        let is_synced = now.data["status"]["sync"]["status"] == "Synced";
        ensure!(
            is_synced && before.metadata.resource_version == now.metadata.resource_version,
            "it changes"
        );
        Ok(())
    })
    .await
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
