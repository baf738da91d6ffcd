//! What was deleted leaves the cluster, and nothing else does: a volume that is still used waits, an erased person's
//! namespace goes at once, one without a tombstone never, whoever marks or asks for it.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, Pod};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    looks::{self, LIMIT, Live},
    policy::Edit,
};
use crate::{
    CELL, Context, Failure, Length, PASSWORD, Person, Result, Scenario, World, ensure, until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reaper",
    purpose: "deleted volumes and namespaces go on a tombstone, in two steps; nothing goes without one",
    expected: Duration::from_secs(90),
    length: Length::Quick,
    run: |context| Box::pin(run(context)),
};

/// The annotation without which nothing may be deleted.
const TOMBSTONE: &str = "coditect.ai/tombstone";

async fn run(context: &mut Context) -> Result {
    let world = context.world().await?;
    let api = world.product.api();
    let stays = api.sign_up("stays@example.test").await?;
    let grace = api.sign_up("grace@example.test").await?;
    let erased = api.sign_up("erased@example.test").await?;
    for person in [&stays, &grace, &erased] {
        looks::phase(person, "ready").await?;
    }
    nothing_goes_without_a_tombstone(world, &stays).await?;
    a_volume_waits_for_the_pod_that_uses_it(world, &stays).await?;
    leaves_after_grace(world, &grace).await?;
    leaves_at_once(world, &erased).await?;
    looks::phase(&stays, "ready").await?;
    looks::agree(world).await
}

/// What the reaper says of a person: outcome and reason of each thing that is to go.
async fn rows(world: &World, person: &Person) -> Result<Vec<Value>> {
    let said = looks::reap(world).await?;
    let rows = said.pointer("/0/rows").and_then(Value::as_array);
    let Some(rows) = rows else {
        return Err(Failure::new(format!("the reaper says {said}")));
    };
    let of = |row: &&Value| row["user"] == person.user.as_str();
    Ok(rows.iter().filter(of).cloned().collect())
}

/// Passes until nothing of the person is on the list.
async fn until_off_the_list(world: &World, person: &Person) -> Result {
    until("the reaper's list to be empty", LIMIT, || async {
        let rows = rows(world, person).await?;
        let gone = rows.iter().all(|row| row["outcome"] == "gone");
        ensure!(gone, "{rows:?}");
        Ok(())
    })
    .await?;
    let rows = rows(world, person).await?;
    ensure!(rows.is_empty(), "noted as gone, and on the list: {rows:?}");
    Ok(())
}

/// The reaper's identity cannot delete what does not carry the annotation; and what carries it by somebody's hand, but
/// has no tombstone in the registry, is on nobody's list.
async fn nothing_goes_without_a_tombstone(world: &World, person: &Person) -> Result {
    let name = person.namespace();
    let reaper = world
        .cluster
        .as_service_account("coditect", "coditect-reaper")
        .await?;
    let as_reaper: Api<Namespace> = Api::all(reaper);
    let refused = as_reaper.delete(&name, &DeleteParams::default()).await;
    let Err(kube::Error::Api(status)) = refused else {
        return Err(Failure::new(format!("not refused: {refused:?}")));
    };
    ensure!(
        status.code == 403 && status.message.contains(TOMBSTONE),
        "refused for another reason: {status}"
    );

    let as_admin: Api<Namespace> = Api::all(world.cluster.admin());
    let mark =
        |value: Value| Patch::Merge(json!({"metadata": {"annotations": {TOMBSTONE: value}}}));
    let params = PatchParams::default();
    as_admin
        .patch(&name, &params, &mark("by hand".into()))
        .await?;
    let found = rows(world, person).await?;
    ensure!(
        found.is_empty(),
        "somebody's mark is a tombstone: {found:?}"
    );
    let live = as_admin.get(&name).await?;
    ensure!(
        live.metadata.deletion_timestamp.is_none(),
        "removed without a tombstone"
    );
    as_admin.patch(&name, &params, &mark(Value::Null)).await?;
    Ok(())
}

