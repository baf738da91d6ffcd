//! Everything that keeps a workspace from running is named while it does, and no longer. A dead link, or a spinner
//! without a word, is what people see elsewhere (onyxia#695, che#22068). A full quota is tried in `observer`.

use std::{fs, time::Duration};

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    looks::{self, LIMIT, Live},
    policy::Edit,
};
use crate::{
    CELL, Context, Failure, Length, Person, Result, Scenario, World, ensure, fail, say, until,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reasons",
    purpose: "image, crash, volume, no room and a dead node are each named with a remedy, and clear",
    expected: Duration::from_secs(240),
    length: Length::Long,
    run: |context| Box::pin(run(context)),
};

async fn run(context: &mut Context) -> Result {
    let world = context.world().await?;
    let api = world.product.api();
    let person = api.sign_up("reasons@example.test").await?;
    looks::phase(&person, "ready").await?;
    say::step("a bad image is named", images(world, &person)).await?;
    say::step("a full cell is named", no_room(world, &person)).await?;
    say::step(
        "a volume that nobody makes is named",
        volumes(world, &person),
    )
    .await?;
    let node = dead_node(world, &person);
    say::step("a dead node is named and starts no second pod", node).await?;
    looks::agree(world).await?;
    world.must_run()
}

/// Waits until a workspace has failed for a reason of this kind; the API gives it a remedy.
async fn failed(person: &Person, workspace: &str, cause: &str) -> Result<Value> {
    let path = format!("/api/v5/workspaces/{workspace}");
    until(format!("{workspace} to fail: {cause}"), LIMIT, || async {
        let shown = person.get(&path).await?;
        ensure!(
            shown["phase"] == "failed" && shown["reason"]["cause"] == cause,
            "{} {}",
            shown["phase"],
            shown["reason"]
        );
        Ok(shown)
    })
    .await
    .and_then(|shown| {
        let text = |field: &str| shown["reason"][field].as_str().unwrap_or_default();
        ensure!(!text("detail").is_empty(), "no detail: {shown}");
        ensure!(!text("remedy").is_empty(), "no remedy: {shown}");
        Ok(shown)
    })
}

/// Waits until a workspace is ready and nothing is said against it.
async fn cleared(person: &Person, workspace: &str) -> Result {
    let shown = looks::phase_of(person, workspace, "ready").await?;
    ensure!(shown["reason"].is_null(), "ready, and {}", shown["reason"]);
    Ok(())
}

async fn off_and_on(person: &Person) -> Result {
    person.ask("stop").await?;
    looks::phase(person, "suspended").await?;
    person.ask("start").await.map(drop)
}

/// A ring whose image is not there, and one whose image ends at once: chosen for one tenant by a reviewer.
async fn images(world: &World, person: &Person) -> Result {
    let product = &world.product;
    fs::create_dir_all(product.policy().join("tenants/orgs"))?;
    let ring = |name: &str| {
        let images =
            format!("{{ide: \"coditect/ide:{name}\", gateway: \"coditect/gateway:0.1.0\"}}");
        format!("  - {{name: {name}, below: 1000, release: v1, engine: 1, images: {images}}}\n")
    };
    let last = "  - name: everyone";
    let rings = format!("{}{}{last}", ring("missing"), ring("crashing"));
    let rings = Edit::replace(product, "tenants/rings.yaml", last, &rings).await?;
    let chosen = format!("tenants/orgs/{}.yaml", person.tenant);
    for (name, cause) in [("missing", "image"), ("crashing", "crash")] {
        let edit = Edit::write(product, &chosen, &format!("ring: {name}\n")).await?;
        image(world, person, name).await?;
        off_and_on(person).await?;
        let shown = failed(person, &person.workspace, cause).await?;
        ensure!(
            shown["reason"].to_string().contains(if name == "missing" {
                "coditect/ide:missing"
            } else {
                "theia"
            }),
            "{}",
            shown["reason"]
        );
        edit.undo(product).await?;
        image(world, person, "0.1.0").await?;
        off_and_on(person).await?;
        cleared(person, &person.workspace).await?;
    }
    rings.undo(product).await
}

/// Waits until the live StatefulSet names an image of this tag.
async fn image(world: &World, person: &Person, tag: &str) -> Result {
    let live = Live::of(&world.cluster, person);
    until(format!("the image {tag} in the cluster"), LIMIT, || async {
        let set = json!(live.sets.get(&person.objects()).await?);
        let image = set["spec"]["template"]["spec"]["containers"][0]["image"].clone();
        ensure!(image == format!("coditect/ide:{tag}"), "{image}");
        Ok(())
    })
    .await
}

/// All nodes are cordoned.
async fn no_room(world: &World, person: &Person) -> Result {
    person.ask("stop").await?;
    looks::phase(person, "suspended").await?;
    cordon(world, true).await?;
    person.ask("start").await?;
    let shown = failed(person, &person.workspace, "unschedulable").await;
    cordon(world, false).await?;
    shown?;
    cleared(person, &person.workspace).await
}

async fn cordon(world: &World, cordoned: bool) -> Result {
    let nodes: Api<Node> = Api::all(world.cluster.admin());
    let change = Patch::Merge(json!({"spec": {"unschedulable": cordoned}}));
    let params = PatchParams::default();
    let all = nodes.list(&ListParams::default()).await?.items;
    let names = all.into_iter().filter_map(|node| node.metadata.name);
    try_join_all(names.map(|name| {
        let (nodes, params, change) = (&nodes, &params, &change);
        async move { nodes.patch(&name, params, change).await }
    }))
    .await?;
    Ok(())
}

