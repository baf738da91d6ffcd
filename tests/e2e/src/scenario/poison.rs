//! A poisoned user, and a poisoned shard: the neighbours proceed.
//!
//! One object that fails its dry run stops all of its Application (argo-cd#15095), and an Application holds a whole
//! shard. So whoever is refused again and again is taken out: the last good file comes back, or a Namespace without
//! pods. How many neighbours there are is left to chance: people sign up until some shard has enough of them.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Patch, PatchParams};
use reqwest::Method;
use serde_json::json;

use super::{
    looks::{self, LIMIT, Live},
    refusal::{PATIENCE, SAYS, admit, cleared, lift, limit, notice, refuse, told},
    shards,
};
use crate::{
    CELL, Context, During, Failure, Length, Person, Product, Result, Scenario, World, ensure, say,
    until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "poison",
    purpose: "whom the cluster refuses is quarantined and told why, the neighbours proceed; an unreadable shard is named",
    expected: Duration::from_secs(180),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// Most people that sign up until a shard has enough of them.
const MOST: usize = 400;

async fn run(context: &mut Context) -> Result {
    let wanted = if context.full { 5 } else { 2 };
    let world = context.world().await?;
    let gathered = gather(&world.product, wanted);
    let people = say::step(format!("{wanted} people share a shard"), gathered).await?;
    let shard = &people.shard;
    say::line(format!(
        "            shard {shard} of {} people in all",
        people.all
    ));
    let refused = one_is_refused(world, &people);
    say::step("one is refused, the neighbours proceed", refused).await?;
    let newcomer = newcomer_is_refused(world);
    say::step("a newcomer is refused from the start", newcomer).await?;
    let unreadable = a_shard_cannot_be_read(world, &people);
    say::step("a shard that cannot be read is named", unreadable).await?;
    let garbage = garbage_in_git(world, &people);
    say::step("garbage in the repository is removed", garbage).await?;
    say::step("all agree", looks::agree(world)).await?;
    world.must_run()
}

/// Who is used here.
struct People {
    /// The shard that some of them share.
    shard: String,
    /// They.
    neighbours: Vec<Person>,
    /// Somebody of another shard.
    elsewhere: Person,
    /// How many signed up.
    all: usize,
}

/// Signs people up until so many are in one shard and one is not.
async fn gather(product: &Product, wanted: usize) -> Result<People> {
    let api = &product.api();
    let mut shards: BTreeMap<String, Vec<Person>> = BTreeMap::new();
    let mut all = 0;
    while all < MOST {
        let some: Vec<Person> = stream::iter(all..all + 8)
            .map(async |number| api.sign_up(&format!("poison-{number}@example.test")).await)
            .buffer_unordered(8)
            .try_collect()
            .await?;
        all += some.len();
        for person in some {
            let shard = until("the file in Git", LIMIT, || async {
                shards::of(product, &person)
            })
            .await?;
            shards.entry(shard).or_default().push(person);
        }
        let full = shards.iter().find(|(_, people)| people.len() >= wanted);
        let Some(shard) = full.map(|(shard, _)| shard.clone()) else {
            continue;
        };
        let neighbours = shards.remove(&shard).unwrap_or_default();
        let elsewhere = shards.into_values().flatten().next();
        let elsewhere = elsewhere.ok_or_else(|| Failure::new("everybody is in one shard"))?;
        for person in neighbours.iter().chain([&elsewhere]) {
            looks::phase(person, "ready").await?;
        }
        return Ok(People {
            shard,
            neighbours,
            elsewhere,
            all,
        });
    }
    Err(Failure::new(format!(
        "no shard has {wanted} of {all} people"
    )))
}

async fn larger_plan(person: &Person) -> Result {
    let plan = json!({"plan": "starter"});
    let path = "/api/v5/tenant/plan";
    person.must(Method::PUT, path, Some(&plan)).await.map(drop)
}

/// Waits until a person's volume is as large as the larger plan has it.
async fn grown(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    until(
        format!("{} to grow", person.objects()),
        PATIENCE,
        || async {
            let claim = live.claims.get(&person.objects()).await?;
            let has = json!(claim.status)["capacity"]["storage"].clone();
            ensure!(has == "10Gi", "it has {has}");
            Ok(())
        },
    )
    .await
}

/// All take a larger plan at the same time; one may not.
async fn one_is_refused(world: &World, people: &People) -> Result {
    let (victim, neighbours) = (&people.neighbours[0], &people.neighbours[1..]);
    let live = Live::of(&world.cluster, victim);
    let good = looks::file(&world.product, victim)?;
    let pod = live.only_pod().await?.metadata.uid;
    let now = limit(world, &live.namespace).await?;
    refuse(world, &live.namespace, &now).await?;
    for person in people.neighbours.iter().chain([&people.elsewhere]) {
        larger_plan(person).await?;
    }
    grown(world, &people.elsewhere)
        .await
        .during("another shard waits")?;
    // Before anybody is quarantined, the refused one says so already.
    until("the refusal to be told", PATIENCE, || async {
        let shown = victim.shown().await?;
        let reason = shown["reason"].to_string();
        let quarantined = notice(&shown, "quarantined").is_some();
        ensure!(
            quarantined || shown["reason"]["cause"] == "admission" && reason.contains(SAYS),
            "{} {reason}",
            shown["phase"]
        );
        Ok(())
    })
    .await?;
    told(victim).await?;
    for neighbour in neighbours {
        grown(world, neighbour).await.during("a neighbour waits")?;
        looks::phase(neighbour, "ready").await?;
    }
    until("the last good file to stand", LIMIT, || async {
        let file = looks::file(&world.product, victim)?;
        ensure!(file == good, "Git has another file");
        Ok(())
    })
    .await?;
    let shown = looks::phase(victim, "ready").await?;
    ensure!(
        live.only_pod().await?.metadata.uid == pod,
        "a quarantine restarted the pod: {shown}"
    );
    let report = verify(world).await?;
    ensure!(
        report.contains(&victim.user) && report.contains(SAYS),
        "verify does not name the quarantined: {report}"
    );

    admit(world).await?;
    lift(world, victim).await?;
    grown(world, victim).await?;
    cleared(victim).await?;
    looks::agree(world).await
}

/// What `verify --cluster` says, once it finds no difference.
async fn verify(world: &World) -> Result<String> {
    let kubeconfig = world
        .cluster
        .kubeconfig_of("coditect", "coditect-verify")
        .await?;
    let cluster = format!("--cluster={CELL}={}", kubeconfig.display());
    let command = ["verify", &cluster, "--settle=5", "--patience=5"];
    until("verify to find no difference", LIMIT, || async {
        let (code, said) = world.product.command(&command).await?;
        ensure!(code == 0, "verify ends with {code}: {said}");
        Ok(said.to_string())
    })
    .await
}

/// Somebody has nothing that was good before. Refused is what their first file has, so it must be known before Argo
/// CD tries it: they sign up while the renderer is down.
async fn newcomer_is_refused(world: &mut World) -> Result {
    world.product.stop_part("renderer").await?;
    let api = world.product.api();
    let person = api.sign_up("poison-newcomer@example.test").await?;
    let shown = person.shown().await?;
    ensure!(shown["phase"] == "requested", "{shown}");
    let namespace = person.namespace();
    let limits = refused_from_the_start(world, &namespace).await;
    world.product.restart("renderer").await?;
    limits?;
    told(&person).await?;
    // In a Namespace that is new nothing can be tried before: the rest was applied, and goes again.
    let live = Live::of(&world.cluster, &person);
    until("a Namespace without pods", PATIENCE, || async {
        live.namespaces.get(&namespace).await?;
        let file = looks::file(&world.product, &person)?.unwrap_or_default();
        ensure!(!file.contains("StatefulSet"), "Git has a StatefulSet");
        ensure!(live.pod_count().await? == 0, "there is a pod");
        let shown = person.shown().await?;
        ensure!(
            shown["phase"] == "failed" && shown["reason"]["cause"] == "admission",
            "nothing runs, and it is {} {}",
            shown["phase"],
            shown["reason"]
        );
        Ok(())
    })
    .await?;
    admit(world).await?;
    lift(world, &person).await?;
    looks::phase(&person, "ready").await?;
    cleared(&person).await
}

/// As [`refuse`] does it, for a Namespace that is not there yet.
async fn refused_from_the_start(world: &World, namespace: &str) -> Result {
    let made = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}");
    // Tried in another Namespace of that name: it must be one that exists.
    world.cluster.apply(&made, "default").await?;
    let refused = refuse(world, namespace, "1Ki").await;
    world
        .cluster
        .kubectl(&["delete", "namespace", namespace])
        .await?;
    refused
}

