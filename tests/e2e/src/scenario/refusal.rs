//! A cluster that refuses what Git asks for one user, by an admission policy of its own; what is told of it, and
//! what an operator does.

use std::time::Duration;

use serde_json::Value;

use super::looks::LIMIT;
use crate::{CELL, Failure, Person, Result, World, ensure, until};

/// What the policy says that refuses somebody.
pub(super) const SAYS: &str = "larger-limits-are-not-for-this-one";
/// How long Argo CD's tries and the quarantine's rule may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(240);

/// An admission policy that admits the limits of one user only as they are now; none admits all.
pub(super) async fn refuse(world: &World, namespace: &str, limit: &str) -> Result {
    let policy = format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: poison}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {{apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [limitranges]}}
  validations:
    - expression: object.metadata.namespace != '{namespace}' || object.spec.limits[0].max['memory'] == '{limit}'
      message: {SAYS}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: poison}}
spec: {{policyName: poison, validationActions: [Deny]}}
"
    );
    world.cluster.apply(&policy, "default").await?;
    // It is in force a moment later: tried on a LimitRange that it must refuse.
    let tried = format!(
        "{{apiVersion: v1, kind: LimitRange, metadata: {{name: tried, namespace: {namespace}}}, \
         spec: {{limits: [{{type: Container, max: {{memory: 3Mi}}}}]}}}}"
    );
    until("the policy to be in force", LIMIT, || async {
        let kubeconfig = world.cluster.admin_kubeconfig();
        let create = ["create", "--dry-run=server", "-f", "-"];
        let answer = world
            .cluster
            .kubectl_as(kubeconfig, &create, Some(&tried))
            .await;
        match answer {
            Err(refused) if refused.to_string().contains(SAYS) => Ok(()),
            other => Err(Failure::new(format!("{other:?}"))),
        }
    })
    .await
}

pub(super) async fn admit(world: &World) -> Result {
    for kind in ["policybinding", "policy"] {
        let kind = format!("validatingadmission{kind}");
        world.cluster.kubectl(&["delete", &kind, "poison"]).await?;
    }
    Ok(())
}

/// The largest memory that the live limits allow.
pub(super) async fn limit(world: &World, namespace: &str) -> Result<String> {
    let path = "jsonpath={.spec.limits[0].max.memory}";
    let get = [
        "get",
        "limitrange",
        "workspace-limits",
        "-n",
        namespace,
        "-o",
        path,
    ];
    world.cluster.kubectl(&get).await
}

pub(super) fn notice<'a>(shown: &'a Value, kind: &str) -> Option<&'a Value> {
    let notices = shown["notices"].as_array();
    let mut notices = notices.into_iter().flatten();
    notices.find(|notice| notice["kind"] == kind)
}

/// Waits until a workspace tells that its user is quarantined, with the words of the cluster.
pub(super) async fn told(person: &Person) -> Result<Value> {
    until("the notice of a quarantine", PATIENCE, || async {
        let shown = person.shown().await?;
        let detail = notice(&shown, "quarantined").map(|notice| notice["detail"].to_string());
        ensure!(
            detail.is_some_and(|detail| detail.contains(SAYS)),
            "{} {} {}",
            shown["phase"],
            shown["reason"],
            shown["notices"]
        );
        Ok(shown)
    })
    .await
}

/// What an operator does when the cause was in the cluster.
pub(super) async fn lift(world: &World, person: &Person) -> Result {
    let command = ["quarantine", "--cell", CELL, "lift", &person.user];
    let (code, said) = world.product.command(&command).await?;
    ensure!(code == 0, "lifting ends with {code}: {said}");
    Ok(())
}

pub(super) async fn cleared(person: &Person) -> Result {
    let shown = until("nothing to be said any more", PATIENCE, || async {
        let shown = person.shown().await?;
        ensure!(
            notice(&shown, "quarantined").is_none()
                && shown["reason"].is_null()
                && shown["phase"] == "ready",
            "{shown}"
        );
        Ok(shown)
    })
    .await?;
    ensure!(
        notice(&shown, "drift").is_none(),
        "by nobody's hand: {shown}"
    );
    Ok(())
}
