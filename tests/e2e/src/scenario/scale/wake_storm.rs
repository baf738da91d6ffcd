//! Many people start their workspaces within ten seconds.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep_until;

use super::{super::looks, sights::Sights};
use crate::{Context, Length, Person, Result, Scenario, World, say};

pub(in crate::scenario) const SCENARIO: Scenario = Scenario {
    name: "wake-storm",
    purpose: "50 people start within 10 s; each scale is set soon after its request",
    expected: Duration::from_secs(150),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// How many start.
pub(super) const PEOPLE: usize = 50;
/// Within how long.
const WITHIN: Duration = Duration::from_secs(10);

async fn run(context: &mut Context) -> Result {
    let mut world = super::filled(context, PEOPLE, None).await?;
    let people = super::signed_in(&world, None, PEOPLE).await?;
    measure(&world, &people).await?;
    world.must_run()?;
    world.stop().await
}

/// Suspends all, and starts them again, evenly spread; none waits for the one before.
pub(super) async fn measure(world: &World, people: &[Person]) -> Result {
    let sights = &Sights::watch(&world.cluster.admin());
    for person in people {
        looks::phase(person, "ready").await?;
        person.ask("stop").await?;
    }
    for person in people {
        looks::phase(person, "suspended").await?;
    }
    let (began, count) = (Instant::now(), u32::try_from(people.len())?);
    let took: Vec<[Duration; 3]> = stream::iter((0..).zip(people))
        .map(async |(number, person): (u32, &Person)| {
            sleep_until((began + WITHIN / count * number).into()).await;
            let asked = Instant::now();
            person.ask("start").await?;
            let answered = Instant::now();
            let set = sights.first(person, asked, |sight| sight.replicas == Some(1));
            let set = set.await?;
            Result::Ok([
                answered - asked,
                set.saturating_duration_since(answered),
                set - asked,
            ])
        })
        .buffer_unordered(people.len())
        .try_collect()
        .await?;
    let names = [
        "answered",
        "scale set since the answer",
        "scale set since the request",
    ];
    let row = |(index, name): (usize, &str)| {
        let times = took.iter().filter_map(|took| took.get(index)).copied();
        (name.to_owned(), times.collect())
    };
    say::times("a wake storm", names.into_iter().enumerate().map(row));
    say::step("all are ready", async {
        for person in people {
            looks::phase(person, "ready").await?;
        }
        Ok(())
    })
    .await
}