async fn a_volume_waits_for_the_pod_that_uses_it(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    let plan = json!({"plan": "starter"});
    person
        .must(Method::PUT, "/api/v5/tenant/plan", Some(&plan))
        .await?;
    let named = json!({"name": "short-lived"});
    let made = person
        .must(Method::POST, "/api/v5/workspaces", Some(&named))
        .await?;
    let id = made["id"].as_str().unwrap_or_default().to_owned();
    looks::phase_of(person, &id, "ready").await?;
    let name = format!("workspace-{id}");
    let claim = live.claims.get(&name).await?;
    let volume = claim.spec.and_then(|spec| spec.volume_name);
    let volume = volume.ok_or_else(|| Failure::new("a ready workspace without a volume"))?;
    live.pods
        .create(&PostParams::default(), &copier(&live.namespace, &name)?)
        .await?;

    let edit = Edit::replace(
        &world.product,
        "tenants/defaults.yaml",
        "graceDays: 7",
        "graceDays: 0",
    )
    .await?;
    let path = format!("/api/v5/workspaces/{id}");
    let restore = format!("{path}/restore");
    looks::mark_without_grace(
        async || person.must(Method::DELETE, &path, None).await,
        async || person.must(Method::POST, &restore, None).await,
    )
    .await?;
    looks::gone(person, &id).await?;
    edit.undo(&world.product).await?;
    until("the volume to wait for its pod", LIMIT, || async {
        let found = rows(world, person).await?;
        let why = found.first().map(|row| row["why"].clone());
        ensure!(why == Some("in_use".into()), "{found:?}");
        Ok(())
    })
    .await?;
    let claim = live.claims.get(&name).await?;
    ensure!(
        claim.metadata.deletion_timestamp.is_none(),
        "a used volume is being removed"
    );

    live.pods
        .delete("copier", &DeleteParams::default().grace_period(0))
        .await?;
    until_off_the_list(world, person).await?;
    ensure!(
        live.claims.get_opt(&name).await?.is_none(),
        "off the list and there"
    );
    let volumes: Api<PersistentVolume> = Api::all(world.cluster.admin());
    until("the disk to be given back", LIMIT, || async {
        let there = volumes.get_opt(&volume).await?;
        ensure!(there.is_none(), "it is there");
        Ok(())
    })
    .await?;
    let neighbour = live.claims.get(&person.objects()).await?;
    ensure!(
        neighbour.metadata.deletion_timestamp.is_none(),
        "the neighbour's volume goes too"
    );
    Ok(())
}

/// A pod that somebody started by hand to copy files off a volume, as `restricted` admits it.
fn copier(namespace: &str, claim: &str) -> Result<Pod> {
    let least = json!({"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "16Mi"});
    Ok(serde_json::from_value(json!({
        "metadata": {"name": "copier", "namespace": namespace},
        "spec": {
            "serviceAccountName": "workspace-sa",
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}
            },
            "containers": [{
                "name": "copier", "image": "coditect/ide:0.1.0",
                "resources": {"requests": least, "limits": least},
                "securityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}
                },
                "volumeMounts": [{"name": "files", "mountPath": "/files"}]
            }],
            "volumes": [{"name": "files", "persistentVolumeClaim": {"claimName": claim}}]
        }
    }))?)
}

/// Marked, everything stays; when the grace period is over, the namespace goes.
async fn leaves_after_grace(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    let edit = Edit::replace(
        &world.product,
        "tenants/defaults.yaml",
        "graceDays: 7",
        "graceDays: 0",
    )
    .await?;
    let marked = json!({"password": PASSWORD, "mode": "grace"});
    looks::mark_without_grace(
        async || {
            person
                .must(Method::DELETE, "/api/v5/me", Some(&marked))
                .await
        },
        async || person.must(Method::POST, "/api/v5/me/restore", None).await,
    )
    .await?;
    until_removed(world, person, &live).await?;
    edit.undo(&world.product).await
}

/// An erasure is asked for and done, without a person of the operator's between.
async fn leaves_at_once(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    let erase = json!({"password": PASSWORD, "mode": "now"});
    person
        .must(Method::DELETE, "/api/v5/me", Some(&erase))
        .await?;
    let kubeconfig = world
        .cluster
        .kubeconfig_of("coditect", "coditect-reaper")
        .await?;
    let cluster = format!("--cluster={CELL}={}", kubeconfig.display());
    until("a dry run to say that it may go", LIMIT, || async {
        let command = ["reap", "--dry-run", &cluster];
        let (code, said) = world.product.command(&command).await?;
        let text = said.to_string();
        ensure!(
            code == 0 && text.contains(&person.user) && text.contains("would_remove"),
            "{code} {said}"
        );
        Ok(())
    })
    .await?;
    let untouched = live.namespaces.get(&live.namespace).await?.metadata;
    let marked = untouched.annotations.unwrap_or_default();
    ensure!(
        untouched.deletion_timestamp.is_none() && !marked.contains_key(TOMBSTONE),
        "a dry run changed the namespace"
    );
    until_removed(world, person, &live).await
}

async fn until_removed(world: &World, person: &Person, live: &Live) -> Result {
    until("the namespace to be on its way out", LIMIT, || async {
        let found = rows(world, person).await?;
        let there = live.namespaces.get_opt(&live.namespace).await?;
        let going = there.is_none_or(|there| there.metadata.deletion_timestamp.is_some());
        ensure!(going, "{found:?}");
        Ok(())
    })
    .await?;
    live.no_namespace().await?;
    until_off_the_list(world, person).await?;
    ensure!(
        looks::file(&world.product, person)?.is_none(),
        "removed from the cluster and in Git"
    );
    Ok(())
}
