//! Users of every plan, and what they or their pods might try.

use std::path::Path;

use k8s_openapi::api::core::v1::{LimitRange, Pod};
use kube::{Api, api::ListParams};
use serde_json::json;

use super::{Asking, LIMIT, User};
use crate::{Cluster, During, Failure, Result, ensure, until};

/// Every plan as sold, and the profile that may do most.
const CASES: [&str; 4] = ["plan-free", "plan-starter", "plan-pro", "rbac-developer"];

/// Applies the golden manifests as they are, and waits until the workspaces run.
pub(super) async fn bring(cluster: &Cluster, golden: &Path) -> Result<Vec<User>> {
    let admin = Asking::with(cluster, cluster.admin_kubeconfig());
    let mut users = Vec::new();
    for case in CASES {
        let folder = golden.join(case).join("expected");
        let apply = format!("apply --server-side --filename={}", folder.display());
        // A quota refuses everything until it has been counted for the first time.
        until(format!("{case} to be admitted"), LIMIT, || async {
            admin.may(&apply, "").await
        })
        .await?;
        users.push(user(cluster, case, &folder).await?);
    }
    for user in &users {
        let pods: Api<Pod> = Api::namespaced(cluster.admin(), &user.namespace);
        let name = format!("{}-0", user.workspace);
        until(format!("the pod of {}", user.case), LIMIT, || async {
            let phase = pods
                .get(&name)
                .await?
                .status
                .and_then(|status| status.phase);
            ensure!(phase.as_deref() == Some("Running"), "{phase:?}");
            Ok(())
        })
        .await?;
    }
    Ok(users)
}

async fn user(cluster: &Cluster, case: &'static str, folder: &Path) -> Result<User> {
    let mut namespace = None;
    let mut workspace = None;
    for entry in std::fs::read_dir(folder).during(folder.display())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let of = |kind: &str| Some(name.split_once(kind)?.1.strip_suffix(".yaml")?.to_owned());
        namespace = namespace.or_else(|| of("-namespace-"));
        workspace = workspace.or_else(|| of("-statefulset-"));
    }
    let none = |what: &str| Failure::new(format!("{case} has no {what}"));
    let namespace = namespace.ok_or_else(|| none("Namespace"))?;
    let workspace = workspace.ok_or_else(|| none("StatefulSet"))?;
    let kubeconfig = cluster.kubeconfig_of(&namespace, "workspace-sa").await?;
    Ok(User {
        case,
        namespace,
        workspace,
        kubeconfig,
    })
}

/// Asked by the administrator, whom no role holds back: so it is admission that refuses.
pub(super) async fn what_a_user_might_try_is_refused(cluster: &Cluster, users: &[User]) -> Result {
    let admin = Asking::with(cluster, cluster.admin_kubeconfig());
    for user in users {
        let create = format!("create --namespace={} --filename=-", user.namespace);
        let limits: Api<LimitRange> = Api::namespaced(cluster.admin(), &user.namespace);
        let limits = json!(limits.list(&ListParams::default()).await?.items);
        let largest = limits[0]["spec"]["limits"][0]["max"]["memory"]
            .as_str()
            .ok_or_else(|| Failure::new("no limit of memory"))?;
        let tries = [
            (
                pod(&[("privileged: true", largest)]),
                "violates PodSecurity",
            ),
            (pod(&[("runAsUser: 0", largest)]), "violates PodSecurity"),
            // More containers of the largest size than a plan has workspaces.
            (pod(&[("", largest); 8]), "exceeded quota"),
            (pod(&[("", "1Ti")]), "maximum memory usage per Container"),
            (service("NodePort"), "exceeded quota"),
            (service("LoadBalancer"), "exceeded quota"),
            (SECRET.to_owned(), "exceeded quota"),
        ];
        for (object, why) in tries {
            let refused = admin.may_not(&create, &object, why).await;
            refused.during(user.case)?;
        }
    }
    Ok(())
}

pub(super) async fn a_user_sees_its_own_namespace_only(
    cluster: &Cluster,
    users: &[User],
) -> Result {
    for user in users {
        let asking = Asking::with(cluster, &user.kubeconfig);
        let inside = format!("list pods --namespace={}", user.namespace);
        ensure!(
            asking.can_i(&inside).await?,
            "{}: may not {inside}",
            user.case
        );
        for other in users
            .iter()
            .filter(|other| other.namespace != user.namespace)
        {
            for what in [
                "get pods",
                "list persistentvolumeclaims",
                "create pods",
                "get pods/log",
            ] {
                let outside = format!("{what} --namespace={}", other.namespace);
                ensure!(
                    !asking.can_i(&outside).await?,
                    "{}: may {outside}",
                    user.case
                );
            }
        }
        for outside in [
            "list pods --all-namespaces",
            "list namespaces",
            "get nodes",
            "get secrets --namespace=kube-system",
            "list applications.argoproj.io --all-namespaces",
            "get secrets --namespace=coditect",
        ] {
            ensure!(
                !asking.can_i(outside).await?,
                "{}: may {outside}",
                user.case
            );
        }
        for never in [
            "create services",
            "create persistentvolumeclaims",
            "get secrets",
            "patch statefulsets/scale",
        ] {
            let never = format!("{never} --namespace={}", user.namespace);
            ensure!(!asking.can_i(&never).await?, "{}: may {never}", user.case);
        }
    }
    Ok(())
}

/// A pod that Pod Security `restricted` admits but for what a container adds to its security context.
fn pod(containers: &[(&str, &str)]) -> String {
    let containers: String = containers
        .iter()
        .enumerate()
        .map(|(index, (context, memory))| {
            let context = if context.is_empty() { String::new() } else { format!(", {context}") };
            let escalation = if context.contains("privileged") { "true" } else { "false" };
            format!(
                "
    - name: c{index}
      image: example/image:1
      resources: {{limits: {{cpu: 10m, memory: {memory}, ephemeral-storage: 1Mi}}, requests: {{cpu: 1m, memory: {memory}, ephemeral-storage: 1Mi}}}}
      securityContext: {{allowPrivilegeEscalation: {escalation}, capabilities: {{drop: [ALL]}}{context}}}"
            )
        })
        .collect();
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: tried}}
spec:
  automountServiceAccountToken: false
  securityContext: {{runAsNonRoot: true, runAsUser: 10001, seccompProfile: {{type: RuntimeDefault}}}}
  containers:{containers}
"
    )
}

fn service(kind: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: tried}}\nspec: {{type: {kind}, ports: [{{port: 80}}]}}\n"
    )
}

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: tried}\nstringData: {a: b}\n";