/// Argo CD cannot read a shard: somebody has changed its Application by hand. What runs goes on; whoever waits for a
/// change is told.
async fn a_shard_cannot_be_read(world: &mut World, people: &People) -> Result {
    let controller = "argocd-applicationset-controller";
    // It would put the Application right at once.
    world.cluster.kill9(controller).await?;
    let nowhere = json!({"spec": {"source": {"path": "shards/nowhere"}}});
    let applications = shards::applications(&world.cluster);
    let name = shards::application(&people.shard);
    applications
        .patch(&name, &PatchParams::default(), &Patch::Merge(&nowhere))
        .await?;
    let person = &people.neighbours[0];
    let name = json!({"name": "second"});
    let made = person
        .must(Method::POST, "/api/v5/workspaces", Some(&name))
        .await?;
    let second = made["id"].as_str().unwrap_or_default().to_owned();
    let path = format!("/api/v5/workspaces/{second}");
    let told = until("the shard to be named", PATIENCE, || async {
        let shown = person.get(&path).await?;
        ensure!(
            shown["phase"] == "failed" && shown["reason"]["cause"] == "shard",
            "{} {}",
            shown["phase"],
            shown["reason"]
        );
        Ok(())
    })
    .await;
    world.cluster.restart(controller).await?;
    told?;
    let first = person.shown().await?;
    ensure!(first["phase"] == "ready", "what runs goes on: {first}");
    let neighbour = people.neighbours[1].shown().await?;
    ensure!(
        neighbour["reason"].is_null(),
        "who waits for nothing is told nothing: {neighbour}"
    );
    let shown = looks::phase_of(person, &second, "ready").await?;
    ensure!(shown["reason"].is_null(), "{shown}");
    Ok(())
}

