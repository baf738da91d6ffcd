//! The test control plane itself: what scenarios rely on, tried without the product.

use std::{fs, time::Duration};

use k8s_openapi::api::core::v1::{Event, Node, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{Cluster, Context, Length, Result, Scenario, ensure, fail, say, until};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "cluster",
    purpose: "volumes, nodes and pods of the test control plane do what a cluster's do",
    expected: Duration::from_secs(20),
    length: Length::Quick,
    run: |context| Box::pin(run(context)),
};

const LIMIT: Duration = Duration::from_secs(60);
const NAMESPACE: &str = "default";

async fn run(context: &mut Context) -> Result {
    let start = context.own_cluster("cluster");
    let mut cluster = say::step("a cluster starts", start).await?;
    cluster
        .apply(include_str!("cluster.yaml"), NAMESPACE)
        .await?;
    let client = cluster.admin();
    let grown = a_volume_is_made_marked_and_grown(&cluster);
    say::step("a volume is made, marked and grown", grown).await?;
    let missing = a_failing_pod_says_why(&client, "missing", "ImagePullBackOff", "Failed");
    say::step("an image that is missing is told", missing).await?;
    let crashing = a_failing_pod_says_why(&client, "crashing", "CrashLoopBackOff", "BackOff");
    say::step("a container that crashes is told", crashing).await?;
    let dead = a_dead_node_keeps_its_pod(&client);
    say::step("a dead node keeps its pod", dead).await?;
    let killed = a_killed_api_server_comes_back(&mut cluster);
    say::step("a killed API server comes back", killed).await?;
    cluster.show_usage()?;
    say::step("the cluster stops", cluster.stop()).await
}

async fn a_volume_is_made_marked_and_grown(cluster: &Cluster) -> Result {
    let pods: Api<Pod> = Api::namespaced(cluster.admin(), NAMESPACE);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(cluster.admin(), NAMESPACE);
    until("a ready pod with a sidecar", LIMIT, || async {
        let pod = pods.get("works-0").await?;
        let status = pod.status.unwrap_or_default();
        ensure!(is_true(&json!(status), "Ready"), "{}", json!(status));
        let sidecar = status.init_container_statuses.unwrap_or_default();
        ensure!(
            sidecar.iter().all(|one| one.ready),
            "the sidecar is not ready"
        );
        Ok(())
    })
    .await?;
    let claim = claims.get("works").await?;
    let Some(volume) = claim.spec.and_then(|spec| spec.volume_name) else {
        fail!("a pod is ready whose claim has no volume");
    };
    fs::write(cluster.volume(&volume).join("mark"), "mine")?;

    let grown = json!({"spec": {"resources": {"requests": {"storage": "3Gi"}}}});
    claims
        .patch("works", &PatchParams::default(), &Patch::Merge(&grown))
        .await?;
    let volumes: Api<PersistentVolume> = Api::all(cluster.admin());
    until("the volume to have grown", LIMIT, || async {
        let claim = json!(claims.get("works").await?);
        ensure!(
            claim["status"]["capacity"]["storage"] == "3Gi",
            "{}",
            claim["status"]
        );
        let volume = json!(volumes.get(&volume).await?);
        ensure!(
            volume["spec"]["capacity"]["storage"] == "3Gi",
            "{}",
            volume["spec"]
        );
        Ok(())
    })
    .await?;
    let mark = fs::read_to_string(cluster.volume(&volume).join("mark"))?;
    ensure!(mark == "mine", "the volume holds {mark:?}");
    Ok(())
}

async fn a_failing_pod_says_why(client: &Client, name: &str, reason: &str, event: &str) -> Result {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let events: Api<Event> = Api::namespaced(client.clone(), NAMESPACE);
    until(format!("{name} to say {reason}"), LIMIT, || async {
        let status = json!(pods.get(name).await?.status);
        let waiting = &status["containerStatuses"][0]["state"]["waiting"]["reason"];
        ensure!(waiting == reason, "{status}");
        ensure!(!is_true(&status, "Ready"), "it is ready: {status}");
        let about = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let told = events.list(&about).await?.items;
        let told: Vec<_> = told.into_iter().filter_map(|event| event.reason).collect();
        ensure!(
            told.iter().any(|reason| reason == event),
            "events: {told:?}"
        );
        Ok(())
    })
    .await
}

/// The API server takes the deletion; the pod stays until the node's kubelet has ended it, so that no second one
/// starts on the same volume.
async fn a_dead_node_keeps_its_pod(client: &Client) -> Result {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let nodes: Api<Node> = Api::all(client.clone());
    let pod = pods.get("works-0").await?;
    let Some(node) = pod.spec.and_then(|spec| spec.node_name) else {
        fail!("a ready pod without a node");
    };
    let dead = |is: Value| json!({"metadata": {"annotations": {"fakelet.test/dead": is}}});
    let params = PatchParams::default();
    nodes
        .patch(&node, &params, &Patch::Merge(&dead(json!("true"))))
        .await?;
    pods.delete("works-0", &DeleteParams::default()).await?;
    // The same, begun later and made to take longer, on a node that lives: by then the dead one would have acted.
    let other = if node == "node-1" { "node-2" } else { "node-1" };
    let witness = json!({
        "metadata": {"name": "witness", "annotations": {"fakelet.test/stops-after": "2s"}},
        "spec": {"nodeName": other, "containers": [{"name": "main", "image": "main:1"}]},
    });
    pods.create(&PostParams::default(), &serde_json::from_value(witness)?)
        .await?;
    pods.delete("witness", &DeleteParams::default()).await?;
    until("the other pod to be gone", LIMIT, || async {
        ensure!(pods.get_opt("witness").await?.is_none(), "it is there");
        Ok(())
    })
    .await?;
    let still = pods.get("works-0").await?;
    ensure!(
        still.metadata.uid == pod.metadata.uid,
        "a second pod was made"
    );
    nodes
        .patch(&node, &params, &Patch::Merge(&dead(Value::Null)))
        .await?;
    until("a new pod", LIMIT, || async {
        let new = pods.get("works-0").await?;
        ensure!(
            new.metadata.uid != pod.metadata.uid,
            "the old pod is still there"
        );
        ensure!(
            is_true(&json!(new.status), "Ready"),
            "{}",
            json!(new.status)
        );
        Ok(())
    })
    .await
}

async fn a_killed_api_server_comes_back(cluster: &mut Cluster) -> Result {
    cluster.kill9("kube-apiserver").await?;
    cluster.restart("kube-apiserver").await?;
    let pods: Api<Pod> = Api::namespaced(cluster.admin(), NAMESPACE);
    pods.delete("works-0", &DeleteParams::default()).await?;
    until("the pod to be replaced", LIMIT, || async {
        let status = json!(pods.get("works-0").await?.status);
        ensure!(is_true(&status, "Ready"), "{status}");
        Ok(())
    })
    .await
}

fn is_true(status: &Value, kind: &str) -> bool {
    let conditions = status["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}
