//! A cell's cluster is lost with all that it held. A new, empty one is pointed at the same repository: every object
//! comes back, power is what the registry says, and nobody starts who was asleep.

use std::{
    collections::BTreeSet,
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::TryStreamExt;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Event, Pod, ResourceQuota},
};
use kube::{
    Api, Client, ResourceExt,
    api::ListParams,
    runtime::{WatchStreamExt, watcher},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    looks::{self, LIMIT},
    policy::Edit,
};
use crate::{
    CELL, Cluster, Context, Failure, Length, PASSWORD, Person, Product, Result, Scenario, World,
    allow, connect, ensure, fail, say, until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "cell-lost",
    purpose: "a new cluster comes back from Git with power as the registry has it; who slept never starts",
    expected: Duration::from_secs(180),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

/// How many people there are.
const PEOPLE: usize = 12;
/// The label of workspaces' objects.
const WORKSPACES: &str = "app.kubernetes.io/name=workspace";

async fn run(context: &mut Context) -> Result {
    let world = context.own_world("world").await?;
    let before = say::step("people, some of them asleep", Inhabitants::of(&world)).await?;
    let World {
        cluster,
        mut product,
    } = world;
    // Nothing is stopped in order.
    drop(cluster);
    until(
        "the observer to say that the cluster is away",
        LIMIT,
        || async {
            let (code, said) = product.command(&["cell"]).await?;
            ensure!(code == 3 && said["connected"] == false, "{code} {said}");
            Ok(())
        },
    )
    .await?;
    let hold = say::step("the cell is held", hold(&product, &before)).await?;

    let empty = context.own_cluster("rebuilt");
    let mut cluster = say::step("an empty cluster starts", empty).await?;
    let started = Started::watch(&cluster.admin());
    cluster.install_argocd().await?;
    allow(&context.machine, &cluster).await?;
    point_at(&mut product, &cluster).await?;
    nothing_is_set_yet(&product, &before).await?;
    let (repository, token) = product.repository();
    let filled = connect(&context.machine, &mut cluster, CELL, repository, token);
    say::step("Argo CD brings everything back", filled).await?;

    let world = World { cluster, product };
    say::step("every scale is set", every_scale_is_set(&world, &before)).await?;
    say::step("registry, Git and cluster agree", looks::agree(&world)).await?;
    held_cell_starts_nobody(&world, &before, &started).await?;
    let released = released(&world, &before, hold);
    say::step("the hold ends: who was on is ready", released).await?;
    say::step("registry, Git and cluster agree", looks::agree(&world)).await?;
    who_slept_never_started(&world, &before, &started).await?;
    before.wakes().await?;
    // An API server waits for its watches before it ends.
    drop(started);
    world.stop().await
}

/// Who lives in the cell.
struct Inhabitants {
    people: Vec<Person>,
    /// Workspaces that are on, and whose.
    on: Vec<(usize, String)>,
    /// Workspaces that are off, by their own people or by a mark for deletion.
    off: BTreeSet<String>,
}

impl Inhabitants {
    async fn of(world: &World) -> Result<Self> {
        let api = world.product.api();
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            let email = format!("lost-{number}@example.test");
            people.push(api.sign_up(&email).await?);
        }
        let mut all = Self {
            on: Vec::new(),
            off: BTreeSet::new(),
            people,
        };
        let second = second_workspace(&all.people[0]).await?;
        all.on.push((0, second));
        let marked = json!({"password": PASSWORD, "mode": "grace"});
        for (number, person) in all.people.iter().enumerate() {
            looks::phase(person, "ready").await?;
            match number {
                0..5 => {
                    person.ask("stop").await?;
                    all.off.insert(person.workspace.clone());
                }
                5 => {
                    person
                        .must(Method::DELETE, "/api/v5/me", Some(&marked))
                        .await?;
                    all.off.insert(person.workspace.clone());
                }
                _ => all.on.push((number, person.workspace.clone())),
            }
        }
        for (number, workspace) in &all.on {
            looks::phase_of(&all.people[*number], workspace, "ready").await?;
        }
        for person in &all.people[..5] {
            looks::phase(person, "suspended").await?;
        }
        looks::agree(world).await?;
        Ok(all)
    }

    /// The names of the pods that may ever start.
    fn pods(&self) -> BTreeSet<String> {
        let pod = |(_, workspace): &(usize, String)| format!("workspace-{workspace}-0");
        self.on.iter().map(pod).collect()
    }

    /// Somebody who slept through it all wakes.
    async fn wakes(&self) -> Result {
        self.people[1].ask("start").await?;
        looks::phase(&self.people[1], "ready").await.map(drop)
    }
}

