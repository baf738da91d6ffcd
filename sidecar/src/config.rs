//! How the gateway is started.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;
use coditect_core::{Result, WorkspaceId};

use crate::site::Site;

/// The only door of a workspace's pod: lets its people in, hands their requests on to the IDE, reports files and use.
#[derive(Clone, Debug, Parser)]
#[command(name = "coditect-sidecar", version, max_term_width = 100)]
pub struct Config {
    /// The workspace whose door this is.
    #[arg(long, env = "CODITECT_WORKSPACE")]
    pub workspace: WorkspaceId,

    /// The workspace's host name.
    #[arg(long, env = "CODITECT_HOST")]
    pub host: String,

    /// The workspace's origin, if it is not https:// and the host; http:// is for names of this machine only.
    #[arg(long, env = "CODITECT_ORIGIN")]
    pub origin: Option<String>,

    /// Address of the API.
    #[arg(long, env = "CODITECT_API")]
    pub api: String,

    /// PEM file with the authorities that may vouch for the API, in place of the system's.
    #[arg(long, env = "CODITECT_API_CA")]
    pub api_ca: Option<PathBuf>,

    /// The projected token by which the API knows this pod; read anew for every exchange.
    #[arg(
        long,
        env = "CODITECT_TOKEN_FILE",
        default_value = "/var/run/coditect/token"
    )]
    pub token_file: PathBuf,

    /// Where people come in.
    #[arg(long, env = "CODITECT_LISTEN", default_value = "[::]:8080")]
    pub listen: SocketAddr,

    /// Where the pod's other containers say what happens in them; loopback.
    #[arg(long, env = "CODITECT_INSIDE", default_value = "127.0.0.1:8081")]
    pub inside: SocketAddr,

    /// Where the IDE listens.
    #[arg(long, env = "CODITECT_IDE", default_value = "127.0.0.1:3000")]
    pub ide: SocketAddr,

    /// The workspace's files; only read, but for a file that its person wants back as it was.
    #[arg(long, env = "CODITECT_VOLUME", default_value = "/workspace")]
    pub volume: PathBuf,

    /// Folder for what the API has not taken yet.
    #[arg(long, env = "CODITECT_QUEUE", default_value = "/var/lib/coditect")]
    pub queue: PathBuf,

    /// Largest file whose content is kept as a snapshot, in KiB.
    #[arg(long, env = "CODITECT_SNAPSHOT_KIB", default_value_t = 256)]
    pub snapshot_kib: u64,

    /// Largest size of what waits for the API, in MiB.
    #[arg(long, env = "CODITECT_QUEUE_MIB", default_value_t = 32)]
    pub queue_mib: u64,

    /// Prints on standard output where it listens, on one line: people's address, then the pod's.
    #[arg(long)]
    pub announce: bool,

    /// Which log lines to write to standard error, as `level` or `target=level,…`.
    #[arg(long, env = "CODITECT_LOG", default_value = "info")]
    pub log: String,
}

impl Config {
    /// The workspace's address.
    ///
    /// # Errors
    /// `Invalid` if host or origin are none.
    pub fn site(&self) -> Result<Site> {
        match &self.origin {
            Some(origin) => Site::new(origin),
            None => Site::new(&format!("https://{}", self.host)),
        }
    }
}
