use std::{
    ffi::OsStr,
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser};
use coditect_core::{Error, Result, Slug, WorkspaceId};
use coditect_sidecar::Sidecar;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::{exit::Exit, local_runtime::stand_in, output};

/// A workspace's pod as one process: its gateway, and a small server of its files in the IDE's place. `coditect dev`
/// starts and ends it: its first line says where the gateway listens, and it ends when its standard input does.
#[derive(Debug, Args)]
pub(crate) struct WorkspacePod {
    /// Whose pod it is.
    #[arg(long)]
    workspace: WorkspaceId,

    /// The workspace's host name.
    #[arg(long)]
    host: String,

    /// The workspace's origin.
    #[arg(long)]
    origin: String,

    /// Address of the API.
    #[arg(long)]
    api: String,

    /// The token by which the API knows the pod.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,

    /// Folder for what the API has not taken yet.
    #[arg(long, value_name = "DIR")]
    queue: PathBuf,

    /// The workspace's files.
    #[arg(long, value_name = "DIR")]
    volume: PathBuf,

    /// Held locked while the files are in use.
    #[arg(long, value_name = "FILE")]
    lock: PathBuf,

    /// The first label of the workspace's host.
    #[arg(long)]
    slug: Slug,

    /// The pod that it is.
    #[arg(long)]
    pod: String,
}

/// How long another process that still has the files may take to end.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the lock is tried.
const BETWEEN: Duration = Duration::from_millis(20);

impl WorkspacePod {
    pub(crate) async fn run(self) -> Result<Exit> {
        let failed = |what: &str, error: io::Error| {
            Error::unavailable(format!("pod {}: {what}", self.pod)).because(error)
        };
        let lock = File::create(&self.lock).map_err(|error| failed("no lock", error))?;
        tokio::time::timeout(PATIENCE, locked(&lock))
            .await
            .map_err(|_| Error::unavailable("another process has the workspace's files"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| failed("cannot listen", error))?;
        let address = listener
            .local_addr()
            .map_err(|error| failed("no address", error))?;
        let mut terminate =
            signal(SignalKind::terminate()).map_err(|error| failed("no signals", error))?;
        let gateway = Sidecar::start(&self.gateway(address)?).await?;
        let routes = stand_in::routes(self.volume, self.slug, || output::line(stand_in::INPUT));
        output::line(&gateway.address().to_string());
        tokio::select! {
            served = axum::serve(listener, routes).into_future() => {
                served.map_err(|error| failed("cannot serve", error))?;
            }
            // The API is still there, and is told what it does not know yet.
            _ = terminate.recv() => gateway.finish().await,
            () = parent_gone() => {}
        }
        drop(lock);
        Ok(Exit::Done)
    }

    /// How the gateway is started before an IDE at this address.
    fn gateway(&self, ide: SocketAddr) -> Result<coditect_sidecar::Config> {
        std::fs::create_dir_all(&self.queue).map_err(|error| {
            Error::unavailable(format!("{} cannot be made", self.queue.display())).because(error)
        })?;
        let (workspace, ide) = (self.workspace.to_string(), ide.to_string());
        let arguments: [(&str, &OsStr); 9] = [
            ("--workspace", workspace.as_ref()),
            ("--host", self.host.as_ref()),
            ("--origin", self.origin.as_ref()),
            ("--api", self.api.as_ref()),
            ("--token-file", self.token_file.as_ref()),
            ("--queue", self.queue.as_ref()),
            ("--volume", self.volume.as_ref()),
            ("--ide", ide.as_ref()),
            ("--listen", "127.0.0.1:0".as_ref()),
        ];
        let arguments = arguments
            .into_iter()
            .flat_map(|(name, value)| [name.as_ref(), value]);
        let program = [OsStr::new("coditect-sidecar")].into_iter();
        let inside = [OsStr::new("--inside"), OsStr::new("127.0.0.1:0")];
        coditect_sidecar::Config::try_parse_from(program.chain(arguments).chain(inside))
            .map_err(|error| Error::internal(format!("the gateway's settings: {error}")))
    }
}

/// Waits until nobody else holds the lock. Killing whoever holds it releases it.
async fn locked(lock: &File) {
    while lock.try_lock().is_err() {
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Waits until the other end of standard input is closed: its holder has ended, however that happened.
async fn parent_gone() {
    let (gone, told) = oneshot::channel();
    // A thread of its own: the runtime would wait at its end for one of its own that still reads.
    std::thread::spawn(move || {
        // A failure to read says the same.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = gone.send(());
    });
    let _ = told.await;
}
