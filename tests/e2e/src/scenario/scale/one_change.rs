//! One person's change, or one change of the policy for one organisation, until the live object is another.

use std::{
    fs,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::{super::shards, sights::Sights};
use crate::{Context, Length, Person, Result, Scenario, World, say};

pub(in crate::scenario) const SCENARIO: Scenario = Scenario {
    name: "one-change",
    purpose: "one change is live soon: 128 users in 128 shards",
    expected: Duration::from_secs(150),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// How many people the smaller cell has: about one in a shard.
const PEOPLE: usize = 128;
/// How many changes of each kind are measured, one after another.
pub(super) const CHANGES: usize = 25;

/// A rule for one organisation: another memory limit than its plan has.
const RULE: &str = "limits:
  pod:
    cpuMillis: 1000
    cpuRequestMillis: 100
    memoryMib: 1500
    ephemeralStorageMib: 2048
    pids: 256
";

async fn run(context: &mut Context) -> Result {
    let mut world = super::filled(context, PEOPLE, None).await?;
    let people = super::signed_in(&world, None, 2 * CHANGES).await?;
    measure(&world, &people).await?;
    world.must_run()?;
    world.stop().await
}

/// When what happened, since the change began.
struct Took {
    answered: Duration,
    committed: Option<Duration>,
    live: Duration,
}

/// Changes of both kinds, a person each, and each alone: the next begins when Argo CD has done with the one before,
/// which it looks at twice more after it is live.
pub(super) async fn measure(world: &World, people: &[Person]) -> Result {
    let sights = Sights::watch(&world.cluster.admin());
    let (first, second) = people.split_at(people.len() / 2);
    let mut by_person = Vec::new();
    for person in first {
        shards::quiet(world, person).await?;
        by_person.push(by_plan(&sights, person).await?);
    }
    show("a person's change of plan", by_person);
    let mut by_policy = Vec::new();
    for person in second {
        shards::quiet(world, person).await?;
        by_policy.push(by_rule(world, &sights, person).await?);
    }
    show("a change of the policy", by_policy);
    Ok(())
}

async fn by_plan(sights: &Sights, person: &Person) -> Result<Took> {
    let began = Instant::now();
    let plan = json!({"plan": "starter"});
    person
        .must(Method::PUT, "/api/v5/tenant/plan", Some(&plan))
        .await?;
    let answered = began.elapsed();
    let live = sights.first(person, began, |sight| sight.memory == "4Gi");
    let live = live.await?.duration_since(began);
    let shown = person.shown().await?;
    Ok(Took {
        answered,
        committed: committed(&shown),
        live,
    })
}

async fn by_rule(world: &World, sights: &Sights, person: &Person) -> Result<Took> {
    let folder = world.product.policy().join("tenants/orgs");
    fs::create_dir_all(&folder)?;
    let began = Instant::now();
    fs::write(folder.join(format!("{}.yaml", person.tenant)), RULE)?;
    let live = sights.first(person, began, |sight| sight.memory == "1500Mi");
    Ok(Took {
        answered: Duration::ZERO,
        committed: None,
        live: live.await?.duration_since(began),
    })
}

/// From the request to the commit, by the workspace's own timeline.
fn committed(shown: &Value) -> Option<Duration> {
    let at = |name: &str| -> Option<Timestamp> { shown["timeline"][name].as_str()?.parse().ok() };
    let took = at("committed_at")?.duration_since(at("requested_at")?);
    took.try_into().ok()
}

fn show(of: &str, took: Vec<Took>) {
    let times = |of: fn(&Took) -> Option<Duration>| took.iter().filter_map(of).collect();
    let rows: [(&str, Vec<Duration>); 3] = [
        (
            "answered",
            times(|took| (!took.answered.is_zero()).then_some(took.answered)),
        ),
        ("committed", times(|took| took.committed)),
        ("live", times(|took| Some(took.live))),
    ];
    let rows = rows.map(|(name, times)| (name.to_owned(), times));
    say::times(of, rows.into_iter().filter(|(_, times)| !times.is_empty()));
}
