//! A cluster with Argo CD, and an installation of the product whose one cell it is.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams},
    core::GroupVersionKind,
};

use crate::{Cluster, During, Machine, Product, Result, Settings, ensure, files, until};

/// The cell of every installation under test.
pub const CELL: &str = "local";

/// How many shards a cell has.
const SHARDS: usize = 128;
/// How long the first look at all of them may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Everything from the API to the live object.
pub struct World {
    /// The cell's cluster.
    pub cluster: Cluster,
    /// The product.
    pub product: Product,
}

impl World {
    /// Starts one, in folders of the run that begin with its name: a cluster, the product's rights in it, the
    /// product, and Argo CD with the settings, the project and the Applications of the tree.
    ///
    /// # Errors
    /// If something does not get ready.
    pub async fn start(machine: &Machine, name: &str) -> Result<Self> {
        let mut world = Self::filled(machine, name, 0).await?;
        let (repository, token) = world.product.repository();
        connect(machine, &mut world.cluster, CELL, repository, token).await?;
        Ok(world)
    }

    /// The same with so many people in it, [`Product::seeded`], and before Argo CD: [`World::follow`] brings it.
    ///
    /// # Errors
    /// If something does not get ready.
    pub async fn filled(machine: &Machine, name: &str, people: usize) -> Result<Self> {
        let mut cluster = Cluster::start(machine, &format!("{name}-cluster")).await?;
        cluster.install_argocd().await?;
        allow(machine, &cluster).await?;
        let argocd = cluster.argocd()?;
        let settings = Settings {
            cell: CELL.to_owned(),
            observer: Some(
                cluster
                    .kubeconfig_of("coditect", "coditect-observer")
                    .await?,
            ),
            webhook: Some((argocd.webhook.clone(), argocd.webhook_secret.clone())),
            seeded: people,
        };
        let folder = machine.run.join(format!("{name}-product"));
        let product = Product::start(machine, folder, &settings).await?;
        Ok(Self { cluster, product })
    }

    /// Starts Argo CD with the cell's Applications, or only those of some shards; does not wait for it.
    ///
    /// # Errors
    /// As [`follow`].
    pub async fn follow(&mut self, machine: &Machine, shards: Option<&BTreeSet<String>>) -> Result {
        let (repository, token) = self.product.repository();
        let cluster = &mut self.cluster;
        follow(machine, cluster, CELL, repository, token, shards).await
    }

    /// Fails if a process has ended that nobody stopped.
    ///
    /// # Errors
    /// The end of its log.
    pub fn must_run(&mut self) -> Result {
        self.cluster.must_run()?;
        self.product.must_run()
    }

    /// Stops everything in order.
    ///
    /// # Errors
    /// If a process did not run any more, or had to be killed.
    pub async fn stop(self) -> Result {
        let product = self.product.stop().await;
        let cluster = self.cluster.stop().await;
        product.and(cluster)
    }
}

/// Gives the product's programs their identities and rights in a cluster: `deploy/access` of the tree.
///
/// # Errors
/// If the API server refuses something.
pub async fn allow(machine: &Machine, cluster: &Cluster) -> Result {
    kustomize(cluster, &machine.tree.join("deploy/access")).await
}

/// Makes the Argo CD of a cluster follow a cell's repository, and waits until every shard has been compared with Git
/// once, as those of a cell in service have: until then a commit waits behind all the others.
///
/// # Errors
/// As [`follow`], or if it takes too long.
pub async fn connect(
    machine: &Machine,
    cluster: &mut Cluster,
    cell: &str,
    repository: &str,
    token: &str,
) -> Result {
    follow(machine, cluster, cell, repository, token, None).await?;
    settled(cluster, SHARDS, PATIENCE).await
}

/// Makes the Argo CD of a cluster follow a cell's repository, as `argocd/README.md` says it is done, and starts it.
/// Only some shards if they are named, each as `00` to `7f`.
///
/// # Errors
/// If the API server refuses something, or a process does not get ready.
pub async fn follow(
    machine: &Machine,
    cluster: &mut Cluster,
    cell: &str,
    repository: &str,
    token: &str,
    shards: Option<&BTreeSet<String>>,
) -> Result {
    let argocd = cluster.folder().join("argocd-tree");
    files::copy(&machine.tree.join("argocd"), &argocd)?;
    kustomize(cluster, &argocd.join("settings")).await?;
    if let Some(shards) = shards {
        only(&argocd.join("cell/shards.yaml"), shards)?;
    }
    let secret = format!(
        "apiVersion: v1
kind: Secret
metadata:
  name: coditect-{cell}-repository
  namespace: argocd
  labels: {{argocd.argoproj.io/secret-type: repository}}
stringData:
  type: git
  url: {repository}
  project: coditect-{cell}
  webhookManifestCacheWarmDisabled: \"true\"
  forceHttpBasicAuth: \"true\"
  username: argocd
  password: {token}
"
    );
    cluster.apply(&secret, "argocd").await?;
    let own = argocd.join("cells").join(cell);
    files::copy(&argocd.join("cells/example"), &own)?;
    let facts = format!(
        "apiVersion: v1
kind: ConfigMap
metadata:
  name: cell
  annotations: {{config.kubernetes.io/local-config: \"true\"}}
data: {{name: {cell}, repository: {repository}}}
"
    );
    fs::write(own.join("cell.yaml"), facts)?;
    kustomize(cluster, &own).await?;
    cluster.start_argocd().await
}

/// Leaves only the named shards in the list of an ApplicationSet.
fn only(file: &Path, shards: &BTreeSet<String>) -> Result {
    let text = fs::read_to_string(file)?;
    let stays = |line: &&str| match line.trim().strip_prefix("- {shard: \"") {
        Some(rest) => shards.contains(rest.trim_end_matches("\"}")),
        None => true,
    };
    let lines: Vec<&str> = text.lines().filter(stays).collect();
    fs::write(file, lines.join("\n") + "\n")?;
    Ok(())
}

/// Waits until so many shards are as Git says.
///
/// # Errors
/// If that takes longer than `limit`.
pub async fn settled(cluster: &Cluster, shards: usize, limit: Duration) -> Result {
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    let kind = ApiResource::from_gvk(&kind);
    let applications: Api<DynamicObject> = Api::namespaced_with(cluster.admin(), "argocd", &kind);
    until("Argo CD to have seen all shards", limit, || async {
        let all = applications.list(&ListParams::default()).await?.items;
        let synced = all
            .iter()
            .filter(|one| one.data["status"]["sync"]["status"] == "Synced");
        let synced = synced.count();
        ensure!(
            synced == shards,
            "{synced} of {} shards are synced",
            all.len()
        );
        Ok(())
    })
    .await
}

/// Applies a kustomization.
async fn kustomize(cluster: &Cluster, folder: &Path) -> Result {
    let folder = folder.display().to_string();
    let apply = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--kustomize",
        &folder,
    ];
    cluster.kubectl(&apply).await.map(drop).during(&folder)
}
