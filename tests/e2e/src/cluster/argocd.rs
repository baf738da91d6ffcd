//! Argo CD: its processes, with the identities, rights and settings of its own manifests.

use std::{collections::BTreeMap, ffi::OsString, fs, path::PathBuf};

use k8s_openapi::api::core::v1::{ConfigMap, EnvVar, Secret};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;
use uuid::Uuid;

use super::{Cluster, Probe, documents};
use crate::{During, Result, ensure, ports, until};

const NAMESPACE: &str = "argocd";

/// Where Argo CD is.
#[derive(Clone, Debug)]
pub struct ArgoCd {
    /// The API server.
    pub url: String,
    /// Where push events go.
    pub webhook: String,
    /// What push events are signed with.
    pub webhook_secret: String,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    redis: u16,
    repository: u16,
    repository_metrics: u16,
    server: u16,
    server_metrics: u16,
    controller_metrics: u16,
    sets_metrics: u16,
    sets_probe: u16,
    sets_webhook: u16,
}

impl Ports {
    fn free() -> Result<Self> {
        Ok(Self {
            redis: ports::free()?,
            repository: ports::free()?,
            repository_metrics: ports::free()?,
            server: ports::free()?,
            server_metrics: ports::free()?,
            controller_metrics: ports::free()?,
            sets_metrics: ports::free()?,
            sets_probe: ports::free()?,
            sets_webhook: ports::free()?,
        })
    }
}

impl Cluster {
    /// Brings Argo CD's definitions, identities, rights and settings into the cluster; starts nothing yet, so that
    /// a scenario's own settings can be applied before.
    ///
    /// # Errors
    /// If the API server refuses something.
    pub async fn install_argocd(&mut self) -> Result {
        let manifest = |name: &str| {
            let file = self.machine.stack.join("manifests").join(name);
            fs::read_to_string(&file).during(file.display())
        };
        let namespace =
            format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n");
        self.apply(&namespace, NAMESPACE).await?;
        self.apply(&manifest("argocd-crds.yaml")?, NAMESPACE)
            .await?;
        self.apply(&manifest("argocd-config.yaml")?, NAMESPACE)
            .await?;
        let applications = ["get", "applications.argoproj.io", "--all-namespaces"];
        until(
            "Argo CD's definitions to be served",
            super::LIMIT,
            || async { self.kubectl(&applications).await.map(drop) },
        )
        .await?;

        let webhook_secret = Uuid::new_v4().to_string();
        let secrets: Api<Secret> = Api::namespaced(self.admin(), NAMESPACE);
        let settings = json!({"stringData": {
            "server.secretkey": Uuid::new_v4().to_string(),
            "webhook.github.secret": webhook_secret,
        }});
        secrets
            .patch(
                "argocd-secret",
                &PatchParams::default(),
                &Patch::Merge(&settings),
            )
            .await?;
        let ports = Ports::free()?;
        self.argocd = Some(ArgoCd {
            url: format!("http://127.0.0.1:{}", ports.server),
            webhook: format!("http://127.0.0.1:{}/api/webhook", ports.server),
            webhook_secret,
            ports,
        });
        Ok(())
    }

    /// Starts Argo CD's processes with the settings that are in the cluster now, and waits until they answer.
    ///
    /// # Errors
    /// If [`Self::install_argocd`] was not called, or a process does not get ready.
    pub async fn start_argocd(&mut self) -> Result {
        let ports = self.argocd()?.ports;
        let redis = format!("127.0.0.1:{}", ports.redis);
        let arguments = [
            "--bind",
            "127.0.0.1",
            "--port",
            &ports.redis.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            &self.path("tmp"),
        ]
        .map(str::to_owned);
        let program = PathBuf::from("redis-server");
        let probe = Probe::Port(ports.redis);
        self.run_file("redis", program, arguments, Vec::new(), probe)
            .await?;
        self.answers("redis").await?;

        let repository = [
            "--repo-server-plaintext".to_owned(),
            format!("--redis={redis}"),
            format!("--repo-server=127.0.0.1:{}", ports.repository),
        ];
        self.repository_server(&ports, &redis).await?;
        self.application_controller(&ports, &repository).await?;
        self.argocd_server(&ports, &repository).await?;
        self.application_sets(&ports).await?;
        for name in [
            "argocd-repo-server",
            "argocd-application-controller",
            "argocd-server",
            "argocd-applicationset-controller",
        ] {
            self.answers(name).await?;
        }
        Ok(())
    }

    async fn repository_server(&mut self, ports: &Ports, redis: &str) -> Result {
        let arguments = [
            "--address=127.0.0.1".to_owned(),
            format!("--port={}", ports.repository),
            "--metrics-address=127.0.0.1".to_owned(),
            format!("--metrics-port={}", ports.repository_metrics),
            format!("--redis={redis}"),
            "--disable-tls".to_owned(),
            // Without it the default, which is not empty, contradicts the flag above.
            "--client-ca-path=".to_owned(),
        ];
        let probe = Probe::Http(format!(
            "http://127.0.0.1:{}/healthz",
            ports.repository_metrics
        ));
        self.run_argocd("argocd-repo-server", arguments, probe)
            .await
    }