/// Somebody pushes a file that is no YAML into the repository, past the renderer: it goes, and the shard works.
async fn garbage_in_git(world: &World, people: &People) -> Result {
    let product = &world.product;
    let path = format!("shards/{}/garbage.yaml", people.shard);
    commit(product, &path, "kind: [unclosed\n")?;
    until("the renderer to remove it", LIMIT, || async {
        let files = looks::git(
            product,
            &["ls-tree", "-r", "--name-only", "refs/heads/main"],
        )?;
        ensure!(!files.contains("garbage"), "it is there");
        Ok(())
    })
    .await?;
    let person = &people.neighbours[0];
    person.ask("stop").await?;
    looks::phase(person, "suspended").await?;
    person.ask("start").await?;
    let shown = looks::phase(person, "ready").await?;
    ensure!(shown["reason"].is_null(), "{shown}");
    let status = shards::compare(&world.cluster, &people.shard).await?;
    ensure!(status["sync"]["status"] == "Synced", "{}", status["sync"]);
    Ok(())
}

/// Commits a file in the bare repository, as somebody does who has access to the disk.
fn commit(product: &Product, path: &str, text: &str) -> Result {
    let blob = git(product, &["hash-object", "-w", "--stdin"], text)?;
    let index = product.data().join("by-hand.index");
    let head = looks::head(product)?;
    let with_index = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new("git");
        command
            .arg("--git-dir")
            .arg(product.bare(CELL))
            .args(arguments)
            .env("GIT_INDEX_FILE", &index);
        let output = command.output()?;
        ensure!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    with_index(&["read-tree", &head])?;
    with_index(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("100644,{blob},{path}"),
    ])?;
    let tree = with_index(&["write-tree"])?;
    let identity = ["-c", "user.name=hand", "-c", "user.email=hand@example.test"];
    let mut arguments = identity.to_vec();
    arguments.extend(["commit-tree", &tree, "-p", &head, "-m", "by hand"]);
    let commit = with_index(&arguments)?;
    with_index(&["update-ref", "refs/heads/main", &commit, &head])?;
    Ok(())
}

fn git(product: &Product, arguments: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new("git")
        .arg("--git-dir")
        .arg(product.bare(CELL))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "git {arguments:?}: {}",
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
