//! What scenarios look at again and again: the API, the live objects, Git, and whether all three agree.

use std::{process::Command, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Namespace, PersistentVolumeClaim, Pod},
};
use kube::{Api, api::ListParams};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{CELL, Cluster, During, Failure, Person, Product, Result, World, ensure, fail, until};

/// How long anything may take on a loaded machine of two cores: longer than Argo CD's poll, which is what finds a commit
/// whose event was lost (`argocd/settings`: 60 s, its informer's period, and 30 s of jitter).
pub(super) const LIMIT: Duration = Duration::from_secs(240);

/// Waits until the API shows a workspace in a phase; gives what it shows then.
pub(super) async fn phase(person: &Person, wanted: &str) -> Result<Value> {
    phase_of(person, &person.workspace, wanted).await
}

/// As [`phase`], for any workspace of the person.
pub(super) async fn phase_of(person: &Person, workspace: &str, wanted: &str) -> Result<Value> {
    let path = format!("/api/v5/workspaces/{workspace}");
    until(
        format!("workspace {workspace} to be {wanted}"),
        LIMIT,
        || async {
            let shown = person.get(&path).await?;
            ensure!(shown["phase"] == wanted, "{shown}");
            Ok(shown)
        },
    )
    .await
}

/// Waits until the API no longer knows a workspace.
pub(super) async fn gone(person: &Person, workspace: &str) -> Result {
    let path = format!("/api/v5/workspaces/{workspace}");
    until(
        format!("workspace {workspace} to be gone from the API"),
        LIMIT,
        || async {
            let (status, answer) = person.send(Method::GET, &path, None).await?;
            ensure!(status == StatusCode::NOT_FOUND, "{status} {answer}");
            Ok(())
        },
    )
    .await
}

/// Waits until the API tells of a change by hand.
pub(super) async fn told_of_drift(person: &Person, detail: &str) -> Result {
    until(format!("the notice of drift: {detail}"), LIMIT, || async {
        let shown = person.shown().await?;
        let notices = shown["notices"].as_array();
        let says = |notice: &Value| {
            let text = notice["detail"].as_str().unwrap_or_default();
            notice["kind"] == "drift" && text.contains(detail)
        };
        ensure!(
            notices.is_some_and(|notices| notices.iter().any(says)),
            "{}",
            shown["notices"]
        );
        Ok(())
    })
    .await
}

/// Marks something for deletion under a policy without grace period, as soon as the API has taken that up: a mark
/// that is still to last for days is taken back. The answer of `mark` says until when it lasts.
pub(super) async fn mark_without_grace(
    mark: impl AsyncFn() -> Result<Value>,
    restore: impl AsyncFn() -> Result<Value>,
) -> Result {
    until("the API to give no grace", LIMIT, || async {
        let shown = mark().await?;
        let lasts = shown["deletes_at"].as_str().unwrap_or_default();
        let lasts: Timestamp = lasts.parse().during(&shown)?;
        if lasts > Timestamp::now() + SignedDuration::from_hours(1) {
            restore().await?;
            fail!("it would be kept until {lasts}");
        }
        Ok(())
    })
    .await
}

/// A person's live objects.
pub(super) struct Live {
    /// Their namespace.
    pub(super) namespace: String,
    pub(super) sets: Api<StatefulSet>,
    pub(super) pods: Api<Pod>,
    pub(super) claims: Api<PersistentVolumeClaim>,
    pub(super) namespaces: Api<Namespace>,
}

impl Live {
    pub(super) fn of(cluster: &Cluster, person: &Person) -> Self {
        let (client, namespace) = (cluster.admin(), person.namespace());
        Self {
            sets: Api::namespaced(client.clone(), &namespace),
            pods: Api::namespaced(client.clone(), &namespace),
            claims: Api::namespaced(client.clone(), &namespace),
            namespaces: Api::all(client),
            namespace,
        }
    }

    /// The scale that a StatefulSet is asked for.
    pub(super) async fn scale(&self, name: &str) -> Result<i32> {
        let set = self.sets.get(name).await?;
        Ok(set.spec.and_then(|spec| spec.replicas).unwrap_or_default())
    }

    /// The only pod of the namespace; none is a failure, two are one that no wait mends.
    pub(super) async fn only_pod(&self) -> Result<Pod> {
        let mut pods = self.pods.list(&ListParams::default()).await?.items;
        ensure!(pods.len() == 1, "{} pods in {}", pods.len(), self.namespace);
        pods.pop().ok_or_else(|| Failure::new("no pod"))
    }

    /// How many pods there are, in whatever state.
    pub(super) async fn pod_count(&self) -> Result<usize> {
        Ok(self.pods.list(&ListParams::default()).await?.items.len())
    }

    /// Waits until the Namespace object is gone.
    pub(super) async fn no_namespace(&self) -> Result {
        until(format!("{} to be gone", self.namespace), LIMIT, || async {
            let there = self.namespaces.get_opt(&self.namespace).await?;
            ensure!(there.is_none(), "it is there");
            Ok(())
        })
        .await
    }
}

/// Waits until registry, Git and cluster agree, as `coditect verify --cluster` says it.
pub(super) async fn agree(world: &World) -> Result {
    let kubeconfig = world
        .cluster
        .kubeconfig_of("coditect", "coditect-verify")
        .await?;
    let cluster = format!("--cluster={CELL}={}", kubeconfig.display());
    until("registry, Git and cluster to agree", LIMIT, || async {
        let (code, said) = world
            .product
            .command(&["verify", &cluster, "--settle=5", "--patience=5"])
            .await?;
        ensure!(code == 0, "verify ends with {code}: {said}");
        Ok(())
    })
    .await
}

/// One pass of the reaper with its own identity.
pub(super) async fn reap(world: &World) -> Result<Value> {
    let kubeconfig = world
        .cluster
        .kubeconfig_of("coditect", "coditect-reaper")
        .await?;
    let cluster = format!("--cluster={CELL}={}", kubeconfig.display());
    let (code, said) = world.product.command(&["reap", &cluster]).await?;
    ensure!(code == 0, "reap ends with {code}: {said}");
    Ok(said)
}

/// What `git` prints about the cell's repository.
pub(super) fn git(product: &Product, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(product.bare(CELL))
        .args(arguments)
        .output()
        .during("git")?;
    ensure!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The newest commit of the cell.
pub(super) fn head(product: &Product) -> Result<String> {
    git(product, &["rev-parse", "refs/heads/main"])
}

/// A person's file at the newest commit; none if there is none.
pub(super) fn file(product: &Product, person: &Person) -> Result<Option<String>> {
    let names = git(
        product,
        &["ls-tree", "-r", "--name-only", "refs/heads/main"],
    )?;
    let own = format!("{}.yaml", person.user);
    let Some(path) = names.lines().find(|name| name.ends_with(&own)) else {
        return Ok(None);
    };
    git(product, &["show", &format!("refs/heads/main:{path}")]).map(Some)
}