    async fn application_controller(&mut self, ports: &Ports, repository: &[String]) -> Result {
        let arguments = [
            format!("--namespace={NAMESPACE}"),
            // It has no setting for the address: this one port listens on all of them.
            format!("--metrics-port={}", ports.controller_metrics),
        ];
        let probe = Probe::Http(format!(
            "http://127.0.0.1:{}/healthz",
            ports.controller_metrics
        ));
        let arguments = arguments.into_iter().chain(repository.iter().cloned());
        self.run_argocd("argocd-application-controller", arguments, probe)
            .await
    }

    async fn argocd_server(&mut self, ports: &Ports, repository: &[String]) -> Result {
        let arguments = [
            format!("--namespace={NAMESPACE}"),
            "--insecure".to_owned(),
            "--address=127.0.0.1".to_owned(),
            format!("--port={}", ports.server),
            "--metrics-address=127.0.0.1".to_owned(),
            format!("--metrics-port={}", ports.server_metrics),
        ];
        let probe = Probe::Http(format!("http://127.0.0.1:{}/healthz", ports.server));
        let arguments = arguments.into_iter().chain(repository.iter().cloned());
        self.run_argocd("argocd-server", arguments, probe).await
    }

    async fn application_sets(&mut self, ports: &Ports) -> Result {
        let arguments = [
            format!("--namespace={NAMESPACE}"),
            "--repo-server-plaintext".to_owned(),
            format!("--argocd-repo-server=127.0.0.1:{}", ports.repository),
            format!("--metrics-addr=127.0.0.1:{}", ports.sets_metrics),
            format!("--probe-addr=127.0.0.1:{}", ports.sets_probe),
            format!("--webhook-addr=127.0.0.1:{}", ports.sets_webhook),
        ];
        // Its probe port answers 404.
        let probe = Probe::Http(format!("http://127.0.0.1:{}/metrics", ports.sets_metrics));
        self.run_argocd("argocd-applicationset-controller", arguments, probe)
            .await
    }

    async fn run_argocd(
        &mut self,
        name: &str,
        arguments: impl IntoIterator<Item = String>,
        probe: Probe,
    ) -> Result {
        let folder = self.folder.join("argocd").join(name);
        let below = |name: &str| folder.join(name);
        for sub in ["tmp", "tls", "ssh", "gpg/source", "gpg/keys", "plugins"] {
            fs::create_dir_all(below(sub))?;
        }
        let kubeconfig = self.kubeconfig_of(NAMESPACE, name).await?;
        let mut arguments: Vec<String> = arguments.into_iter().collect();
        if name != "argocd-repo-server" {
            arguments.push(format!("--kubeconfig={}", kubeconfig.display()));
        }
        let mut environment = self.settings(name).await?;
        environment.extend::<[(OsString, OsString); 10]>([
            // "In-cluster" means the cluster of this kubeconfig.
            ("ARGOCD_FAKE_IN_CLUSTER".into(), "true".into()),
            ("KUBECONFIG".into(), kubeconfig.into()),
            ("HOSTNAME".into(), format!("{name}-0").into()),
            ("ARGOCD_GPG_ENABLED".into(), "false".into()),
            ("ARGOCD_TLS_DATA_PATH".into(), below("tls").into()),
            ("ARGOCD_SSH_DATA_PATH".into(), below("ssh").into()),
            ("ARGOCD_GPG_DATA_PATH".into(), below("gpg/source").into()),
            ("ARGOCD_GNUPGHOME".into(), below("gpg/keys").into()),
            ("ARGOCD_PLUGINSOCKFILEPATH".into(), below("plugins").into()),
            ("ARGOCD_ASK_PASS_SOCK".into(), below("ask-pass.sock").into()),
        ]);
        self.run(name, arguments, environment, probe).await
    }

    /// The variables that a process's workload takes from ConfigMaps, with what these hold now: so that a setting of
    /// `argocd-cmd-params-cm` means here what it means in a cluster.
    async fn settings(&self, workload: &str) -> Result<Vec<(OsString, OsString)>> {
        let maps: Api<ConfigMap> = Api::namespaced(self.admin(), NAMESPACE);
        let maps = maps.list(&ListParams::default()).await?;
        let maps: BTreeMap<String, BTreeMap<String, String>> = maps
            .into_iter()
            .filter_map(|map| Some((map.metadata.name?, map.data?)))
            .collect();
        let file = self.machine.stack.join("manifests/argocd-workloads.yaml");
        let workloads = documents(&fs::read_to_string(&file).during(file.display())?)?;
        let of = workloads
            .into_iter()
            .find(|document| document["metadata"]["name"] == workload);
        ensure!(of.is_some(), "{} has no {workload}", file.display());
        // A StatefulSet's template is where a Deployment's is.
        let containers = of.map(|mut of| of["spec"]["template"]["spec"]["containers"].take());
        let containers: Vec<Variables> = serde_json::from_value(containers.unwrap_or_default())?;
        let variables = containers.into_iter().flat_map(|container| container.env);
        Ok(variables
            .filter_map(|variable| {
                let key = variable.value_from?.config_map_key_ref?;
                let value = maps.get(&key.name)?.get(&key.key)?;
                Some((variable.name.into(), value.into()))
            })
            .collect())
    }
}

/// The variables of a container.
#[derive(serde::Deserialize)]
struct Variables {
    #[serde(default)]
    env: Vec<EnvVar>,
}
