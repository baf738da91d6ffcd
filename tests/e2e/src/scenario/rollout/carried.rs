//! A release that is carried by `coditect rollout`, with pods restarted for it: it crashes, and all of it goes back.

use std::{collections::BTreeSet, fs};

use super::{
    super::{
        looks::{self, LIMIT},
        policy::Edit,
    },
    fleet::{Fleet, Picture},
    release,
};
use crate::{Result, World, ensure, fail, say, until};

/// The IDE's image, and what a release that crashes runs in its place.
const IMAGE: &str = "image: {{ images.ide }}";
const CRASHING: &str = "image: \"coditect/ide:crashing\"";

/// The canary's pods alone are restarted, though everybody's are outdated; when they do not come back the release goes
/// back by a commit, and they are restarted once more.
pub(super) async fn goes_back(world: &World, fleet: &Fleet) -> Result {
    let canary = fleet.of_ring(0);
    let start = Picture::of(world).await?;
    Edit::replace(
        &world.product,
        "tenants/plans/free.yaml",
        "cpuMillis: 1000",
        "cpuMillis: 1100",
    )
    .await?;
    until("pods to be outdated", LIMIT, || async {
        let now = Picture::of(world).await?;
        let outdated = now.users.values().filter(|one| !one.is_newest()).count();
        ensure!(outdated > canary.len(), "{outdated} are");
        Ok(())
    })
    .await?;
    release(world, "v4", "v2")?;
    let file = world
        .product
        .policy()
        .join("templates/v4/workspace-20-stateful-set.yaml.j2");
    let text = fs::read_to_string(&file)?;
    ensure!(text.contains(IMAGE), "it has no {IMAGE}");
    fs::write(&file, text.replace(IMAGE, CRASHING))?;

    // As soon as the process that owns the folder has committed the release.
    until("the roll-out to begin", LIMIT, || async {
        let (code, said) = rollout(
            world,
            &[
                "start",
                "v4",
                "--restart",
                "now",
                "--ring-soak",
                "1h",
                "--at-once",
                "5",
            ],
        )
        .await?;
        ensure!(code == 0, "{code}: {said}");
        Ok(())
    })
    .await?;
    until("the canary to have v4", LIMIT, || async {
        let now = Picture::of(world).await?;
        for namespace in &canary {
            let release = &now.of_user(namespace)?.release;
            ensure!(release == "v4", "{namespace} has {release}");
        }
        Ok(())
    })
    .await?;
    let back = until("the release to go back", 2 * LIMIT, || async {
        let (_, said) = rollout(world, &["status"]).await?;
        ensure!(said["state"] == "rolled_back", "{said}");
        Ok(said)
    })
    .await?;
    let Some(why) = back["why"].as_str() else {
        fail!("{back}");
    };
    ensure!(why.contains("did not get ready"), "{why}");
    let crashed = restarted(world, &start, &canary).await?;
    until(
        "the canary to run v2 again without anybody's doing",
        LIMIT,
        || async {
            let now = Picture::of(world).await?;
            for namespace in &canary {
                let one = now.of_user(namespace)?;
                ensure!(one.has("v2") && one.is_newest(), "{namespace}: {one:?}");
            }
            Ok(())
        },
    )
    .await?;
    for person in &fleet.people {
        looks::phase(person, "ready").await?;
    }
    restarted(world, &start, &canary).await?;
    say::line(format!(
        "            {crashed} of {} in the canary were restarted for it",
        canary.len()
    ));
    Ok(())
}

/// How many pods are others than before; none outside of the canary.
async fn restarted(world: &World, before: &Picture, canary: &BTreeSet<String>) -> Result<usize> {
    let renewed = Picture::of(world).await?.renewed(before);
    ensure!(
        renewed.is_subset(canary),
        "restarted beyond the canary: {renewed:?}"
    );
    Ok(renewed.len())
}

async fn rollout(world: &World, arguments: &[&str]) -> Result<(i32, serde_json::Value)> {
    let arguments = [&["rollout"], arguments].concat();
    world.product.command(&arguments).await
}
