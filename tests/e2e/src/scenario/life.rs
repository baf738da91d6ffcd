//! A workspace's life: suspended, woken, given a larger plan, joined by a second one, renamed, deleted, erased. Each
//! step is looked at in the cluster, in Git, in the registry and in the API.

use std::{fs, path::PathBuf, time::Duration};

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use reqwest::Method;
use serde_json::json;

use super::{
    looks::{self, LIMIT, Live},
    policy::Edit,
};
use crate::{
    Context, Failure, Length, PASSWORD, Person, Result, Scenario, World, ensure, fail, until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "life",
    purpose: "suspend, wake, plan, second workspace, rename, deletion and erasure, in cluster, Git, registry and API",
    expected: Duration::from_secs(90),
    length: Length::Quick,
    run: |context| Box::pin(run(context)),
};

async fn run(context: &mut Context) -> Result {
    let world = context.world().await?;
    let person = world.product.api().sign_up("life@example.test").await?;
    looks::phase(&person, "ready").await?;
    let mark = a_mark_on_the_volume(world, &person).await?;
    suspended_and_woken(world, &person, &mark).await?;
    a_larger_plan(world, &person, &mark).await?;
    let second = a_second_workspace(world, &person).await?;
    renamed_without_a_commit(world, &person).await?;
    deleted_after_grace(world, &person, &second).await?;
    looks::agree(world).await?;
    erased(world, &person).await?;
    looks::agree(world).await
}

fn uid(pod: &Pod) -> Result<String> {
    let none = || Failure::new("a pod without a UID");
    pod.metadata.uid.clone().ok_or_else(none)
}

/// What tells one volume from another: its claim's UID, and a file on it.
struct Mark {
    claim: String,
    file: PathBuf,
}

async fn a_mark_on_the_volume(world: &World, person: &Person) -> Result<Mark> {
    let claim = Live::of(&world.cluster, person)
        .claims
        .get(&person.objects())
        .await?;
    let (Some(uid), Some(volume)) = (
        claim.metadata.uid,
        claim.spec.and_then(|spec| spec.volume_name),
    ) else {
        fail!("the claim of a ready workspace has no volume");
    };
    let file = world.cluster.volume(&volume).join("mark");
    fs::write(&file, &person.user)?;
    Ok(Mark { claim: uid, file })
}

impl Mark {
    fn is_there(&self, claim: &PersistentVolumeClaim, person: &Person) -> Result {
        ensure!(
            claim.metadata.uid.as_ref() == Some(&self.claim),
            "the claim is another one: {:?}",
            claim.metadata.uid
        );
        let found = fs::read_to_string(&self.file)?;
        ensure!(found == person.user, "the volume holds {found:?}");
        Ok(())
    }
}

async fn suspended_and_woken(world: &World, person: &Person, mark: &Mark) -> Result {
    let live = Live::of(&world.cluster, person);
    let name = person.objects();
    let head = looks::head(&world.product)?;
    person.ask("stop").await?;
    let shown = looks::phase(person, "suspended").await?;
    ensure!(shown["power"]["wanted"] == "off", "{shown}");
    ensure!(live.pod_count().await? == 0, "suspended with a pod");
    ensure!(live.scale(&name).await? == 0, "suspended at another scale");
    mark.is_there(&live.claims.get(&name).await?, person)?;

    person.ask("start").await?;
    let shown = looks::phase(person, "ready").await?;
    ensure!(shown["power"]["wanted"] == "on", "{shown}");
    ensure!(live.scale(&name).await? == 1, "ready at another scale");
    live.only_pod().await?;
    mark.is_there(&live.claims.get(&name).await?, person)?;
    let file = looks::file(&world.product, person)?.unwrap_or_default();
    ensure!(
        !file.contains("replicas"),
        "Git says how many pods there are"
    );
    ensure!(
        looks::git(
            &world.product,
            &[
                "log",
                "--format=%H",
                &format!("{head}..refs/heads/main"),
                "--",
                &format!(":(glob)shards/*/{}.yaml", person.user)
            ],
        )?
        .is_empty(),
        "power made a commit"
    );
    Ok(())
}

/// The volume grows in place; the pod keeps running as it is.
async fn a_larger_plan(world: &World, person: &Person, mark: &Mark) -> Result {
    let live = Live::of(&world.cluster, person);
    let before = uid(&live.only_pod().await?)?;
    person
        .must(
            Method::PUT,
            "/api/v5/tenant/plan",
            Some(&json!({"plan": "starter"})),
        )
        .await?;
    until("the volume to have grown", LIMIT, || async {
        let claim = live.claims.get(&person.objects()).await?;
        let has = json!(claim.status)["capacity"]["storage"].clone();
        ensure!(has == "10Gi", "it has {has}");
        mark.is_there(&claim, person)
    })
    .await?;
    let shown = looks::phase(person, "ready").await?;
    ensure!(shown["plan"] == "starter", "{shown}");
    ensure!(
        uid(&live.only_pod().await?)? == before,
        "a plan restarted the pod"
    );
    let file = looks::file(&world.product, person)?.unwrap_or_default();
    ensure!(
        file.contains("10Gi"),
        "Git does not ask for the larger volume"
    );
    Ok(())
}