/// A class that the cluster does not have, and one whose volumes nobody makes: each for a further workspace, as a
/// volume never changes its class.
async fn volumes(world: &mut World, person: &Person) -> Result {
    let plan = json!({"plan": "starter"});
    person
        .must(Method::PUT, "/api/v5/tenant/plan", Some(&plan))
        .await?;
    let class = |name: &str| format!("  - {{name: {name}, milliDollarsPerGibMonth: 40}}\n");
    let route = "route:\n";
    let classes = format!("{}{}{route}", class("absent"), class("unserved"));
    let cell = format!("tenants/cells/{CELL}.yaml");
    Edit::replace(&world.product, &cell, route, &classes).await?;
    let unserved = "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: unserved}, \
         provisioner: kubernetes.io/no-provisioner, volumeBindingMode: WaitForFirstConsumer}";
    world.cluster.apply(unserved, "default").await?;
    for name in ["absent", "unserved"] {
        let chosen = format!("tenants/orgs/{}.yaml", person.tenant);
        let text = format!("storageClass: {name}\n");
        let edit = Edit::write(&world.product, &chosen, &text).await?;
        // Which class a new volume has is decided by the API: it reads the policy anew when it starts.
        world.product.stop_part("api").await?;
        world.product.restart("api").await?;
        let body = json!({"name": name});
        let made = person
            .must(Method::POST, "/api/v5/workspaces", Some(&body))
            .await?;
        let Some(id) = made["id"].as_str() else {
            fail!("no id in {made}");
        };
        failed(person, id, "volume").await?;
        edit.undo(&world.product).await?;
        // What an operator does then: the class, or a volume, is made by hand.
        let remedy = match name {
            "absent" => {
                "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: absent}, \
                 provisioner: fakelet.test/volumes, volumeBindingMode: WaitForFirstConsumer}"
            }
            _ => {
                "{apiVersion: v1, kind: PersistentVolume, metadata: {name: by-hand}, spec: {capacity: {storage: 10Gi}, \
                 accessModes: [ReadWriteOnce], storageClassName: unserved, hostPath: {path: /by-hand}}}"
            }
        };
        world.cluster.apply(remedy, "default").await?;
        cleared(person, id).await?;
        let stop = format!("/api/v5/workspaces/{id}/stop");
        person.must(Method::POST, &stop, None).await?;
    }
    Ok(())
}

/// Case: a node is killed while a workspace is being suspended. Whether its pod still writes is not known: the
/// workspace is never called suspended, and waking it makes no second pod on the volume, until the node is heard of.
async fn dead_node(world: &World, person: &Person) -> Result {
    let live = Live::of(&world.cluster, person);
    let name = format!("{}-0", person.objects());
    let pod = live.pods.get(&name).await?;
    let Some(node) = pod.spec.and_then(|spec| spec.node_name) else {
        fail!("a ready pod without a node");
    };
    let uid = pod.metadata.uid;
    mark(world, &node, json!("true")).await?;
    person.ask("stop").await?;
    let shown = failed(person, &person.workspace, "node").await?;
    ensure!(
        steps(&shown).all(|phase| phase != "suspended"),
        "called suspended while its pod was there: {}",
        shown["timeline"]
    );
    ensure!(
        live.pods.get(&name).await?.metadata.uid == uid,
        "another pod"
    );

    person.ask("start").await?;
    until("the scale to be 1", LIMIT, || async {
        let set = live.sets.get(&person.objects()).await?;
        let (scale, seen) = (json!(set.spec)["replicas"].clone(), json!(set.status));
        ensure!(scale == 1, "it is {scale}");
        ensure!(
            seen["observedGeneration"] == json!(set.metadata.generation),
            "its controller has not seen that"
        );
        Ok(())
    })
    .await?;
    let shown = failed(person, &person.workspace, "node").await?;
    let only = live.only_pod_of(&person.objects()).await?;
    ensure!(only == uid, "a second pod on the volume: {shown}");

    mark(world, &node, Value::Null).await?;
    until("another pod", LIMIT, || async {
        let now = live.only_pod_of(&person.objects()).await?;
        ensure!(now != uid, "the old one is there");
        Ok(())
    })
    .await?;
    cleared(person, &person.workspace).await
}

fn steps(shown: &Value) -> impl Iterator<Item = &str> {
    let steps = shown["timeline"]["steps"].as_array();
    steps
        .into_iter()
        .flatten()
        .filter_map(|step| step["phase"].as_str())
}

async fn mark(world: &World, node: &str, dead: Value) -> Result {
    let nodes: Api<Node> = Api::all(world.cluster.admin());
    let change = json!({"metadata": {"annotations": {"fakelet.test/dead": dead}}});
    nodes
        .patch(node, &PatchParams::default(), &Patch::Merge(&change))
        .await?;
    Ok(())
}

impl Live {
    /// The UID of the only pod of a workspace, on its way out or not.
    async fn only_pod_of(&self, workspace: &str) -> Result<Option<String>> {
        let mut pods = self.pods.list(&ListParams::default()).await?.items;
        pods.retain(|pod| {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            name.starts_with(workspace)
        });
        ensure!(pods.len() == 1, "{} pods", pods.len());
        let pod = pods.pop().ok_or_else(|| Failure::new("no pod"))?;
        Ok(pod.metadata.uid)
    }
}
