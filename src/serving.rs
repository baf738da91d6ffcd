//! How cells' commits reach Argo CD: the Git server, the webhook, the hosted remote. Options and what they mean.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use coditect_core::{CellName, Error, Result, health::Health};
use coditect_renderer::{
    git::{GitAccess, GitServeLimits, GitServer, Remote, RemoteConfig, Tokens, redacted},
    inputs::Inputs,
    webhook::WebhookConfig,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::data::Data;

/// Serving cells' repositories over HTTP.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serving {
    /// Where to serve cells' repositories, read-only, at `http://ADDR/<cell>.git`; port 0 takes a free one. Plain
    /// HTTP: beyond this machine, only inside a network that encrypts or behind something that does.
    #[arg(
        long,
        value_name = "ADDR",
        requires = "git_token_file",
        env = "CODITECT_GIT_LISTEN"
    )]
    git_listen: Option<SocketAddr>,

    /// A file with the token that readers show as their password (any user name): one a line, two while one
    /// replaces the other. Read again for every request.
    #[arg(
        long,
        value_name = "FILE",
        requires = "git_listen",
        env = "CODITECT_GIT_TOKEN_FILE"
    )]
    git_token_file: Option<PathBuf>,
}

/// A Git server that has its address.
pub(crate) struct Served {
    /// `http://ADDR`; a cell's repository is at `/<cell>.git` below it.
    pub(crate) url: String,
    server: GitServer,
    listener: TcpListener,
    health: Health,
}

impl Served {
    pub(crate) async fn run(self, stop: CancellationToken) {
        self.server.run(self.listener, self.health, stop).await;
    }
}

impl Serving {
    /// Takes the address and reads the tokens, if repositories are to be served: those of `cells`, or of all of the
    /// policy's if none is named.
    ///
    /// # Errors
    /// `Unavailable` if the address is taken or the tokens cannot be read, `Invalid` if they are not usable.
    pub(crate) async fn start(
        &self,
        data: &Data,
        inputs: watch::Receiver<Arc<Inputs>>,
        cells: Vec<CellName>,
        health: Health,
    ) -> Result<Option<Served>> {
        let (Some(address), Some(file)) = (self.git_listen, &self.git_token_file) else {
            return Ok(None);
        };
        let tokens = Tokens::open(file.clone(), health.clone())?;
        let taken = |error| {
            let why = format!("cannot listen on {address}; choose another with --git-listen");
            Error::unavailable(why).because(error)
        };
        let listener = TcpListener::bind(address).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let data = data.clone();
        let find = move |cell: &CellName| {
            let ours = if cells.is_empty() {
                inputs.borrow().policy.catalogue().cells.contains_key(cell)
            } else {
                cells.contains(cell)
            };
            let repository = data.repository(cell);
            (ours && repository.join("HEAD").exists()).then_some(repository)
        };
        Ok(Some(Served {
            url: format!("http://{address}"),
            server: GitServer::new(Arc::new(find), tokens, GitServeLimits::default()),
            listener,
            health,
        }))
    }

    /// For `coditect config`.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let listen = self.git_listen.map(|address| address.to_string());
        vec![
            ("git-listen", listen.unwrap_or_else(none)),
            ("git-token-file", hidden(self.git_token_file.as_ref())),
        ]
    }
}

/// Telling Argo CD.
#[derive(Clone, Debug, Args)]
pub(crate) struct Telling {
    /// Argo CD's `/api/webhook`: told of every commit by a push event as GitHub sends it, with the paths that
    /// changed. Without it, and whenever an event is lost, Argo CD finds commits by its own poll.
    #[arg(long, value_name = "URL", requires_all = ["webhook_secret_file", "webhook_repository"], env = "CODITECT_WEBHOOK")]
    webhook: Option<String>,

    /// A file with the secret that signs events: Argo CD's `webhook.github.secret`. Read again for every event.
    #[arg(
        long,
        value_name = "FILE",
        requires = "webhook",
        env = "CODITECT_WEBHOOK_SECRET_FILE"
    )]
    webhook_secret_file: Option<PathBuf>,

    /// The address under which Argo CD knows a cell's repository; `{cell}` stands for the cell's name.
    #[arg(
        long,
        value_name = "URL",
        requires = "webhook",
        env = "CODITECT_WEBHOOK_REPOSITORY"
    )]
    webhook_repository: Option<String>,

    /// Who vouches for Argo CD's certificate (PEM), in place of the system's authorities.
    #[arg(
        long,
        value_name = "FILE",
        requires = "webhook",
        env = "CODITECT_WEBHOOK_CA_FILE"
    )]
    webhook_ca_file: Option<PathBuf>,
}

impl Telling {
    /// A cell's webhook, if there is one.
    pub(crate) fn of(&self, cell: &CellName) -> Option<WebhookConfig> {
        let url = self.webhook.as_ref()?;
        let (secret, repository) = (
            self.webhook_secret_file.as_ref()?,
            self.webhook_repository.as_ref()?,
        );
        let repository = repository.replace("{cell}", cell.as_str());
        let url = url.replace("{cell}", cell.as_str());
        let mut config = WebhookConfig::new(cell.clone(), url, secret, repository);
        config.ca_file.clone_from(&self.webhook_ca_file);
        Some(config)
    }

    /// For `coditect config`.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let address = |url: &Option<String>| url.as_deref().map_or_else(none, redacted);
        let ca_file = self.webhook_ca_file.as_ref();
        vec![
            ("webhook", address(&self.webhook)),
            (
                "webhook-secret-file",
                hidden(self.webhook_secret_file.as_ref()),
            ),
            ("webhook-repository", address(&self.webhook_repository)),
            (
                "webhook-ca-file",
                ca_file.map_or_else(none, |file| file.display().to_string()),
            ),
        ]
    }
}

/// A hosted remote as the place of truth.
#[derive(Clone, Debug, Args)]
pub(crate) struct Hosted {
    /// A Git remote that is the place of truth: a commit counts when this has taken it; `{cell}` stands for the
    /// cell's name.
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "mirror",
        env = "CODITECT_REMOTE"
    )]
    remote: Option<String>,

    /// The least time between two pushes to the remote; changes gather meanwhile. GitHub advises six a minute.
    #[arg(long, value_name = "N", requires = "remote", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=600), env = "CODITECT_REMOTE_INTERVAL_SECONDS")]
    remote_interval_seconds: u64,
}

impl Hosted {
    /// A cell's remote, if there is one.
    pub(crate) fn of(&self, cell: &CellName, access: &GitAccess) -> Option<Remote> {
        let url = self.remote.as_ref()?.replace("{cell}", cell.as_str());
        let mut config = RemoteConfig::new(cell.clone(), url);
        config.interval = Duration::from_secs(self.remote_interval_seconds);
        config.access.clone_from(access);
        Some(Remote::new(config))
    }

    /// For `coditect config`.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("remote", self.remote.as_deref().map_or_else(none, redacted)),
            (
                "remote-interval-seconds",
                self.remote_interval_seconds.to_string(),
            ),
        ]
    }
}

pub(crate) fn none() -> String {
    "none".into()
}

pub(crate) fn hidden(file: Option<&PathBuf>) -> String {
    file.map_or_else(none, |file| format!("{} (contents hidden)", file.display()))
}
