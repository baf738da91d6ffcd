//! Somebody changes the cluster by hand: what Git says comes back, the scale that the registry wants comes back, the
//! workspace tells what was done to it, and then nobody goes on changing anything.
//!
//! Two controllers that each put back the other's change were found to scale workloads up and down for ever
//! (argo-cd#28590, #7820): `nobody_fights` counts every change of a StatefulSet on the way 0 → 1 → 0.

use std::time::Duration;

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::ResourceQuota};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    looks::{self, LIMIT, Live},
    shards,
};
use crate::{CELL, Context, Length, Person, Result, Scenario, World, ensure, say, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "drift",
    purpose: "scale and quota changed by hand come back and are told; self-heal on, 0 → 1 → 0: no fight; a pause",
    expected: Duration::from_secs(30),
    length: Length::Quick,
    run: |context| Box::pin(run(context)),
};

/// How often Argo CD compares everything while nothing may change.
const COMPARISONS: usize = 3;

async fn run(context: &mut Context) -> Result {
    let world = context.world().await?;
    let api = world.product.api();
    let person = api.sign_up("drift@example.test").await?;
    looks::phase(&person, "ready").await?;
    let fight = nobody_fights(world, &person);
    say::step("0 → 1 → 0 is three changes and no more", fight).await?;
    let two = scaled_to_two(world, &person);
    say::step("a scale of 2 is put back and told", two).await?;
    let quota = quota_edited(world, &person);
    say::step("an edited quota is put back and told", quota).await?;
    let paused = paused_shard(world, &person);
    say::step("a paused shard stands still, and then follows", paused).await?;
    say::step("all agree", looks::agree(world)).await?;
    world.must_run()
}

/// Case: self-heal and whoever else sets replicas fight. Every change of the specification raises the generation: one
/// for each scale that a person asked for, none by Argo CD, however often it compares.
async fn nobody_fights(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    let name = person.objects();
    let began = generation(&live.sets.get(&name).await?);
    for (changes, (action, phase)) in [
        (1, ("stop", "suspended")),
        (2, ("start", "ready")),
        (3, ("stop", "suspended")),
    ] {
        person.ask(action).await?;
        looks::phase(person, phase).await?;
        let calm = calm(&live, &name).await?;
        quiet(world, person, &calm).await?;
        let now = generation(&live.sets.get(&name).await?);
        ensure!(
            now == began + changes,
            "{changes} scales were asked for, the StatefulSet was changed {} times",
            now - began
        );
    }
    person.ask("start").await?;
    looks::phase(person, "ready").await.map(drop)
}

fn generation(set: &StatefulSet) -> i64 {
    set.metadata.generation.unwrap_or_default()
}

/// Waits until the StatefulSet's controller has said all there is to say, and gives the object.
async fn calm(live: &Live, name: &str) -> Result<StatefulSet> {
    until("the StatefulSet to be calm", LIMIT, || async {
        let set = live.sets.get(name).await?;
        let (asked, status) = (json!(set.spec)["replicas"].clone(), json!(set.status));
        let counts = ["replicas", "readyReplicas", "availableReplicas"];
        ensure!(
            status["observedGeneration"] == generation(&set)
                && counts.iter().all(|count| {
                    status[*count].as_i64().unwrap_or_default() == asked.as_i64().unwrap_or(1)
                }),
            "{status}"
        );
        Ok(set)
    })
    .await
}

/// Argo CD compares again and again, and neither syncs nor changes the object.
async fn quiet(world: &World, person: &Person, calm: &StatefulSet) -> Result {
    let live = Live::of(&world.cluster, person);
    let shard = shards::of(&world.product, person)?;
    let first = shards::compare(&world.cluster, &shard).await?;
    for _ in 0..COMPARISONS {
        let next = shards::compare(&world.cluster, &shard).await?;
        ensure!(next["sync"]["status"] == "Synced", "{}", next["sync"]);
        ensure!(
            next["operationState"]["startedAt"] == first["operationState"]["startedAt"],
            "Argo CD synced without a commit: {}",
            next["operationState"]
        );
    }
    let set = live.sets.get(&person.objects()).await?;
    ensure!(
        set.metadata.resource_version == calm.metadata.resource_version,
        "somebody wrote the StatefulSet: {:?}",
        set.metadata.managed_fields
    );
    Ok(())
}

