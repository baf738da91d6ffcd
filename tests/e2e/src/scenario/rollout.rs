//! A template release that goes to everyone ring by ring, the restart that brings it to pods, and a release that crashes.

mod carried;
mod crash;
mod fleet;
mod pace;
mod window;

use std::{collections::BTreeSet, fs, time::Duration};

use self::fleet::{Fleet, Picture, RINGS};
use super::{
    looks::{self, LIMIT},
    policy::Edit,
};
use crate::{Context, Length, Person, Result, Scenario, World, ensure, say, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "rollout",
    purpose: "a release goes to rings one by one, to pods in a window at a pace; one that crashes stops at the canary, and goes back with its pods where it is carried",
    expected: Duration::from_secs(420),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

async fn run(context: &mut Context) -> Result {
    let mut world = say::step("a world starts", context.own_world("rings")).await?;
    let fleet = say::step("people in three rings are ready", Fleet::new(&world)).await?;
    release(&world, "v2", "v1")?;
    for (ring, (name, _)) in RINGS.iter().enumerate() {
        let step = to_ring(&world, &fleet, ring);
        say::step(format!("v2 goes to the ring {name} and no further"), step).await?;
    }
    say::step("volumes grow in place", volumes(&world, &fleet)).await?;
    window::slow(&world, true).await?;
    say::step(
        "outside of the window nothing is restarted",
        window::before_the_window(&world),
    )
    .await?;
    say::step(
        "in the window pods are restarted at a pace",
        window::in_the_window(&mut world, &fleet),
    )
    .await?;
    window::slow(&world, false).await?;
    say::step(
        "case 13: a release that crashes stops at the canary",
        crash::stops_at_the_canary(&world, &fleet),
    )
    .await?;
    say::step(
        "a release that is carried and crashes goes back with its pods",
        carried::goes_back(&world, &fleet),
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
