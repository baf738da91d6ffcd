//! One of the users of a full shard is refused while a change goes to all of them: 77 neighbours proceed.
//!
//! One object that fails its dry run stops all of its Application (argo-cd#15095), and an Application holds a whole
//! shard. Git, registry and renderer have 10,000 users, so that a shard has 78; only one shard is in the cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use k8s_openapi::api::core::v1::{LimitRange, Pod};
use kube::{Api, ResourceExt, api::ListParams};

use super::super::{
    looks::{self, Live},
    policy::Edit,
    refusal::{self, PATIENCE},
};
use crate::{Context, Failure, Length, Person, Result, Scenario, World, ensure, say, until};

pub(in crate::scenario) const SCENARIO: Scenario = Scenario {
    name: "neighbours",
    purpose: "one user of a full shard is refused during a change for all: the 77 others get it",
    expected: std::time::Duration::from_secs(180),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// Twice of what a cell is meant for: so many users share a shard when a cell is as full as it may ever be.
const PEOPLE: usize = 10_000;
/// How many share the shard, at least.
const SHARE: usize = 78;

async fn run(context: &mut Context) -> Result {
    let world = World::filled(&context.machine, context.name, PEOPLE);
    let mut world = say::step(format!("{PEOPLE} users are in Git"), world).await?;
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for one in world.product.seeded() {
        *sizes.entry(&one.shard).or_default() += 1;
    }
    let fits = sizes.into_iter().filter(|(_, size)| *size >= SHARE);
    let (shard, size) = fits
        .min_by_key(|(_, size)| *size)
        .map(|(shard, size)| (shard.to_owned(), size))
        .ok_or_else(|| Failure::new(format!("no shard has {SHARE} users")))?;
    say::line(format!("            shard {shard} has {size} users"));
    super::synced(&mut world, context, Some(&BTreeSet::from([shard.clone()]))).await?;
    let people = super::signed_in(&world, Some(&shard), size).await?;
    let (victim, neighbours) = people
        .split_first()
        .ok_or_else(|| Failure::new("nobody signed in"))?;
    all_but_one(&world, victim, neighbours).await?;
    say::step("lifted, the one has it, too", lifted(&world, victim)).await?;
    world.product.show_usage()?;
    world.must_run()?;
    world.stop().await
}

/// The plan's memory grows, which the cluster does not admit for one of its users.
async fn all_but_one(world: &World, victim: &Person, neighbours: &[Person]) -> Result {
    let namespace = victim.namespace();
    let now = refusal::limit(world, &namespace).await?;
    let good = looks::file(&world.product, victim)?;
    let pods = pods(world).await?;
    refusal::refuse(world, &namespace, &now).await?;
    let plan = "tenants/plans/free.yaml";
    Edit::replace(&world.product, plan, "memoryMib: 1024", "memoryMib: 1280").await?;
    let began = Instant::now();
    let waits = neighbours.iter().map(Person::namespace).collect();
    say::step(
        format!("{} neighbours have the change", neighbours.len()),
        changed(world, &now, &waits),
    )
    .await?;
    say::step("the refused one is told", refusal::told(victim)).await?;
    say::line(format!(
        "            {} after the change",
        say::seconds(began.elapsed())
    ));
    until("the last good file to stand", PATIENCE, || async {
        let file = looks::file(&world.product, victim)?;
        ensure!(file == good, "Git has another file");
        Ok(())
    })
    .await?;
    for person in neighbours.iter().chain([victim]) {
        looks::phase(person, "ready").await?;
    }
    ensure!(
        self::pods(world).await? == pods,
        "a pod is not the one it was"
    );
    ensure!(
        refusal::limit(world, &namespace).await? == now,
        "the refused one's limits are others"
    );
    Ok(())
}

async fn lifted(world: &World, victim: &Person) -> Result {
    let namespace = victim.namespace();
    let before = refusal::limit(world, &namespace).await?;
    refusal::admit(world).await?;
    refusal::lift(world, victim).await?;
    changed(world, &before, &BTreeSet::from([namespace])).await?;
    refusal::cleared(victim).await?;
    ensure!(
        Live::of(&world.cluster, victim).pod_count().await? == 1,
        "there is another number of pods"
    );
    Ok(())
}

/// Waits until the live limits of all these namespaces are others than they were.
async fn changed(world: &World, before: &str, namespaces: &BTreeSet<String>) -> Result {
    let limits: Api<LimitRange> = Api::all(world.cluster.admin());
    until("the limits to be others", PATIENCE, || async {
        let all = limits.list(&ListParams::default()).await?.items;
        let mut waits = namespaces.clone();
        for one in &all {
            let items = one.spec.iter().flat_map(|spec| &spec.limits);
            let mut most = items.filter_map(|item| item.max.as_ref()?.get("memory"));
            if most.next().is_some_and(|most| most.0 != before) {
                waits.remove(&one.namespace().unwrap_or_default());
            }
        }
        ensure!(
            waits.is_empty(),
            "{} of {} are as before",
            waits.len(),
            namespaces.len()
        );
        Ok(())
    })
    .await
}

/// The uid of every user's pod.
async fn pods(world: &World) -> Result<BTreeSet<Option<String>>> {
    let pods: Api<Pod> = Api::all(world.cluster.admin());
    let of_users = ListParams::default().labels("app.kubernetes.io/name=workspace");
    let pods = pods.list(&of_users).await?.items;
    Ok(pods.into_iter().map(|pod| pod.metadata.uid).collect())
}
