//! A restart within a window: when it begins, how many go down at a time, and whose word goes first.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    super::looks::{self, LIMIT, Live},
    fleet::{Fleet, Picture},
    pace::Pace,
    pending,
};
use crate::{Person, Result, World, ensure, fail, lasts, say, until};

/// How many pods may be down at the same time.
pub(super) const AT_ONCE: usize = 3;
/// How long a restart stays away from what it must leave alone: it looks every three seconds while none is under way.
const LEFT_ALONE: Duration = Duration::from_secs(8);

/// Has pods take their time, so that a pace can be seen.
pub(super) async fn slow(world: &World, slow: bool) -> Result {
    for (annotation, time) in [("ready-after", "2s"), ("stops-after", "1s")] {
        let set = format!(
            "fakelet.test/{annotation}{}",
            if slow {
                format!("={time}")
            } else {
                "-".to_owned()
            }
        );
        world
            .cluster
            .kubectl(&["annotate", "--overwrite", "nodes", "--all", &set])
            .await?;
    }
    Ok(())
}

/// `coditect restart`.
pub(super) async fn restart(world: &World, arguments: &[&str]) -> Result<(i32, Value)> {
    let arguments = [&["restart", "--cell", crate::CELL], arguments].concat();
    world.product.command(&arguments).await
}

/// Begins a restart with a window from now on.
pub(super) async fn begin(world: &World, at_once: usize) -> Result {
    let until = (Timestamp::now() + SignedDuration::from_mins(30)).to_string();
    let (code, said) = restart(
        world,
        &[
            "start",
            "--until",
            &until,
            "--at-once",
            &at_once.to_string(),
        ],
    )
    .await?;
    ensure!(code == 0 && said["state"] == "under way", "{code}: {said}");
    Ok(())
}

/// Ends it.
pub(super) async fn end(world: &World) -> Result {
    let (code, said) = restart(world, &["stop"]).await?;
    ensure!(code == 0 && said["state"] == "stopped", "{code}: {said}");
    Ok(())
}

/// Until the window opens nothing happens; what cannot be is refused.
pub(super) async fn before_the_window(world: &World) -> Result {
    let before = Picture::of(world).await?;
    let [past, soon, later] =
        [-1, 1, 2].map(|hours| (Timestamp::now() + SignedDuration::from_hours(hours)).to_string());
    let (code, said) = restart(world, &["start", "--until", &past]).await?;
    ensure!(code != 0, "a window that is over is taken: {said}");
    let (code, said) = restart(
        world,
        &[
            "start",
            "--from",
            &soon,
            "--until",
            &later,
            "--at-once",
            "3",
        ],
    )
    .await?;
    ensure!(
        code == 0 && said["state"] == "waits for its window",
        "{code}: {said}"
    );
    let (code, said) = restart(world, &["start"]).await?;
    ensure!(code != 0, "a second one beside it is taken: {said}");
    lasts("every pod", LEFT_ALONE, async || {
        Picture::of(world).await?.same_pods(&before)
    })
    .await?;
    end(world).await
}

/// All that is outdated is restarted, so many at a time, whatever people and observers do meanwhile.
pub(super) async fn in_the_window(world: &mut World, fleet: &Fleet) -> Result {
    // One sleeps before it begins, one is stopped before its turn comes, one in the middle of its turn.
    let mut by_id: Vec<&Person> = fleet.people.iter().collect();
    by_id.sort_by(|a, b| a.workspace.cmp(&b.workspace));
    let [sleeper, .., last] = by_id.as_slice() else {
        fail!("too few people");
    };
    sleeper.ask("stop").await?;
    looks::phase(sleeper, "suspended").await?;
    let before = Picture::of(world).await?;
    let powers: Vec<Value> = stream::iter(&fleet.people)
        .then(async |person| Result::Ok(person.shown().await?["power"].clone()))
        .try_collect()
        .await?;
    let others = fleet.people.iter().filter(|one| one.user != sleeper.user);
    let pace = Pace::watch(&world.cluster.admin(), others.map(Person::namespace)).await?;
    begin(world, AT_ONCE).await?;
    pace.forget(&last.namespace());
    last.ask("stop").await?;
    let middle = pace.somebody_down().await?;
    pace.forget(&middle);
    let Some(middle) = fleet.people.iter().find(|one| one.namespace() == middle) else {
        fail!("{middle} is nobody's");
    };
    middle.ask("stop").await?;
    until("a third to have been restarted", LIMIT, || async {
        let renewed = Picture::of(world).await?.renewed(&before).len();
        ensure!(renewed * 3 >= fleet.people.len(), "{renewed} are");
        Ok(())
    })
    .await?;
    world.product.kill9("observer").await?;
    world.product.restart("observer").await?;
    let stopped = [
        sleeper.user.as_str(),
        last.user.as_str(),
        middle.user.as_str(),
    ];
    for (person, power) in fleet.people.iter().zip(&powers) {
        if stopped.contains(&person.user.as_str()) {
            looks::phase(person, "suspended").await?;
            ensure!(
                person.shown().await?["power"]["wanted"] == "off",
                "a stop was undone"
            );
            continue;
        }
        until("a restarted workspace to run on v2", LIMIT, || async {
            let now = Picture::of(world).await?;
            let one = now.of_user(&person.namespace())?;
            ensure!(
                one.is_newest() && one.pod_uid() != before.of_user(&person.namespace())?.pod_uid(),
                "{one:?}"
            );
            Ok(())
        })
        .await?;
        pending(person, false).await?;
        let now = person.shown().await?["power"].clone();
        ensure!(
            now == *power,
            "a restart is no change of power: {power}, {now}"
        );
    }
    let (code, said) = restart(world, &["status"]).await?;
    ensure!(
        code == 0 && said["failed"] == 0 && said["state"] == "under way",
        "{said}"
    );
    let most = pace.most()?;
    ensure!(
        most <= AT_ONCE,
        "{most} pods were down at the same time, {AT_ONCE} may be"
    );
    ensure!(most > 1, "no two were ever down at the same time");
    say::line(format!(
        "            {} restarted, at most {most} down at the same time",
        fleet.people.len() - stopped.len()
    ));
    end(world).await?;
    let live = Live::of(&world.cluster, sleeper);
    ensure!(
        live.scale(&sleeper.objects()).await? == 0,
        "a suspended workspace was started"
    );
    for person in [*sleeper, *last, middle] {
        person.ask("start").await?;
        looks::phase(person, "ready").await?;
        let now = Picture::of(world).await?;
        ensure!(
            now.of_user(&person.namespace())?.is_newest(),
            "started on an old version"
        );
    }
    Ok(())
}
