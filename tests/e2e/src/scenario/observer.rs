//! What the observer says and puts right on a real API server: hands in the cluster, a full quota, an image that is
//! not there, an API server that dies, people who wake all at once.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::looks::{self, LIMIT, Live};
use crate::{Context, Length, Person, Result, Scenario, World, ensure, say, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "observer",
    purpose: "what is wrong is said and put right: hands in the cluster, a full quota, a dead API server, a wake storm",
    expected: Duration::from_secs(120),
    length: Length::Quick,
    run: |context| Box::pin(run(context)),
};

async fn run(context: &mut Context) -> Result {
    let storm = if context.full { 50 } else { 10 };
    let world = context.world().await?;
    let person = world.product.api().sign_up("observed@example.test").await?;
    looks::phase(&person, "ready").await?;
    say::step(
        "a scale set by hand is put back and told",
        scaled_by_hand(world, &person),
    )
    .await?;
    say::step(
        "a deleted StatefulSet comes back and is told",
        deleted_by_hand(world, &person),
    )
    .await?;
    say::step(
        "a full quota is named and clears",
        full_quota(world, &person),
    )
    .await?;
    say::step(
        "a dead API server is survived",
        api_server_dies(world, &person),
    )
    .await?;
    say::step(
        format!("{storm} people wake at once"),
        wake_storm(world, storm),
    )
    .await?;
    world.must_run()
}

fn has_notice(shown: &Value, kind: &str, detail: &str) -> bool {
    let notices = shown["notices"].as_array();
    notices.into_iter().flatten().any(|notice| {
        notice["kind"] == kind
            && notice["detail"]
                .as_str()
                .is_some_and(|text| text.contains(detail))
    })
}

async fn told(person: &Person, kind: &str, detail: &str) -> Result {
    until(format!("the notice {kind}: {detail}"), LIMIT, || async {
        let shown = person.shown().await?;
        ensure!(has_notice(&shown, kind, detail), "{}", shown["notices"]);
        Ok(())
    })
    .await
}

async fn scaled_by_hand(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    let name = person.objects();
    let zero = Patch::Merge(json!({"spec": {"replicas": 0}}));
    live.sets
        .patch_scale(&name, &PatchParams::default(), &zero)
        .await?;
    told(person, "drift", "scale was set to 0").await?;
    until("the scale to be 1 again", LIMIT, || async {
        let scale = live.scale(&name).await?;
        ensure!(scale == 1, "it is {scale}");
        Ok(())
    })
    .await?;
    looks::phase(person, "ready").await.map(drop)
}

async fn deleted_by_hand(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    live.sets
        .delete(&person.objects(), &DeleteParams::default())
        .await?;
    told(person, "drift", "StatefulSet was deleted").await?;
    until("another StatefulSet with a ready pod", LIMIT, || async {
        let set = live.sets.get(&person.objects()).await?;
        let ready = set.status.and_then(|status| status.ready_replicas);
        ensure!(ready == Some(1), "{ready:?}");
        Ok(())
    })
    .await?;
    looks::phase(person, "ready").await.map(drop)
}

async fn full_quota(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    person.ask("stop").await?;
    looks::phase(person, "suspended").await?;
    let quota = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: tried}, spec: {hard: {pods: \"0\"}}}";
    world.cluster.apply(quota, &live.namespace).await?;
    until("the quota to be counted", LIMIT, || async {
        let counted = world
            .cluster
            .kubectl(&[
                "get",
                "resourcequota",
                "tried",
                "-n",
                &live.namespace,
                "-o",
                "jsonpath={.status.hard.pods}",
            ])
            .await?;
        ensure!(counted == "0", "{counted}");
        Ok(())
    })
    .await?;
    person.ask("start").await?;
    let asked = Instant::now();
    let shown = looks::phase(person, "failed").await?;
    ensure!(shown["reason"]["cause"] == "quota", "{}", shown["reason"]);
    say::times(
        "a full quota is named",
        [("after".to_owned(), vec![asked.elapsed()])],
    );
    world
        .cluster
        .kubectl(&["delete", "resourcequota", "tried", "-n", &live.namespace])
        .await?;
    // The StatefulSet's controller waits longer each time before it tries again.
    looks::phase(person, "ready").await.map(drop)
}

async fn api_server_dies(world: &mut World, person: &Person) -> Result {
    world.cluster.kill9("kube-apiserver").await?;
    person.ask("stop").await?;
    world.cluster.restart("kube-apiserver").await?;
    looks::phase(person, "suspended").await?;
    world.product.kill9("observer").await?;
    person.ask("start").await?;
    world.product.restart("observer").await?;
    looks::phase(person, "ready").await.map(drop)
}

async fn wake_storm(world: &World, number: usize) -> Result {
    let api = &world.product.api();
    let people: Vec<Person> = stream::iter(0..number)
        .map(async |number| api.sign_up(&format!("storm-{number}@example.test")).await)
        .buffer_unordered(8)
        .try_collect()
        .await?;
    for person in &people {
        looks::phase(person, "ready").await?;
    }
    for person in &people {
        person.ask("stop").await?;
    }
    for person in &people {
        looks::phase(person, "suspended").await?;
    }
    let took: Vec<Duration> = stream::iter(&people)
        .map(async |person| {
            let live = Live::of(&world.cluster, person);
            let asked = Instant::now();
            person.ask("start").await?;
            until("the scale to be 1", LIMIT, || async {
                let scale = live.scale(&person.objects()).await?;
                ensure!(scale == 1, "it is {scale}");
                Ok(())
            })
            .await?;
            Result::Ok(asked.elapsed())
        })
        .buffer_unordered(number)
        .try_collect()
        .await?;
    say::times("from a click to the scale", [("woken".to_owned(), took)]);
    for person in &people {
        looks::phase(person, "ready").await?;
    }
    Ok(())
}
