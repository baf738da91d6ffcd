//! From a sign-up over HTTP to a ready pod, many at a time.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    Context, During, Length, Person, Product, Result, Scenario, Seen, World, ensure, say, until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "sign-up",
    purpose: "many sign up 8 at a time and find ready workspaces; registry, Git and cluster agree",
    expected: Duration::from_secs(150),
    length: Length::Quick,
    run: |context| Box::pin(run(context)),
};

/// How many sign up at the same time.
const AT_ONCE: usize = 8;
/// How long after the last sign-up everybody must have a ready pod.
const LIMIT: Duration = Duration::from_secs(400);

/// Somebody, when their sign-up began, and when it was acknowledged.
struct SignedUp {
    person: Person,
    began: Instant,
    acknowledged: Instant,
}

async fn run(context: &mut Context) -> Result {
    let number = if context.full { 500 } else { 100 };
    let world = context.world().await?;
    let seen = Seen::watch(&world.cluster.admin());
    let signing = sign_up(&world.product, number);
    let people = say::step(format!("{number} people sign up"), signing).await?;
    let shown = say::step("every workspace is ready", ready(&people)).await?;
    say::times(
        "since the sign-up began",
        [
            ("acknowledged", since(&people, |one| Some(one.acknowledged))),
            (
                "in the cluster",
                since(&people, |one| seen.of(&one.person.namespace()).applied),
            ),
            (
                "pod ready",
                since(&people, |one| seen.of(&one.person.namespace()).ready),
            ),
        ]
        .map(|(name, times)| (name.to_owned(), times)),
    );
    roads(&shown)?;
    say::step("registry, Git and cluster agree", agree(world)).await?;
    world.product.show_usage()?;
    world.cluster.show_usage()?;
    world.must_run()
}

async fn sign_up(product: &Product, people: usize) -> Result<Vec<SignedUp>> {
    let api = &product.api();
    stream::iter(0..people)
        .map(async |number| {
            let began = Instant::now();
            let email = format!("sign-up-{number}@example.test");
            let person = api.sign_up(&email).await.during(email)?;
            Ok(SignedUp {
                person,
                began,
                acknowledged: Instant::now(),
            })
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Waits until the API says of everybody's workspace that it is ready; gives what it shows.
async fn ready(people: &[SignedUp]) -> Result<Vec<serde_json::Value>> {
    let mut all = Vec::new();
    for one in people {
        let person = &one.person;
        let what = format!("{} to be ready", person.workspace);
        let shown = until(what, LIMIT, || async {
            let shown = person.shown().await?;
            ensure!(shown["phase"] == "ready", "{shown}");
            Ok(shown)
        });
        all.push(shown.await?);
    }
    Ok(all)
}

fn since(people: &[SignedUp], when: impl Fn(&SignedUp) -> Option<Instant>) -> Vec<Duration> {
    let took = |one: &SignedUp| Some(when(one)?.duration_since(one.began));
    people.iter().filter_map(took).collect()
}

/// Every phase is in the timeline, in order; a table of how long each took.
fn roads(shown: &[serde_json::Value]) -> Result {
    const ROAD: [&str; 5] = ["requested", "committed", "synced", "starting", "ready"];
    let mut took = ROAD.map(|phase| (phase.to_owned(), Vec::new()));
    for workspace in shown {
        let steps = workspace["timeline"]["steps"].as_array();
        let steps: Vec<_> = steps.into_iter().flatten().collect();
        let phases: Vec<_> = steps
            .iter()
            .filter_map(|step| step["phase"].as_str())
            .collect();
        // A pod that starts at once is never seen to be starting.
        let skipped: Vec<_> = ROAD
            .into_iter()
            .filter(|phase| *phase != "starting")
            .collect();
        ensure!(
            phases == ROAD || phases == skipped,
            "the steps of {workspace}"
        );
        for (phase, times) in &mut took {
            let step = steps.iter().find(|step| step["phase"] == phase.as_str());
            times.extend(
                step.and_then(|step| step["took_ms"].as_u64())
                    .map(Duration::from_millis),
            );
        }
    }
    say::times("as the API tells it", took);
    Ok(())
}

/// `coditect verify --cluster` finds no difference.
async fn agree(world: &World) -> Result {
    let kubeconfig = world
        .cluster
        .kubeconfig_of("coditect", "coditect-verify")
        .await?;
    let cluster = format!("--cluster={}={}", crate::CELL, kubeconfig.display());
    let (status, report) = world.product.command(&["verify", &cluster]).await?;
    ensure!(status == 0, "verify ends with status {status}: {report}");
    Ok(())
}