/// Two pods on one volume would both write. The second waits for nothing: it is there at once, and goes again.
async fn scaled_to_two(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    let name = person.objects();
    let two = Patch::Merge(json!({"spec": {"replicas": 2}}));
    live.sets
        .patch_scale(&name, &PatchParams::default(), &two)
        .await?;
    looks::told_of_drift(person, "scale was set to 2").await?;
    until("one pod at scale 1", LIMIT, || async {
        let scale = live.scale(&name).await?;
        ensure!(scale == 1, "the scale is {scale}");
        live.only_pod().await.map(drop)
    })
    .await?;
    looks::phase(person, "ready").await.map(drop)
}

async fn quota_edited(world: &World, person: &Person) -> Result {
    let quotas: Api<ResourceQuota> = Api::namespaced(world.cluster.admin(), &person.namespace());
    let hard = async || -> Result<Value> {
        let quota = quotas.get("workspace-quota").await?;
        Ok(json!(quota.spec)["hard"]["pods"].clone())
    };
    let before = hard().await?;
    let more = Patch::Merge(json!({"spec": {"hard": {"pods": "99"}}}));
    quotas
        .patch("workspace-quota", &PatchParams::default(), &more)
        .await?;
    until("the quota to be as it was", LIMIT, || async {
        let now = hard().await?;
        ensure!(now == before, "pods: {now}");
        Ok(())
    })
    .await?;
    looks::told_of_drift(person, "ResourceQuota workspace-quota").await?;
    let shown = person.shown().await?;
    ensure!(shown["phase"] == "ready", "{shown}");
    Ok(())
}

/// As `argocd proj windows add` does it, for one Application: Argo CD sees that Git has something else, and leaves it.
async fn paused_shard(world: &World, person: &Person) -> Result {
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "AppProject");
    let projects: Api<DynamicObject> = Api::namespaced_with(
        world.cluster.admin(),
        "argocd",
        &ApiResource::from_gvk(&kind),
    );
    let windows = async |windows: Value| -> Result {
        let change = Patch::Merge(json!({"spec": {"syncWindows": windows}}));
        let project = format!("coditect-{CELL}");
        projects
            .patch(&project, &PatchParams::default(), &change)
            .await?;
        Ok(())
    };
    let shard = shards::of(&world.product, person)?;
    shards::quiet(world, person).await?;
    windows(json!([{
        "kind": "deny",
        "schedule": "* * * * *",
        "duration": "24h",
        "applications": [shards::application(&shard)],
    }]))
    .await?;
    let before = generation(&stateful_set(world, person).await?);
    let plan = json!({"plan": "starter"});
    person
        .must(Method::PUT, "/api/v5/tenant/plan", Some(&plan))
        .await?;
    until("Argo CD to see that Git has more", LIMIT, || async {
        let status = shards::compare(&world.cluster, &shard).await?;
        ensure!(
            status["sync"]["status"] == "OutOfSync",
            "{}",
            status["sync"]
        );
        Ok(())
    })
    .await?;
    for _ in 0..COMPARISONS {
        shards::compare(&world.cluster, &shard).await?;
    }
    let during = generation(&stateful_set(world, person).await?);
    ensure!(during == before, "a paused shard was synced");
    windows(Value::Null).await?;
    until("the shard to follow", LIMIT, || async {
        shards::compare(&world.cluster, &shard).await?;
        let now = generation(&stateful_set(world, person).await?);
        ensure!(now > during, "it does not");
        Ok(())
    })
    .await
}

async fn stateful_set(world: &World, person: &Person) -> Result<StatefulSet> {
    let live = Live::of(&world.cluster, person);
    Ok(live.sets.get(&person.objects()).await?)
}
