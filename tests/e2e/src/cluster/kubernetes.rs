//! Kubernetes itself: its processes, their flags and why.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::{Api, api::ListParams};

use super::{Cluster, Probe};
use crate::{Result, ensure, ports, until};

/// What a cluster has that Kubernetes does not bring along.
const OBJECTS: &str = include_str!("objects.yaml");

impl Cluster {
    pub(super) async fn start_kubernetes(&mut self) -> Result {
        let [peer, manager, scheduler] = [ports::free()?, ports::free()?, ports::free()?];
        self.etcd(peer).await?;
        self.answers("etcd").await?;
        self.api_server().await?;
        self.answers("kube-apiserver").await?;
        self.controller_manager(manager).await?;
        self.scheduler(scheduler).await?;
        self.fakelet().await?;
        self.apply(OBJECTS, "default").await?;
        self.answers("kube-controller-manager").await?;
        self.answers("kube-scheduler").await?;
        self.works().await
    }

    async fn etcd(&mut self, peer: u16) -> Result {
        let client = format!("http://127.0.0.1:{}", self.etcd);
        let peer = format!("http://127.0.0.1:{peer}");
        let arguments = [
            format!("--data-dir={}", self.path("etcd")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            // Processes are killed here, the machine is not: what is written survives without being synced.
            "--unsafe-no-fsync".to_owned(),
            "--quota-backend-bytes=4294967296".to_owned(),
            "--auto-compaction-mode=periodic".to_owned(),
            "--auto-compaction-retention=5m".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        let probe = Probe::Http(format!("{client}/health"));
        self.run("etcd", arguments, Vec::new(), probe).await
    }

    async fn api_server(&mut self) -> Result {
        let file = |name: &str| self.authority.file(name).display().to_string();
        let arguments = [
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.api_server),
            // An Endpoints address may not be a loopback address.
            "--endpoint-reconciler-type=none".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/12".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
            format!("--client-ca-file={}", file("ca.crt")),
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", file("accounts.pub")),
            format!(
                "--service-account-signing-key-file={}",
                file("accounts.key")
            ),
            // Five minutes by default: how long pods stay where a node has died.
            "--default-not-ready-toleration-seconds=10".to_owned(),
            "--default-unreachable-toleration-seconds=10".to_owned(),
            "--max-requests-inflight=800".to_owned(),
            "--max-mutating-requests-inflight=400".to_owned(),
        ];
        self.run("kube-apiserver", arguments, Vec::new(), Probe::ApiServer)
            .await
    }

    async fn controller_manager(&mut self, port: u16) -> Result {
        let kubeconfig = self
            .authority
            .user("system:kube-controller-manager", None)?;
        let kubeconfig = kubeconfig.display();
        let file = |name: &str| self.authority.file(name).display().to_string();
        let mut arguments = vec![
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            "--leader-elect=false".to_owned(),
            "--use-service-account-credentials=true".to_owned(),
            format!(
                "--service-account-private-key-file={}",
                file("accounts.key")
            ),
            format!("--root-ca-file={}", file("ca.crt")),
            "--kube-api-qps=200".to_owned(),
            "--kube-api-burst=400".to_owned(),
            // A beta that waits until it has read what it wrote: after a killed API server's return its reads can stay
            // behind for minutes, until some other StatefulSet changes, and nothing of that is what is tried here.
            "--feature-gates=StaleControllerConsistencyStatefulSet=false".to_owned(),
        ];
        // As a large cluster has them: the defaults handle five objects of a kind at a time.
        for (controller, number) in [
            ("statefulset-syncs", 20),
            ("resource-quota-syncs", 10),
            ("namespace-syncs", 20),
            ("gc-syncs", 20),
            ("serviceaccount-token-syncs", 10),
        ] {
            arguments.push(format!("--concurrent-{controller}={number}"));
        }
        let name = "kube-controller-manager";
        self.run(name, arguments, Vec::new(), Probe::Port(port))
            .await
    }

    async fn scheduler(&mut self, port: u16) -> Result {
        let kubeconfig = self.authority.user("system:kube-scheduler", None)?;
        let kubeconfig = kubeconfig.display();
        let arguments = [
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            "--leader-elect=false".to_owned(),
            "--kube-api-qps=200".to_owned(),
            "--kube-api-burst=400".to_owned(),
        ];
        let probe = Probe::Port(port);
        self.run("kube-scheduler", arguments, Vec::new(), probe)
            .await
    }

    async fn fakelet(&mut self) -> Result {
        let kubeconfig = self.authority.user("fakelet", Some("system:masters"))?;
        let arguments = [
            format!("-kubeconfig={}", kubeconfig.display()),
            format!("-volumes={}", self.path("volumes")),
            "-nodes=3".to_owned(),
        ];
        self.run("fakelet", arguments, Vec::new(), Probe::Runs)
            .await
    }

    /// Waits until controllers and nodes do their work.
    async fn works(&mut self) -> Result {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), "default");
        until("three ready nodes", Duration::from_secs(60), || async {
            let nodes = nodes.list(&ListParams::default()).await?;
            let ready = nodes.iter().filter(|node| is_ready(node)).count();
            ensure!(ready == 3, "{ready} nodes are ready");
            accounts.get("default").await?;
            Ok(())
        })
        .await
    }
}

fn is_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
