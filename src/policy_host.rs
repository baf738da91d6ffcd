//! The host of the policy's repository: options and what they mean.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use coditect_core::Result;
use coditect_renderer::proposals::{
    PolicyHost,
    github::{GITHUB, Github, GithubConfig},
};

use crate::serving::{hidden, none};

/// Where people discuss and decide what waits for an approval.
#[derive(Clone, Debug, Args)]
pub(crate) struct PolicyHosting {
    /// What the policy's repository is hosted by: what waits for an approval becomes a pull request there, with what it
    /// would change as a comment. Without it people are asked by branches alone.
    #[arg(
        long,
        value_enum,
        value_name = "HOST",
        requires_all = ["policy_remote", "policy_host_repository", "policy_host_token_file"],
        env = "CODITECT_POLICY_HOST"
    )]
    policy_host: Option<Host>,

    /// The policy's repository there.
    #[arg(
        long,
        value_name = "OWNER/NAME",
        requires = "policy_host",
        env = "CODITECT_POLICY_HOST_REPOSITORY"
    )]
    policy_host_repository: Option<String>,

    /// A file with a token that may read the repository's contents, and read and write its pull requests. Read again
    /// for every request.
    #[arg(
        long,
        value_name = "FILE",
        requires = "policy_host",
        env = "CODITECT_POLICY_HOST_TOKEN_FILE"
    )]
    policy_host_token_file: Option<PathBuf>,

    /// The address of the host's API; a GitHub Enterprise Server has it at `https://HOST/api/v3`.
    #[arg(long, value_name = "URL", requires = "policy_host", default_value = GITHUB, env = "CODITECT_POLICY_HOST_API")]
    policy_host_api: String,

    /// Who vouches for the host's certificate (PEM), in place of the system's authorities.
    #[arg(
        long,
        value_name = "FILE",
        requires = "policy_host",
        env = "CODITECT_POLICY_HOST_CA_FILE"
    )]
    policy_host_ca_file: Option<PathBuf>,
}

/// Hosts that are known.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Host {
    /// GitHub, its own or a GitHub Enterprise Server.
    Github,
}

impl PolicyHosting {
    /// The host, if there is one.
    ///
    /// # Errors
    /// `Invalid` if the options are not usable.
    pub(crate) fn host(&self) -> Result<Option<Arc<dyn PolicyHost>>> {
        let (Some(Host::Github), Some(repository), Some(token)) = (
            self.policy_host,
            &self.policy_host_repository,
            &self.policy_host_token_file,
        ) else {
            return Ok(None);
        };
        let mut config = GithubConfig::new(repository.as_str(), token);
        config.api.clone_from(&self.policy_host_api);
        config.ca_file.clone_from(&self.policy_host_ca_file);
        Ok(Some(Arc::new(Github::new(&config)?)))
    }

    /// For `coditect config`.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let Some(Host::Github) = self.policy_host else {
            return vec![("policy-host", none())];
        };
        let ca_file = self.policy_host_ca_file.as_ref();
        vec![
            ("policy-host", "github".to_owned()),
            (
                "policy-host-repository",
                self.policy_host_repository.clone().unwrap_or_else(none),
            ),
            (
                "policy-host-token-file",
                hidden(self.policy_host_token_file.as_ref()),
            ),
            ("policy-host-api", self.policy_host_api.clone()),
            (
                "policy-host-ca-file",
                ca_file.map_or_else(none, |file| file.display().to_string()),
            ),
        ]
    }
}
