//! Sign-ins of others that people may use, as the command line names them.

use std::path::PathBuf;

use clap::Args;
use coditect_api::{GITHUB, GOOGLE, ProviderConfig, Service};

/// Google's and GitHub's sign-ins. Each is off until its client id is given.
#[derive(Clone, Debug, Args)]
pub(crate) struct Providers {
    /// Client id at Google, whose console is told `<public URL>/api/v5/auth/google/callback` as the redirect address:
    /// switches its sign-in on.
    #[arg(
        long,
        value_name = "ID",
        requires = "google_client_secret_file",
        env = "CODITECT_GOOGLE_CLIENT_ID"
    )]
    google_client_id: Option<String>,

    /// File with the client's secret at Google. Read at each sign-in, so that it can be replaced.
    #[arg(long, value_name = "FILE", env = "CODITECT_GOOGLE_CLIENT_SECRET_FILE")]
    google_client_secret_file: Option<PathBuf>,

    /// Another OpenID provider in Google's place, by its issuer.
    #[arg(long, value_name = "URL", default_value = GOOGLE, env = "CODITECT_GOOGLE_ISSUER")]
    google_issuer: String,

    /// Client id at GitHub, which is told `<public URL>/api/v5/auth/github/callback` as the callback address: switches
    /// its sign-in on.
    #[arg(
        long,
        value_name = "ID",
        requires = "github_client_secret_file",
        env = "CODITECT_GITHUB_CLIENT_ID"
    )]
    github_client_id: Option<String>,

    /// File with the client's secret at GitHub. Read at each sign-in, so that it can be replaced.
    #[arg(long, value_name = "FILE", env = "CODITECT_GITHUB_CLIENT_SECRET_FILE")]
    github_client_secret_file: Option<PathBuf>,

    /// Address of GitHub Enterprise in GitHub's place.
    #[arg(long, value_name = "URL", default_value = GITHUB, env = "CODITECT_GITHUB_URL")]
    github_url: String,
}

impl Providers {
    /// Those that are switched on.
    pub(crate) fn configured(&self) -> Vec<ProviderConfig> {
        let provider = |service, id: &Option<String>, file: &Option<PathBuf>| {
            Some(ProviderConfig {
                service,
                client_id: id.clone()?,
                client_secret_file: file.clone()?,
            })
        };
        let google = Service::Google {
            issuer: self.google_issuer.clone(),
        };
        let github = Service::GitHub {
            url: self.github_url.clone(),
        };
        [
            provider(
                google,
                &self.google_client_id,
                &self.google_client_secret_file,
            ),
            provider(
                github,
                &self.github_client_id,
                &self.github_client_secret_file,
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Every setting as it would be used; of secrets the file alone.
    pub(crate) fn settings(&self) -> [(&'static str, String); 2] {
        let shown = |id: &Option<String>, at: &str, file: &Option<PathBuf>| match (id, file) {
            (Some(id), Some(file)) => {
                format!("{id} at {at}, secret in {} (hidden)", file.display())
            }
            _ => "off".to_owned(),
        };
        [
            (
                "google",
                shown(
                    &self.google_client_id,
                    &self.google_issuer,
                    &self.google_client_secret_file,
                ),
            ),
            (
                "github",
                shown(
                    &self.github_client_id,
                    &self.github_url,
                    &self.github_client_secret_file,
                ),
            ),
        ]
    }
}
