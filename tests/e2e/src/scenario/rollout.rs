//! A template release that goes to everyone ring by ring, the restart that brings it to pods, and a release that crashes.

mod fleet;
mod pace;

use std::{collections::BTreeSet, fs, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use self::{
    fleet::{Fleet, Picture, RINGS},
    pace::Pace,
};
use super::{
    looks::{self, LIMIT, Live},
    policy::Edit,
};
use crate::{Context, Length, Person, Result, Scenario, World, ensure, fail, lasts, say, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "rollout",
    purpose: "a release goes to rings one by one, to pods in a window at a pace; one that crashes stops at the canary",
    expected: Duration::from_secs(300),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// How many pods may be down at the same time.
const AT_ONCE: usize = 3;
/// How long a restart stays away from what it must leave alone: it looks every three seconds while none is under way.
const LEFT_ALONE: Duration = Duration::from_secs(8);

async fn run(context: &mut Context) -> Result {
    let mut world = say::step("a world starts", context.own_world("rings")).await?;
    let fleet = say::step("people in three rings are ready", Fleet::new(&world)).await?;
    release(&world, "v2", "v1")?;
    for (ring, (name, _)) in RINGS.iter().enumerate() {
        let step = to_ring(&world, &fleet, ring);
        say::step(format!("v2 goes to the ring {name} and no further"), step).await?;
    }
    say::step("volumes grow in place", volumes(&world, &fleet)).await?;
    slow(&world, true).await?;
    say::step(
        "outside of the window nothing is restarted",
        before_the_window(&world, &fleet),
    )
    .await?;
    say::step(
        "in the window pods are restarted at a pace",
        in_the_window(&mut world, &fleet),
    )
    .await?;
    slow(&world, false).await?;
    say::step(
        "case 13: a release that crashes stops at the canary",
        crash(&world, &fleet),
    )
    .await?;
    say::step("registry, Git and cluster agree", looks::agree(&world)).await?;
    world.product.show_usage()?;
    world.stop().await
}

/// Writes a release that differs from another outside of the pod template and inside of it.
fn release(world: &World, name: &str, from: &str) -> Result {
    let templates = world.product.policy().join("templates");
    // A folder that is there in part would be a release, too.
    let hidden = templates.join(format!(".{name}"));
    fs::create_dir_all(&hidden)?;
    for file in fs::read_dir(templates.join(from))? {
        let file = file?;
        fs::copy(file.path(), hidden.join(file.file_name()))?;
    }
    let changes = [
        (
            "workspace-30-service.yaml.j2",
            "spec:\n  selector:",
            "  annotations:\n    coditect.ai/edition: {{ release }}\nspec:\n  selector:",
        ),
        (
            "workspace-20-stateful-set.yaml.j2",
            "        coditect.ai/pids-limit: {{ pids }}\n",
            "        coditect.ai/pids-limit: {{ pids }}\n        coditect.ai/edition: {{ release }}\n",
        ),
    ];
    for (file, old, new) in changes {
        let path = hidden.join(file);
        let text = fs::read_to_string(&path)?;
        if text.contains("coditect.ai/edition") {
            // A copy of a release that has it: the value alone differs.
            continue;
        }
        ensure!(text.contains(old), "{file} does not hold {old:?}");
        fs::write(&path, text.replace(old, new))?;
    }
    fs::rename(&hidden, templates.join(name))?;
    Ok(())
}

/// Gives each ring a release; `images` in place of the default ones for the canary.
async fn rings(world: &World, releases: [&str; 3], images: Option<&str>) -> Result {
    let text = fleet::rings(releases, images);
    Edit::write(&world.product, "tenants/rings.yaml", &text)
        .await
        .map(drop)
}

async fn to_ring(world: &World, fleet: &Fleet, ring: usize) -> Result {
    let before = Picture::of(world).await?;
    let head = looks::head(&world.product)?;
    let releases = [0, 1, 2].map(|one| if one <= ring { "v2" } else { "v1" });
    rings(world, releases, None).await?;
    let changed = fleet.of_ring(ring);
    until(
        "the ring's users to have v2 in the cluster",
        LIMIT,
        || async {
            let now = Picture::of(world).await?;
            for namespace in &changed {
                let one = now.of_user(namespace)?;
                ensure!(one.has("v2"), "{namespace}: {one:?}");
            }
            Ok(())
        },
    )
    .await?;
    for person in fleet
        .people
        .iter()
        .filter(|one| changed.contains(&one.namespace()))
    {
        pending(person, true).await?;
    }
    let now = Picture::of(world).await?;
    now.same_pods(&before)?;
    for (namespace, one) in &now.users {
        if !changed.contains(namespace) {
            let was = before.of_user(namespace)?;
            ensure!(
                one.release == was.release
                    && one.generation == was.generation
                    && one.service == was.service,
                "{namespace} changed with another ring: {was:?}, {one:?}"
            );
        }
    }
    let range = format!("{head}..refs/heads/main");
    let files = looks::git(
        &world.product,
        &["diff", "--name-only", &range, "--", "shards"],
    )?;
    let files: BTreeSet<String> = files.lines().map(str::to_owned).collect();
    let expected = fleet.files(world, &changed)?;
    ensure!(
        files == expected,
        "Git changed {files:?} in place of {expected:?}"
    );
    for person in &fleet.people {
        let is_new = now.of_user(&person.namespace())?.has("v2");
        pending(person, is_new).await?;
    }
    Ok(())
}

/// The API says of a running workspace whether a newer version waits for its next start.
async fn pending(person: &Person, wanted: bool) -> Result {
    until("what the API says of the next start", LIMIT, || async {
        let shown = person.shown().await?;
        let notices = shown["notices"].as_array();
        let is_told = notices
            .into_iter()
            .flatten()
            .any(|notice| notice["kind"] == "restart_pending");
        ensure!(is_told == wanted && shown["phase"] == "ready", "{shown}");
        Ok(())
    })
    .await
}

/// The plan's volume grows for all in place: neither a claim nor a pod is another one.
async fn volumes(world: &World, fleet: &Fleet) -> Result {
    let before = Picture::of(world).await?;
    Edit::replace(
        &world.product,
        "tenants/plans/free.yaml",
        "storageGib: 1",
        "storageGib: 2",
    )
    .await?;
    until("all volumes to have grown", LIMIT, || async {
        let now = Picture::of(world).await?;
        for (namespace, one) in &now.users {
            ensure!(one.volume.1 == "2Gi", "{namespace}: {:?}", one.volume);
        }
        Ok(())
    })
    .await?;
    let now = Picture::of(world).await?;
    now.same_pods(&before)?;
    for (namespace, one) in &now.users {
        ensure!(
            one.volume.0 == before.of_user(namespace)?.volume.0,
            "{namespace} has another claim"
        );
    }
    for person in &fleet.people {
        until("the API to show the larger volume", LIMIT, || async {
            let shown = person.shown().await?;
            let grows = shown["notices"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|notice| notice["kind"] == "volume_growing");
            ensure!(shown["storage"]["gib"] == 2 && !grows, "{shown}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Has pods take their time, so that a pace can be seen.
async fn slow(world: &World, slow: bool) -> Result {
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

async fn restart(world: &World, arguments: &[&str]) -> Result<(i32, Value)> {
    let arguments = [&["restart", "--cell", crate::CELL], arguments].concat();
    world.product.command(&arguments).await
}

/// Begins a restart with a window from now on.
async fn begin(world: &World, at_once: usize) -> Result {
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

async fn end(world: &World) -> Result {
    let (code, said) = restart(world, &["stop"]).await?;
    ensure!(code == 0 && said["state"] == "stopped", "{code}: {said}");
    Ok(())
}

async fn before_the_window(world: &World, _fleet: &Fleet) -> Result {
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

async fn in_the_window(world: &mut World, fleet: &Fleet) -> Result {
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

/// Incident: a bad template filled the queue so that neither its fix nor anybody's request got through (Coder's
/// documents on prebuilt workspaces), and a global change restarted everyone into it (che#23553).
async fn crash(world: &World, fleet: &Fleet) -> Result {
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

    let stopped = until("the restart to stop by itself", LIMIT, || async {
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
