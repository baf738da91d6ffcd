//! Somebody deletes a user's Namespace, of one who works and of one who is suspended.

use std::time::Duration;

use futures::future::try_join;
use kube::api::DeleteParams;
use serde_json::Value;

use super::looks::{self, Live};
use crate::{Context, Failure, Length, Person, Result, Scenario, World, ensure, say, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "namespaces",
    purpose: "Namespaces deleted by hand come back with a new volume and the power that they had, and it is told",
    expected: Duration::from_secs(180),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// How long a deleted namespace may take to be there again.
const PATIENCE: Duration = Duration::from_secs(400);

async fn run(context: &mut Context) -> Result {
    let world = context.world().await?;
    let api = world.product.api();
    let (person, sleeper) = (
        api.sign_up("namespace@example.test").await?,
        api.sign_up("namespace-asleep@example.test").await?,
    );
    looks::phase(&person, "ready").await?;
    looks::phase(&sleeper, "ready").await?;
    sleeper.ask("stop").await?;
    looks::phase(&sleeper, "suspended").await?;
    let deleted = async {
        let ready = namespace_deleted(world, &person, "ready");
        let asleep = namespace_deleted(world, &sleeper, "suspended");
        try_join(ready, asleep).await.map(drop)
    };
    say::step("deleted namespaces come back and are told", deleted).await?;
    say::step("all agree", looks::agree(world)).await?;
    world.must_run()
}

/// Everything of the person goes, the volume with it. The objects come back, the volume is a new one, the power is
/// what it was, and the workspace says what has happened to it.
async fn namespace_deleted(world: &World, person: &Person, phase: &str) -> Result {
    let live = Live::of(&world.cluster, person);
    let before = claim(&live, person).await?;
    live.namespaces
        .delete(&live.namespace, &DeleteParams::default())
        .await?;
    looks::told_of_drift(person, "the Namespace was").await?;
    // Argo CD begins to put back what is gone while the Namespace is still there, and fails until it is ended
    // (`controller.sync.timeout.seconds`); then the observer has the shard begun anew.
    until("everything to be there again", PATIENCE, || async {
        let now = claim(&live, person).await?;
        ensure!(now != before, "the volume is the old one");
        live.sets.get(&person.objects()).await?;
        Ok(())
    })
    .await?;
    let shown = looks::phase(person, phase).await?;
    ensure!(
        !has(&shown, "quarantined"),
        "a deleted namespace is no refusal: {shown}"
    );
    let pods = live.pod_count().await?;
    let wanted = usize::from(phase == "ready");
    ensure!(pods == wanted, "{pods} pods of one who is {phase}");
    looks::told_of_drift(person, "the Namespace was").await
}

fn has(shown: &Value, kind: &str) -> bool {
    let notices = shown["notices"].as_array();
    notices.is_some_and(|notices| notices.iter().any(|notice| notice["kind"] == kind))
}

/// Which claim it is.
async fn claim(live: &Live, person: &Person) -> Result<String> {
    let claim = live.claims.get(&person.objects()).await?;
    let none = || Failure::new("a claim without a UID");
    claim.metadata.uid.ok_or_else(none)
}