async fn a_second_workspace(world: &World, person: &Person) -> Result<String> {
    let live = Live::of(&world.cluster, person);
    let first = uid(&live.only_pod().await?)?;
    let made = person
        .must(
            Method::POST,
            "/api/v5/workspaces",
            Some(&json!({"name": "second"})),
        )
        .await?;
    let Some(id) = made["id"].as_str().map(str::to_owned) else {
        fail!("no id in {made}");
    };
    looks::phase_of(person, &id, "ready").await?;
    let pod = live.pods.get(&format!("{}-0", person.objects())).await?;
    ensure!(
        uid(&pod)? == first,
        "a second workspace restarted the first"
    );
    ensure!(live.pod_count().await? == 2, "not two pods");
    Ok(id)
}

async fn renamed_without_a_commit(world: &World, person: &Person) -> Result {
    let path = format!("/api/v5/workspaces/{}", person.workspace);
    let before = looks::file(&world.product, person)?;
    let change = json!({"name": "renamed"});
    let shown = person.must(Method::PATCH, &path, Some(&change)).await?;
    ensure!(shown["name"] == "renamed", "{shown}");
    ensure!(shown["phase"] == "ready", "{shown}");
    ensure!(
        looks::file(&world.product, person)? == before,
        "a name that a person chose changed Git"
    );
    Ok(())
}

/// Marked: stopped, everything kept. After the grace period (none, in this policy): out of Git, and the reaper
/// removes the volume.
async fn deleted_after_grace(world: &World, person: &Person, workspace: &str) -> Result {
    let live = Live::of(&world.cluster, person);
    let objects = format!("workspace-{workspace}");
    let path = format!("/api/v5/workspaces/{workspace}");

    // With the grace period of the sample policy it waits, and can be taken back.
    let shown = person.must(Method::DELETE, &path, None).await?;
    ensure!(shown["phase"] == "deleting", "{shown}");
    until("the marked workspace to have no pod", LIMIT, || async {
        ensure!(live.scale(&objects).await? == 0, "another scale");
        ensure!(live.pod_count().await? == 1, "its pod is there");
        Ok(())
    })
    .await?;
    ensure!(
        live.claims.get_opt(&objects).await?.is_some(),
        "a mark removed a volume"
    );
    person
        .must(Method::POST, &format!("{path}/restore"), None)
        .await?;
    looks::phase_of(person, workspace, "suspended").await?;

    let edit = Edit::replace(
        &world.product,
        "tenants/defaults.yaml",
        "graceDays: 7",
        "graceDays: 0",
    )
    .await?;
    let restore = format!("{path}/restore");
    looks::mark_without_grace(
        async || person.must(Method::DELETE, &path, None).await,
        async || person.must(Method::POST, &restore, None).await,
    )
    .await?;
    looks::gone(person, workspace).await?;
    edit.undo(&world.product).await?;
    until("Git to have it no longer", LIMIT, || async {
        let file = looks::file(&world.product, person)?.unwrap_or_default();
        ensure!(!file.contains(workspace), "it is there");
        Ok(())
    })
    .await?;
    until(
        "Argo CD to have removed what holds no data",
        LIMIT,
        || async {
            ensure!(
                live.sets.get_opt(&objects).await?.is_none(),
                "the StatefulSet is there"
            );
            Ok(())
        },
    )
    .await?;
    ensure!(
        live.claims.get_opt(&objects).await?.is_some(),
        "the volume went without the reaper"
    );
    until("the reaper to have removed the volume", LIMIT, || async {
        let said = looks::reap(world).await?;
        let there = live.claims.get_opt(&objects).await?;
        ensure!(there.is_none(), "it is there; the reaper says {said}");
        Ok(())
    })
    .await
}

async fn erased(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    let body = json!({"password": PASSWORD, "mode": "now"});
    person
        .must(Method::DELETE, "/api/v5/me", Some(&body))
        .await?;
    until("Git to have the user no longer", LIMIT, || async {
        ensure!(
            looks::file(&world.product, person)?.is_none(),
            "the file is there"
        );
        Ok(())
    })
    .await?;
    until(
        "the reaper to have removed the namespace",
        LIMIT,
        || async {
            let said = looks::reap(world).await?;
            let there = live.namespaces.get_opt(&live.namespace).await?;
            ensure!(
                there.is_none_or(|there| there.metadata.deletion_timestamp.is_some()),
                "it is there; the reaper says {said}"
            );
            Ok(())
        },
    )
    .await?;
    live.no_namespace().await?;
    let (status, _) = person.send(Method::GET, "/api/v5/me", None).await?;
    ensure!(
        status.as_u16() == 401,
        "an erased person is still signed in: {status}"
    );
    Ok(())
}
