//! The registry is lost, and there is no backup. Intents are read back from Git, byte for byte; everybody is switched
//! off; who was deleted stays deleted. Git itself does not change, so nothing is made anew and nothing removed.

use std::{fs, time::Duration};

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};
use kube::{Api, ResourceExt, api::ListParams};
use reqwest::Method;
use serde_json::json;

use super::looks::{self, LIMIT, Live};
use crate::{
    CELL, Context, Length, PASSWORD, Person, Product, Result, Scenario, World, ensure, say, until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "registry-lost",
    purpose: "registry rebuilt from Git, cluster as Git says: hashes equal, power off, the deleted stay deleted",
    expected: Duration::from_secs(120),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// How many people there are.
const PEOPLE: usize = 6;
/// The processes of an installation, in the order in which they start.
const PARTS: [&str; 3] = ["api", "renderer", "observer"];

async fn run(context: &mut Context) -> Result {
    let mut world = context.own_world("world").await?;
    let (people, erased) = say::step("people sign up", inhabitants(&world)).await?;
    let before = Git::of(&world.product)?;

    for part in PARTS.into_iter().rev() {
        world.product.stop_part(part).await?;
    }
    let data = world.product.data();
    for file in ["registry.redb", "registry.sock"] {
        match fs::remove_file(data.join(file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let restored = restored(&world.product, &people, &erased);
    say::step("intents are read back from Git", restored).await?;
    for part in PARTS {
        world.product.restart(part).await?;
    }
    say::step(
        "everything is switched off",
        nobody_runs(&world, people.len()),
    )
    .await?;
    say::step("registry, Git and cluster agree", looks::agree(&world)).await?;
    let after = Git::of(&world.product)?;
    ensure!(
        after.shards == before.shards,
        "the tree of users' files was {} and is {}",
        before.shards,
        after.shards
    );
    nothing_left_git(&world.product, &before)?;
    the_deleted_stay_deleted(&world, &erased).await?;
    say::step("people can sign up again", life_goes_on(&world, &people)).await?;
    looks::agree(&world).await?;
    world.stop().await
}

/// Several people, one of whom is asleep and one has two workspaces; and one who was erased and whose namespace is
/// still there.
async fn inhabitants(world: &World) -> Result<(Vec<Person>, Person)> {
    let api = world.product.api();
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let email = format!("forgotten-{number}@example.test");
        people.push(api.sign_up(&email).await?);
    }
    let erased = api.sign_up("erased@example.test").await?;
    let plan = json!({"plan": "starter"});
    people[0]
        .must(Method::PUT, "/api/v5/tenant/plan", Some(&plan))
        .await?;
    let second = json!({"name": "second"});
    people[0]
        .must(Method::POST, "/api/v5/workspaces", Some(&second))
        .await?;
    for person in people.iter().chain([&erased]) {
        looks::phase(person, "ready").await?;
    }
    people[1].ask("stop").await?;
    looks::phase(&people[1], "suspended").await?;
    let now = json!({"password": PASSWORD, "mode": "now"});
    erased
        .must(Method::DELETE, "/api/v5/me", Some(&now))
        .await?;
    until("Git to have the erased no longer", LIMIT, || async {
        let file = looks::file(&world.product, &erased)?;
        ensure!(file.is_none(), "the file is there");
        Ok(())
    })
    .await?;
    looks::agree(world).await?;
    Ok((people, erased))
}

/// What the cell's repository holds.
struct Git {
    head: String,
    /// The hash of the tree that holds all users' files.
    shards: String,
}

impl Git {
    fn of(product: &Product) -> Result<Self> {
        Ok(Self {
            head: looks::head(product)?,
            shards: looks::git(product, &["rev-parse", "refs/heads/main:shards"])?,
        })
    }
}

async fn restored(product: &Product, people: &[Person], erased: &Person) -> Result {
    let command = ["restore", "registry", "--cell", CELL];
    let (code, said) = product.command(&command).await?;
    ensure!(code == 0, "restore ends with {code}: {said}");
    ensure!(said["adopted"] == people.len(), "{said}");
    // Again: everybody is known, nothing happens.
    let (code, again) = product.command(&command).await?;
    ensure!(
        code == 0 && again["adopted"] == 0 && again["already_there"] == people.len(),
        "{code} {again}"
    );
    let text = said.to_string();
    ensure!(
        !text.contains(&erased.user),
        "the erased one is back: {said}"
    );
    Ok(())
}

/// Every StatefulSet, and so every workspace, has the scale 0, and there is no pod.
async fn nobody_runs(world: &World, people: usize) -> Result {
    let of_workspaces = ListParams::default().labels("app.kubernetes.io/name=workspace");
    let sets: Api<StatefulSet> = Api::all(world.cluster.admin());
    let pods: Api<Pod> = Api::all(world.cluster.admin());
    until("every workspace to be off", LIMIT, || async {
        let sets = sets.list(&of_workspaces).await?.items;
        ensure!(sets.len() > people, "{} StatefulSets", sets.len());
        for set in &sets {
            let scale = set.spec.as_ref().and_then(|spec| spec.replicas);
            ensure!(scale == Some(0), "{} has {scale:?}", set.name_any());
        }
        let pods = pods.list(&of_workspaces).await?.items;
        ensure!(pods.is_empty(), "{} pods", pods.len());
        Ok(())
    })
    .await
}

/// No commit since has deleted anything, and none says that it did.
fn nothing_left_git(product: &Product, before: &Git) -> Result {
    let since = format!("{}..refs/heads/main", before.head);
    let shards = [
        "log",
        "--format=%H",
        "--diff-filter=D",
        "--name-only",
        &since,
        "--",
        "shards",
    ];
    let deleted = looks::git(product, &shards)?;
    ensure!(deleted.is_empty(), "deleted from Git: {deleted}");
    let messages = looks::git(product, &["log", "--format=%B", &since])?;
    for line in messages.lines() {
        let deleted = line.strip_prefix("Coditect-Deleted: ");
        ensure!(deleted.is_none_or(|number| number == "0"), "{line}");
    }
    Ok(())
}

/// The namespace that the reaper had not come to is on its list again, by Git's history.
async fn the_deleted_stay_deleted(world: &World, erased: &Person) -> Result {
    let live = Live::of(&world.cluster, erased);
    ensure!(
        live.namespaces.get_opt(&live.namespace).await?.is_some(),
        "the namespace of the erased went without the reaper"
    );
    until(
        "the reaper to have removed the namespace",
        LIMIT,
        || async {
            let said = looks::reap(world).await?;
            let there = live.namespaces.get_opt(&live.namespace).await?;
            let going = there.is_none_or(|there| there.metadata.deletion_timestamp.is_some());
            ensure!(going, "it is there; the reaper says {said}");
            Ok(())
        },
    )
    .await?;
    live.no_namespace().await
}

/// Whoever was signed in is not any more; who signs up, even with an address from before, is somebody new.
async fn life_goes_on(world: &World, people: &[Person]) -> Result {
    let (status, _) = people[2].send(Method::GET, "/api/v5/me", None).await?;
    ensure!(
        status.as_u16() == 401,
        "signed in to an account that is not there: {status}"
    );
    let again = world.product.api().sign_up(&people[2].email).await?;
    ensure!(again.user != people[2].user, "an id was given again");
    looks::phase(&again, "ready").await.map(drop)
}
