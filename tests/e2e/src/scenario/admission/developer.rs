//! The profile `developer`: what `developerProfileGuarded` of a cell states.

use super::{Asking, User, in_force};
use crate::{Cluster, Failure, Result, ensure};

pub(super) async fn the_gateway_is_closed_to_its_user(cluster: &Cluster, users: &[User]) -> Result {
    let user = users
        .iter()
        .find(|user| user.case == "rbac-developer")
        .ok_or_else(|| Failure::new("there is no developer"))?;
    let (namespace, workspace) = (&user.namespace, &user.workspace);
    let developer = Asking::with(cluster, &user.kubeconfig);
    let inside = |what: &str| format!("{what} --namespace={namespace}");
    for allowed in [
        "create pods",
        "delete pods",
        "create pods/exec",
        "get pods/log",
    ] {
        ensure!(
            developer.can_i(&inside(allowed)).await?,
            "a developer may not {allowed}"
        );
    }
    let exec = |container: &str| {
        inside(&format!("exec {workspace}-0 --container={container}")) + " -- true"
    };
    let closed = "the container websocket-gateway is closed";
    in_force(&developer, &exec("websocket-gateway"), closed).await?;
    // The nodes of this cluster run nothing: that the request got as far as the node says that it was admitted.
    developer
        .may_not(&exec("theia"), "", "error sending request")
        .await?;

    let create = inside("create --filename=-");
    let id = workspace.trim_start_matches("workspace-");
    let owned = format!(
        "ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: {workspace}, uid: {id}, controller: true}}]"
    );
    developer.may(&create, &pod("plain", "", "", "")).await?;
    developer
        .may(
            &create,
            &pod("elsewhere", "", "{audience: vault, path: token}", ""),
        )
        .await?;
    for (name, metadata, token, why) in [
        // Both policies refuse it, and the API server says the one that it came to first.
        ("token", String::new(), GATEWAY, "token for coditect-api"),
        (
            "disguised",
            format!("labels: {{coditect.ai/workspace: {id}}}, {owned}"),
            GATEWAY,
            "forbidden",
        ),
        (
            "catching",
            format!("labels: {{coditect.ai/workspace: {id}}}"),
            "",
            "labels of the platform",
        ),
        (
            "let-in",
            "labels: {app.kubernetes.io/name: workspace}".to_owned(),
            "",
            "labels of the platform",
        ),
    ] {
        developer
            .may_not(&create, &pod(name, &metadata, token, ""), why)
            .await?;
    }

    // Whoever else makes pods: not one without a workspace's StatefulSet, and no other container.
    let admin = Asking::with(cluster, cluster.admin_kubeconfig());
    let own = format!("labels: {{coditect.ai/workspace: {id}}}, {owned}");
    let mounted = "\n      volumeMounts: [{name: token, mountPath: /token}]";
    let set = "only the pod of a workspace's StatefulSet";
    let container = "only the container websocket-gateway mounts";
    admin
        .may_not(&create, &pod("token", "", GATEWAY, ""), set)
        .await?;
    admin
        .may_not(&create, &pod("token", &own, GATEWAY, mounted), container)
        .await?;

    // A role that gives more than the profile changes nothing about it.
    let everything = "create rolebinding tried --clusterrole=cluster-admin";
    admin
        .may(
            &inside(&format!(
                "{everything} --serviceaccount={namespace}:workspace-sa"
            )),
            "",
        )
        .await?;
    let route = "a workspace is reached through its route only";
    for (words, why) in [
        (
            inside(&format!(
                "attach {workspace}-0 --container=websocket-gateway"
            )),
            closed,
        ),
        (inside(&format!("port-forward {workspace}-0 3000")), route),
        (
            format!("get --raw /api/v1/namespaces/{namespace}/pods/{workspace}-0:8080/proxy/"),
            route,
        ),
        (
            format!("get --raw /api/v1/namespaces/{namespace}/services/{workspace}:8080/proxy/"),
            route,
        ),
        (
            inside("create token workspace-sa --audience=coditect-api"),
            "given to pods by the kubelet",
        ),
    ] {
        developer.may_not(&words, "", why).await?;
    }
    // As kubectl makes it, it would be refused by Pod Security already.
    let ephemeral = format!(
        "patch pod {workspace}-0 --namespace={namespace} --subresource=ephemeralcontainers --type=strategic --patch={EPHEMERAL}"
    );
    developer
        .may_not(&ephemeral, "", "ephemeral containers could join")
        .await
}

/// A token like the gateway's.
const GATEWAY: &str = "{audience: coditect-api, path: token}";

const EPHEMERAL: &str = concat!(
    r#"{"spec":{"ephemeralContainers":[{"name":"tried","image":"example/image:1","targetContainerName":"websocket-gateway","#,
    r#""securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}"#
);

fn pod(name: &str, metadata: &str, token: &str, mounts: &str) -> String {
    let metadata = if metadata.is_empty() {
        String::new()
    } else {
        format!(", {metadata}")
    };
    let volumes = if token.is_empty() {
        String::new()
    } else {
        format!(
            "\n  volumes: [{{name: token, projected: {{sources: [{{serviceAccountToken: {token}}}]}}}}]"
        )
    };
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: {name}{metadata}}}
spec:
  serviceAccountName: workspace-sa
  automountServiceAccountToken: false
  securityContext: {{runAsNonRoot: true, runAsUser: 10001, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: tried
      image: example/image:1
      resources: {{limits: {{cpu: 10m, memory: 1Mi, ephemeral-storage: 1Mi}}, requests: {{cpu: 1m, memory: 1Mi, ephemeral-storage: 1Mi}}}}
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}{mounts}{volumes}
"
    )
}
