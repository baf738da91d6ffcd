//! A cell of a size that fits a machine of two cores: the first sync, memory, one change, a wake storm.

pub(super) mod full_shard;
pub(super) mod neighbours;
pub(super) mod one_change;
mod sights;
pub(super) mod wake_storm;

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    Context, During, Length, Person, Result, Scenario, World, ensure, say, settled, until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "scale",
    purpose: "500 users: the first sync, memory, one change, 50 who wake",
    expected: Duration::from_secs(400),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// How many users the cell has: about four in a shard.
const PEOPLE: usize = 500;
/// How many sign up, or in, at the same time.
const AT_ONCE: usize = 8;
/// How long Argo CD may take for everything.
const PATIENCE: Duration = Duration::from_secs(900);

async fn run(context: &mut Context) -> Result {
    let world = World::filled(&context.machine, "scale", 0);
    let mut world = say::step("a cell without Argo CD", world).await?;
    let api = &world.product.api();
    let people = stream::iter(0..PEOPLE)
        .map(async |number| {
            let email = format!("scale-{number}@example.test");
            api.sign_up(&email).await.during(email)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect();
    let people: Vec<Person> =
        say::step(format!("{PEOPLE} people sign up over HTTP"), people).await?;
    world.product.show_usage()?;
    synced(&mut world, context, None).await?;
    ready(&people).await?;
    world.product.show_usage()?;
    world.cluster.show_usage()?;
    let (storm, changes) = people.split_at(wake_storm::PEOPLE);
    one_change::measure(
        &world,
        changes.get(..2 * one_change::CHANGES).unwrap_or(changes),
    )
    .await?;
    wake_storm::measure(&world, storm).await?;
    world.product.show_usage()?;
    world.must_run()?;
    world.stop().await
}

/// A world of the scenario's own with so many people, all applied.
async fn filled(
    context: &Context,
    people: usize,
    shards: Option<&BTreeSet<String>>,
) -> Result<World> {
    let world = World::filled(&context.machine, context.name, people);
    let mut world = say::step(format!("{people} users are in Git"), world).await?;
    synced(&mut world, context, shards).await?;
    Ok(world)
}

/// Starts Argo CD and waits until all is applied.
async fn synced(world: &mut World, context: &Context, shards: Option<&BTreeSet<String>>) -> Result {
    let number = shards.map_or(128, BTreeSet::len);
    say::step(format!("the first sync of {number} shards"), async {
        world.follow(&context.machine, shards).await?;
        settled(&world.cluster, number, PATIENCE).await
    })
    .await
}

/// Waits until everybody's workspace is ready.
async fn ready(people: &[Person]) -> Result {
    say::step("everybody is ready", async {
        for person in people {
            let what = format!("{} to be ready", person.workspace);
            until(what, PATIENCE, || async {
                let shown = person.shown().await?;
                ensure!(shown["phase"] == "ready", "{shown}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .await
}

/// So many of those who were there from the start, signed in; of one shard if it is named. All are ready.
async fn signed_in(world: &World, shard: Option<&str>, number: usize) -> Result<Vec<Person>> {
    let api = &world.product.api();
    let seeded = world.product.seeded().iter();
    let of = seeded.filter(|one| shard.is_none_or(|shard| one.shard == shard));
    let people = stream::iter(of.take(number))
        .map(async |one| api.sign_in(&one.email).await)
        .buffer_unordered(AT_ONCE)
        .try_collect();
    let people: Vec<Person> = say::step(format!("{number} people sign in"), people).await?;
    ready(&people).await?;
    Ok(people)
}