async fn second_workspace(person: &Person) -> Result<String> {
    let plan = json!({"plan": "starter"});
    person
        .must(Method::PUT, "/api/v5/tenant/plan", Some(&plan))
        .await?;
    let named = json!({"name": "second"});
    let made = person
        .must(Method::POST, "/api/v5/workspaces", Some(&named))
        .await?;
    let none = || Failure::new(format!("no id in {made}"));
    made["id"].as_str().map(str::to_owned).ok_or_else(none)
}

/// Commits `hold: true` for the cell, and waits until Git gives nobody a pod.
async fn hold(product: &Product, before: &Inhabitants) -> Result<Edit> {
    let file = format!("tenants/cells/{CELL}.yaml");
    let facts = fs::read_to_string(product.policy().join(&file))?;
    let edit = Edit::write(product, &file, &format!("hold: true\n{facts}")).await?;
    until("Git to give nobody a pod", LIMIT, || async {
        for person in &before.people {
            let text = looks::file(product, person)?.unwrap_or_default();
            ensure!(
                text.contains("pods: \"0\""),
                "{} may have pods",
                person.user
            );
        }
        Ok(())
    })
    .await?;
    Ok(edit)
}

/// Tells renderer and observer of another cluster, and starts them again.
async fn point_at(product: &mut Product, cluster: &Cluster) -> Result {
    let argocd = cluster.argocd()?;
    let secret = product.data().with_file_name("webhook-secret");
    fs::write(secret, &argocd.webhook_secret)?;
    let observer = cluster
        .kubeconfig_of("coditect", "coditect-observer")
        .await?;
    let observer = format!("{CELL}={}", observer.display());
    product.stop_part("renderer").await?;
    product.stop_part("observer").await?;
    let arguments = &mut product.process("renderer")?.program().arguments;
    let webhook = arguments
        .iter_mut()
        .find(|argument| argument.to_string_lossy().starts_with("--webhook="));
    let Some(webhook) = webhook else {
        fail!("the renderer has no webhook");
    };
    *webhook = format!("--webhook={}", argocd.webhook).into();
    let arguments = &mut product.process("observer")?.program().arguments;
    let old = arguments
        .iter_mut()
        .find(|argument| argument.to_string_lossy().starts_with(&format!("{CELL}=")));
    let Some(old) = old else {
        fail!("the observer has no cluster");
    };
    *old = observer.into();
    product.restart("renderer").await?;
    product.restart("observer").await.map(drop)
}

/// While the cluster is empty `coditect cell` counts every workspace: nobody may take that for done.
async fn nothing_is_set_yet(product: &Product, before: &Inhabitants) -> Result {
    let all = before.on.len() + before.off.len();
    until("every scale to be still to come", LIMIT, || async {
        let (code, said) = product.command(&["cell"]).await?;
        ensure!(
            code == 3 && said["held"] == true && said["connected"] == true,
            "{code} {said}"
        );
        ensure!(said["scales_wrong"] == all, "{said}");
        Ok(())
    })
    .await
}

async fn every_scale_is_set(world: &World, before: &Inhabitants) -> Result {
    until("the hold to be said to be over", LIMIT, || async {
        let (code, said) = world.product.command(&["cell"]).await?;
        ensure!(code == 0 && said["held"] == true, "{code} {said}");
        ensure!(said["scales_wrong"] == 0, "{said}");
        Ok(())
    })
    .await?;
    let sets: Api<StatefulSet> = Api::all(world.cluster.admin());
    let sets = sets.list(&ListParams::default().labels(WORKSPACES)).await?;
    ensure!(
        sets.items.len() == before.on.len() + before.off.len(),
        "{} StatefulSets came back",
        sets.items.len()
    );
    for set in sets {
        let replicas = set.spec.as_ref().and_then(|spec| spec.replicas);
        ensure!(
            replicas == Some(0),
            "{} has the scale {replicas:?} in a held cell",
            set.name_any()
        );
    }
    Ok(())
}

