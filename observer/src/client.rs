//! How a cell's cluster is reached.

use std::{path::Path, time::Duration};

use coditect_core::{Error, Result};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// How long a connection to the API server may take: a server that restarts refuses at once, one that is
/// gone must not hold a watch for minutes.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection may say nothing: longer than the observer's watches, which the API server ends after a
/// minute, so that only a connection that died in silence is cut, and an observer behind it does not believe for
/// minutes that nothing happens.
const READ: Duration = Duration::from_secs(90);

/// A client of a cluster: of the file `kubeconfig`, or without one of `$KUBECONFIG`, `~/.kube/config` or, inside
/// a pod, of its ServiceAccount, in this order.
///
/// # Errors
/// `Invalid` if the file is no usable configuration; `Unavailable` if there is none at all. Whether the cluster
/// answers is not asked.
pub async fn client(kubeconfig: Option<&Path>) -> Result<Client> {
    let mut config = match kubeconfig {
        Some(path) => {
            let unusable = || {
                Error::invalid(
                    format!("{}", path.display()),
                    "is no usable kubeconfig; give one whose current context names the cell's cluster",
                )
            };
            let file = Kubeconfig::read_from(path).map_err(|error| unusable().because(error))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(|error| unusable().because(error))?
        }
        None => Config::infer().await.map_err(|error| {
            Error::unavailable(
                "no cluster: give --cluster CELL=KUBECONFIG, set KUBECONFIG, or run inside the cluster",
            )
            .because(error)
        })?,
    };
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(READ);
    Client::try_from(config)
        .map_err(|error| Error::internal("the cluster's client cannot be made").because(error))
}

#[cfg(test)]
mod tests {
    use coditect_core::Kind;

    use super::*;

    #[tokio::test]
    async fn a_file_that_is_no_kubeconfig_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.yaml");
        std::fs::write(&path, "clusters: 3").unwrap();
        let error = client(Some(&path)).await.err().unwrap();
        assert!(matches!(error.kind(), Kind::Invalid { field } if field.ends_with("cluster.yaml")));
    }
}
