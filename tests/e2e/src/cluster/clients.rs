//! Who talks to the API server in scenarios.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::task::spawn_blocking;

use super::{Cluster, apply};
use crate::{During, Failure, Result, ensure};

/// A day: longer than any run.
const TOKEN_SECONDS: i64 = 86_400;

/// A client by a kubeconfig file.
///
/// # Errors
/// If the file cannot be read.
pub(super) async fn of(kubeconfig: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    Ok(Client::try_from(config)?)
}

impl Cluster {
    /// The administrator, who may do everything.
    #[must_use]
    pub fn admin(&self) -> Client {
        self.client.clone()
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// A ServiceAccount, by a token that the API server made for it.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn as_service_account(&self, namespace: &str, name: &str) -> Result<Client> {
        of(&self.kubeconfig_of(namespace, name).await?).await
    }

    /// A person, by a client certificate.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub async fn as_person(&self, name: &str, group: Option<&str>) -> Result<Client> {
        of(&self.authority.user(name, group)?).await
    }

    /// A kubeconfig file of a ServiceAccount, by a token of a day, as the product's programs are given one.
    ///
    /// # Errors
    /// If the ServiceAccount does not exist.
    pub async fn kubeconfig_of(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin(), namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(TOKEN_SECONDS),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .during(format!("a token for {namespace}/{name}"))?;
        let token = answer.status.map(|status| status.token);
        let token = token.ok_or_else(|| Failure::new("a token request without a token"))?;
        self.authority
            .bearer(&format!("{namespace}-{name}"), &token, namespace)
    }

    /// Applies every object of a YAML stream as the administrator; those without a namespace into `namespace`.
    ///
    /// # Errors
    /// The first object that is refused.
    pub async fn apply(&self, yaml: &str, namespace: &str) -> Result {
        apply::apply(&self.client, yaml, namespace).await
    }

    /// Runs kubectl as the administrator and gives what it printed.
    ///
    /// # Errors
    /// If it does not end with status 0: with what it said.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_as(&self.admin, arguments, None).await
    }

    /// Runs kubectl with a kubeconfig, and something on its standard input.
    ///
    /// # Errors
    /// As [`Self::kubectl`].
    pub async fn kubectl_as(
        &self,
        kubeconfig: &Path,
        arguments: &[&str],
        input: Option<&str>,
    ) -> Result<String> {
        let mut command = Command::new(self.machine.program("kubectl"));
        command
            .args(arguments)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .env("HOME", self.folder.join("home"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let input = input.unwrap_or_default().to_owned();
        let output = spawn_blocking(move || {
            let mut child = command.spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(input.as_bytes())?;
            }
            child.wait_with_output()
        })
        .await??;
        ensure!(
            output.status.success(),
            "kubectl {}: {}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}
