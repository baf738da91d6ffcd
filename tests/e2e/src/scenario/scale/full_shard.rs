//! One change in a full cell's shard. Git, registry and renderer have 5,000 users; of the 128 Applications four are
//! in the cluster, as 5,000 users' objects do not fit into a machine that tests run on.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::one_change::{self, CHANGES};
use crate::{Context, Failure, Length, Result, Scenario, say};

pub(in crate::scenario) const SCENARIO: Scenario = Scenario {
    name: "full-shard",
    purpose: "one change is live soon where 39 users share a shard: 5,000 in Git, four shards in the cluster",
    expected: Duration::from_secs(150),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// What a cell is meant for, at most.
const PEOPLE: usize = 5000;
/// How many of them a shard has on average.
const SHARE: usize = PEOPLE / 128;
/// How many shards are in the cluster.
const SHARDS: usize = 4;

async fn run(context: &mut Context) -> Result {
    let world = crate::World::filled(&context.machine, "full-shard", PEOPLE);
    let mut world = say::step(format!("{PEOPLE} users are in Git"), world).await?;
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for one in world.product.seeded() {
        *sizes.entry(one.shard.clone()).or_default() += 1;
    }
    let mut shards: Vec<(String, usize)> = sizes.into_iter().collect();
    shards.sort_by_key(|(_, size)| size.abs_diff(SHARE));
    shards.truncate(SHARDS);
    let (shard, size) = shards
        .first()
        .cloned()
        .ok_or_else(|| Failure::new("no shard has a user"))?;
    let names: BTreeSet<String> = shards.iter().map(|(shard, _)| shard.clone()).collect();
    say::line(format!(
        "            shards in the cluster: {shards:?}; measured in {shard} with {size} users"
    ));
    super::synced(&mut world, context, Some(&names)).await?;
    let people = super::signed_in(&world, Some(&shard), size.min(2 * CHANGES)).await?;
    one_change::measure(&world, &people).await?;
    world.product.show_usage()?;
    world.cluster.show_usage()?;
    world.must_run()?;
    world.stop().await
}