/// Nobody has a pod, the quota says why, and so does the API.
async fn held_cell_starts_nobody(world: &World, before: &Inhabitants, started: &Started) -> Result {
    let quotas: Api<ResourceQuota> = Api::all(world.cluster.admin());
    for quota in quotas.list(&ListParams::default()).await? {
        let hard = json!(quota.spec)["hard"]["pods"].clone();
        let name = quota.namespace().unwrap_or_default();
        if name.starts_with("user-") {
            ensure!(hard == "0", "{name} may have {hard} pods");
        }
    }
    let (number, workspace) = &before.on[1];
    let path = format!("/api/v5/workspaces/{workspace}");
    until("the API to say that the cell is held", LIMIT, || async {
        let shown = before.people[*number].get(&path).await?;
        ensure!(shown["reason"]["cause"] == "hold", "{shown}");
        Ok(())
    })
    .await?;
    let pods = started.pods();
    ensure!(pods.is_empty(), "pods in a held cell: {pods:?}");
    Ok(())
}

async fn released(world: &World, before: &Inhabitants, hold: Edit) -> Result {
    hold.undo(&world.product).await?;
    let mut shown = Value::Null;
    for (number, workspace) in &before.on {
        shown = looks::phase_of(&before.people[*number], workspace, "ready").await?;
    }
    ensure!(shown["power"]["wanted"] == "on", "{shown}");
    until("the cell to be in service", LIMIT, || async {
        let (code, said) = world.product.command(&["cell"]).await?;
        ensure!(
            code == 0 && said["held"] == false && said["ready"] == before.on.len(),
            "{code} {said}"
        );
        Ok(())
    })
    .await
}

/// From the first moment of the new cluster to the last, by a watch of all pods and by what the cluster's own
/// controller said that it made.
async fn who_slept_never_started(world: &World, before: &Inhabitants, started: &Started) -> Result {
    let awake = before.pods();
    until("the watch to have seen every pod", LIMIT, || async {
        let seen = started.pods();
        ensure!(seen == awake, "{seen:?} started, {awake:?} are on");
        Ok(())
    })
    .await?;
    let events: Api<Event> = Api::all(world.cluster.admin());
    let made = ListParams::default().fields("reason=SuccessfulCreate");
    let mut told = 0;
    for event in events.list(&made).await? {
        let of = event.involved_object;
        let name = of.name.unwrap_or_default();
        if of.kind.as_deref() == Some("StatefulSet") && name.starts_with("workspace-") {
            ensure!(awake.contains(&format!("{name}-0")), "{name} was started");
            told += 1;
        }
    }
    ensure!(told == awake.len(), "{told} events of {} pods", awake.len());
    Ok(())
}

/// Every pod of a workspace that was ever there.
struct Started {
    pods: Arc<Mutex<BTreeSet<String>>>,
    _watch: JoinSet<()>,
}

impl Started {
    /// Begins to watch.
    fn watch(client: &Client) -> Self {
        let pods = Arc::new(Mutex::new(BTreeSet::new()));
        let seen = Arc::clone(&pods);
        let all: Api<Pod> = Api::all(client.clone());
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            let watched = watcher(all, watcher::Config::default()).default_backoff();
            let mut watched = std::pin::pin!(watched.applied_objects());
            loop {
                match watched.try_next().await {
                    Ok(Some(pod)) => {
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.insert(pod.name_any());
                    }
                    Ok(None) => return,
                    Err(_) => {}
                }
            }
        });
        Self {
            pods,
            _watch: watch,
        }
    }

    fn pods(&self) -> BTreeSet<String> {
        let pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        pods.clone()
    }
}
