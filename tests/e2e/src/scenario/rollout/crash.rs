//! A release that crashes.

use reqwest::Method;
use serde_json::json;

use super::{
    super::looks::{self, LIMIT, Live},
    fleet::{Fleet, Picture},
    pending, release, rings,
    window::{AT_ONCE, begin, end, restart},
};
use crate::{Person, Result, World, ensure, fail, say, until};

/// Incident: a bad template filled the queue so that neither its fix nor anybody's request got through (Coder's
/// documents on prebuilt workspaces), and a global change restarted everyone into it (che#23553).
pub(super) async fn stops_at_the_canary(world: &World, fleet: &Fleet) -> Result {
    let before = Picture::of(world).await?;
    let canary = fleet.of_ring(0);
    release(world, "v3", "v2")?;
    rings(world, ["v3", "v2", "v2"], Some("crashing")).await?;
    for person in fleet
        .people
        .iter()
        .filter(|one| canary.contains(&one.namespace()))
    {
        pending(person, true).await?;
    }
    begin(world, AT_ONCE).await?;
    let failed = until("somebody's workspace to crash", LIMIT, || async {
        for person in &fleet.people {
            let shown = person.shown().await?;
            if shown["phase"] == "failed" {
                ensure!(
                    canary.contains(&person.namespace()),
                    "not of the canary: {shown}"
                );
                return Ok((person, shown));
            }
        }
        fail!("nobody's does")
    });
    let (crashed, shown) = failed.await?;
    let reason = &shown["reason"];
    ensure!(
        reason["cause"] == "crash"
            && reason["remedy"]
                .as_str()
                .is_some_and(|remedy| remedy.contains("release")),
        "{reason}"
    );

    // Meanwhile others get what they ask for.
    let Some(other) = fleet.people.iter().find(|one| fleet.ring(one) == 2) else {
        fail!("everyone is in a ring before the last");
    };
    larger_plan(world, other).await?;

    // Two rounds of a minute each, until more have failed than may.
    let stopped = until("the restart to stop by itself", 2 * LIMIT, || async {
        let (_, said) = restart(world, &["status"]).await?;
        ensure!(said["state"] == "stopped", "{said}");
        Ok(said)
    })
    .await?;
    ensure!(
        stopped["stopped"]
            .as_str()
            .is_some_and(|why| why.contains("did not get ready")),
        "{stopped}"
    );
    let now = Picture::of(world).await?;
    let mut renewed = now.renewed(&before);
    // A larger plan is another pod, too, and the window is for all that is outdated.
    renewed.remove(&other.namespace());
    ensure!(
        renewed.is_subset(&canary),
        "restarted beyond the canary: {renewed:?}"
    );
    ensure!(
        renewed.len() < canary.len(),
        "it stopped when nobody was left"
    );
    let spared = fleet
        .people
        .iter()
        .filter(|one| !renewed.contains(&one.namespace()));
    for person in spared {
        looks::phase(person, "ready").await?;
    }
    say::line(format!(
        "            {} of {} in the canary were restarted",
        renewed.len(),
        canary.len()
    ));

    // Back by a commit. Who crashes is helped by the next start: their own, or that of a restart.
    rings(world, ["v2", "v2", "v2"], None).await?;
    until(
        "the canary to have v2 in the cluster again",
        LIMIT,
        || async {
            let now = Picture::of(world).await?;
            for namespace in &canary {
                let one = now.of_user(namespace)?;
                ensure!(one.has("v2"), "{namespace}: {one:?}");
            }
            Ok(())
        },
    )
    .await?;
    crashed.ask("stop").await?;
    looks::phase(crashed, "suspended").await?;
    crashed.ask("start").await?;
    looks::phase(crashed, "ready").await?;
    begin(world, AT_ONCE).await?;
    for person in &fleet.people {
        looks::phase(person, "ready").await?;
        pending(person, false).await?;
    }
    let now = Picture::of(world).await?;
    let now_renewed = now.renewed(&before);
    for (namespace, one) in &now.users {
        ensure!(one.is_newest() && one.has("v2"), "{namespace}: {one:?}");
        ensure!(
            renewed.contains(namespace) == now_renewed.contains(namespace)
                || *namespace == other.namespace(),
            "{namespace} was restarted for nothing"
        );
    }
    let (_, said) = restart(world, &["status"]).await?;
    ensure!(said["failed"] == 0, "{said}");
    end(world).await
}

async fn larger_plan(world: &World, person: &Person) -> Result {
    let body = json!({"plan": "starter"});
    person
        .must(Method::PUT, "/api/v5/tenant/plan", Some(&body))
        .await?;
    let live = Live::of(&world.cluster, person);
    until(
        "another person's larger plan to be in the cluster",
        LIMIT,
        || async {
            let namespace = live.namespaces.get(&live.namespace).await?;
            let plan = namespace
                .metadata
                .labels
                .unwrap_or_default()
                .remove("coditect.ai/plan");
            ensure!(plan.as_deref() == Some("starter"), "{plan:?}");
            Ok(())
        },
    )
    .await?;
    looks::phase(person, "ready").await.map(drop)
}
